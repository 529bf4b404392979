# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's sign of life, from a thread of its own, and its end when Blender is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from generator.protocol import HEARTBEAT_SECONDS, Heartbeat

_PR_SET_PDEATHSIG = 1


class Pulse:
    """Sends a `Heartbeat` every second through ``emit``, from `start` until `stop`.

    The thread needs Python's global lock, so that it falls silent where the whole process hangs: that is the point.
    """

    def __init__(self, emit: Callable[[Heartbeat], None]) -> None:
        self._emit = emit
        self._stopped = threading.Event()
        self._job = self._loaded = self._doing = ""
        self._progressed = time.monotonic()

    def start(self) -> None:
        """Send the first one now."""
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def doing(self, what: str) -> None:
        """What keeps the generator from saying `Hello`; empty once it has."""
        self._doing = what

    def progress(self) -> None:
        """The running job has brought something."""
        self._progressed = time.monotonic()

    def job(self, name: str) -> None:
        """Which job runs from now on; empty for none."""
        self._job = name
        self.progress()

    def loaded(self, model: str) -> None:
        """Which model is kept warm from now on."""
        self._loaded = model

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()

    def _beat(self) -> None:
        while not self._stopped.is_set():
            seconds = round(time.monotonic() - self._progressed, 1)
            self._emit(Heartbeat(self._job, seconds, resident_bytes(), self._loaded, self._doing))
            self._stopped.wait(HEARTBEAT_SECONDS)


def resident_bytes() -> int:
    """The main memory that this process holds, 0 where that cannot be found out."""
    try:
        import psutil
    except ImportError:
        return _resident_on_linux()
    return psutil.Process().memory_info().rss


def _resident_on_linux() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read every second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0


def die_with_parent() -> None:
    """Have Linux end this process with the one that started it, though it may hang where no Python runs.

    Elsewhere the end of stdin does that, and on Windows the job object that the add-on puts us into.
    """
    if sys.platform != "linux":
        return
    import ctypes

    parent = os.getppid()
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return  # a C library without it: the end of stdin must do
    if os.getppid() != parent:
        os._exit(0)  # it died in between
