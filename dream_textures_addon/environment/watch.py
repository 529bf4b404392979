# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer that takes what the background commands of the environment bring, and what must happen around them."""

from __future__ import annotations

import time
from pathlib import Path

import bpy

from .. import editors
from ..runtime_state import runtime
from .desk import Desk, Task, Then
from .wishes import wishes

_SECONDS = 0.2
_PRINT_SECONDS = 5.0
OCCUPIED = "Something runs already; wait for it, or cancel it"
BUSY = "A texture is being made with this generator. Wait for it, or cancel it, and try again."


def desk() -> Desk:
    """The one of this Blender."""
    return runtime().environment


def begin(operator: bpy.types.Operator, task: Task, then: Then, python: Path | None = None) -> set[str]:
    """Start a command for an operator and return its result; without a window, wait for the end and fail with it."""
    run = desk().begin(task, wishes(), then, python)
    if not bpy.app.background:
        if not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=_SECONDS, persistent=True)
        editors.redraw_panels()
        return {"FINISHED"}
    printed, last = "", 0.0
    for progress in run.wait():
        if progress.what != printed or time.monotonic() - last > _PRINT_SECONDS:
            print(desk().status, flush=True)
            printed, last = progress.what, time.monotonic()
    ending = run.ending
    settle()
    assert ending is not None
    if not ending.ok:
        operator.report({"ERROR"}, ending.sentences)
        return {"CANCELLED"}
    return {"FINISHED"}


def settle() -> bool:
    """Take an ending if there is one; whether anything still runs."""
    run = desk().run
    if run is not None and run.ending is not None:
        desk().refresh(wishes())
        desk().take()
    return desk().busy


def let_go() -> str:
    """Stop a generator that runs from the environment, for its files are about to change; why not, or empty."""
    session = runtime().session
    if session is None or session.pid is None:
        return ""
    if not Path(session.launch.command[0]).is_relative_to(wishes().folder):
        return ""
    if runtime().board.active is not None:
        return BUSY
    session.close()
    return ""


def change_over() -> None:
    """After files changed: an idle generator ends, and the next job starts the one that is right by then."""
    session = runtime().session
    if session is not None and runtime().board.active is None:
        session.close()


def _tick() -> float | None:
    busy = settle()
    if busy and not desk().has_log:
        desk().has_log = wishes().log.is_file()
    editors.redraw_panels()
    return _SECONDS if busy else None


def register() -> None:
    """Nothing runs until the artist asks for it."""


def unregister() -> None:
    """Stop the timer; the commands end with the runtime."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
