# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session is doing, in words that an artist can read, and the clocks that say when to lose patience."""

from __future__ import annotations

import enum
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .wire import protocol


class SessionState(enum.Enum):
    """What the generator is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    LOADING = "loading"
    BUSY = "busy"
    RESTARTING = "restarting"
    FAILED = "failed"


@dataclass(frozen=True)
class Limits:
    """How long to wait for what, in seconds.

    ``silence`` is for a generator that sends no heartbeat: a library that loads from a slow disk may hold Python's
    global lock for a while. ``stall`` is for one that lives but brings nothing for its job. ``cancel`` is for it to
    notice a cancellation before it is ended instead, ``mercy`` between the end of its stdin, a terminate and a kill,
    ``linger`` for a dead one's pipes, which a process that it had started may hold open. After a death it is started
    again in ``backoff`` seconds, twice as many with each further one; one that does not get ready ``restarts`` times
    is given up. ``release`` is how long an idle generator keeps its model in memory, 0 for ever.
    """

    start: float = 180.0
    silence: float = 120.0
    stall: float = 1800.0
    cancel: float = 10.0
    mercy: float = 3.0
    close: float = 3.0
    linger: float = 5.0
    backoff: float = 0.5
    restarts: int = 3
    release: float = 600.0


@dataclass(frozen=True)
class Verdict:
    """Why a process is not, or was not, of further use; ``blameless`` when its job had no part in that."""

    because: str
    blameless: bool = False
    broke_protocol: bool = False


_BLIND_SECONDS = 5.0
"""Longer between two looks than this, Blender or the whole machine stood still, and silence proves nothing."""


class Watch:
    """When the process started, when it was heard last, when it last brought anything, and what that was."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A process was started now."""
        self._started = self._heard = self._progressed = self._looked = time.monotonic()
        self._gone: float | None = None
        self._what_since = self._started
        self.loading = ""

    def look(self, heard: float) -> None:
        """Note that the process was ``heard`` last then. To be called at each poll."""
        now = time.monotonic()
        blind = now - self._looked
        if blind > _BLIND_SECONDS:
            # Nobody was there to notice: what it owes us counts from now on.
            self._heard, self._progressed = now, self._progressed + blind
        self._heard, self._looked = max(self._heard, heard), now

    def progress(self, event: protocol.Event | None = None) -> None:
        """The process brought something, or something new was asked of it."""
        self._progressed = time.monotonic()
        what = event.what if isinstance(event, protocol.Loading) else ""
        if event is None or what != self.loading:
            self._what_since = self._progressed
        self.loading = what

    def gone_for(self) -> float:
        """Seconds since this was asked first: since the process was seen to be gone."""
        self._gone = self._gone or time.monotonic()
        return time.monotonic() - self._gone

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def silent_seconds(self) -> float:
        """Seconds without any sign of life."""
        return time.monotonic() - self._heard

    @property
    def idle_seconds(self) -> float:
        """Seconds without anything brought."""
        return time.monotonic() - self._progressed

    @property
    def lasting(self) -> float:
        """Seconds that it has been doing the same thing."""
        return time.monotonic() - self._what_since


QUIET_SECONDS = 10.0
"""After so long without a sign of life the artist is told."""


def status_of(
    state: SessionState,
    watch: Watch,
    heartbeat: protocol.Heartbeat | None,
    devices: Sequence[object],
    jobs: int,
    death: str,
    limits: Limits,
) -> str:
    """One sentence for every state but FAILED, with a time wherever the artist waits."""
    quiet = ""
    if state not in (SessionState.STOPPED, SessionState.RESTARTING) and watch.silent_seconds > QUIET_SECONDS:
        quiet = f"; no sign of life for {watch.silent_seconds:.0f} s, ended after {limits.silence:g} s"
    match state:
        case SessionState.STARTING:
            doing = f": {heartbeat.doing}" if heartbeat is not None and heartbeat.doing else ""
            return f"Starting the generator ({watch.age:.0f} s){doing}{quiet}"
        case SessionState.RESTARTING:
            return f"Restarting the generator ({watch.lasting:.0f} s), because {death or 'it stopped'}"
        case SessionState.LOADING:
            return f"{watch.loading} ({watch.lasting:.0f} s){quiet}"
        case SessionState.BUSY:
            return f"{'Working' if jobs == 1 else f'Working, {jobs - 1} more waiting'}{quiet}"
        case SessionState.READY:
            names = [str(device.get("name", "")) for device in devices if isinstance(device, dict)]
            held = heartbeat.loaded if heartbeat is not None else ""
            where = f"Ready on {names[0]}" if names and names[0] else "Ready"
            return f"{where}, {_short(held)} loaded{quiet}" if held else f"{where}{quiet}"
    return "The generator starts with the first job"


def _short(model: str) -> str:
    """A model's name without its folders."""
    return model.replace("\\", "/").rstrip("/").rpartition("/")[2] or model
