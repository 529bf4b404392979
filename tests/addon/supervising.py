# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the session share: polling as Blender's timer does, and looking whether a process is left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from dream_textures_addon.session import Session
from dream_textures_addon.wire import protocol

FakeSession = Callable[..., Session]
OVER = (protocol.Finished, protocol.Failed, protocol.Cancelled)
REQUEST = protocol.Request(prompt="mossy red brick wall")


def until(session: Session, condition: Callable[[list], object], seconds: float = 15.0) -> list:
    """Poll as Blender's timer does, until the condition holds for the events so far."""
    events: list = []
    deadline = time.monotonic() + seconds
    while not condition(events):
        assert time.monotonic() < deadline, f"Nothing more came after {events}; {session.status}"
        events += session.poll()
        time.sleep(0.01)
    return events


def over(job: str) -> Callable[[list], bool]:
    """Whether this job has ended."""
    return lambda events: any(isinstance(event, OVER) and event.job == job for event in events)


def run(session: Session, request: protocol.Request = REQUEST, seconds: float = 15.0) -> list:
    """One job to its end; its events. No second end may follow the first."""
    job = session.submit(request)
    events = until(session, over(job), seconds)
    events += session.poll()
    ends = [event for event in events if isinstance(event, OVER) and event.job == job]
    assert len(ends) == 1
    assert ends[0] is [event for event in events if getattr(event, "job", None) == job][-1]
    return events


def gone(pid: int) -> bool:
    """Whether no process of this number is left, not even a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def starts(folder: Path) -> int:
    """How often a fake generator was started in this folder."""
    return (folder / "starts").stat().st_size
