# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancel, from whichever side: a signal, the end of standard input, or the end of this program."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .faults import Failure


class Cancel:
    """A switch that is thrown once; whoever works asks it between two steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def throw(self) -> None:
        """Cancel; more than once does no harm."""
        self._event.set()

    def check(self) -> None:
        """Raise the `Failure` that ends the work, once cancelled."""
        if self._event.is_set():
            raise Failure(
                "cancelled", "The set-up was cancelled.", "What was downloaded is kept for the next time."
            )

    def wait(self, seconds: float) -> None:
        """Sleep, but wake and raise as `check` does once cancelled."""
        self._event.wait(seconds)
        self.check()


@contextmanager
def cancelling(*, watch_stdin: bool = False) -> Iterator[Cancel]:
    """A `Cancel` that SIGINT, SIGTERM and, if asked, the end of standard input throw."""
    cancel = Cancel()

    def stop(_number: int, _frame: FrameType | None) -> None:
        cancel.throw()

    earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    if watch_stdin:
        threading.Thread(target=_watch, args=(cancel,), daemon=True).start()
    try:
        yield cancel
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _watch(cancel: Cancel) -> None:
    # The descriptor and not sys.stdin, whose lock would hold up the interpreter when it ends.
    wait_for_end(sys.stdin.fileno())
    cancel.throw()


def wait_for_end(descriptor: int) -> None:
    """Return when nothing more can come from ``descriptor``."""
    with contextlib.suppress(OSError):
        while os.read(descriptor, 4096):
            pass
