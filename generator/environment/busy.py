# SPDX-License-Identifier: GPL-3.0-or-later
"""One set-up at a time in a folder; the operating system lets go of the lock when its holder ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .faults import Failure

_ORPHAN_SECONDS = 15.0
"""How long the children of a set-up that was killed may take to notice it, and to let go of its lock."""
_TAKEN = (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextmanager
def alone(lock: Path) -> Iterator[int]:
    """Hold ``lock``; gives its descriptor, which children may inherit to hold it as long as they live.

    Raises `Failure` of kind ``busy`` where another holds it. A file system that knows no locks is worked on
    without one.
    """
    # The byte at the far end is locked and not the first, which Windows would then hide from whoever reads the number.
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            _take_from_orphans(descriptor)
        except OSError as error:
            if error.errno in _TAKEN:
                raise Failure(
                    "busy",
                    f"Another set-up is at work in {lock.parent}{_holder(descriptor)}.",
                    "Wait until it is done, or cancel it there.",
                ) from error
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)  # whose number stood there may have been read
        os.write(descriptor, str(os.getpid()).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def _take_from_orphans(descriptor: int) -> None:
    """Take the lock; where only what a dead set-up has left behind holds it, wait until that has ended."""
    until = time.monotonic() + _ORPHAN_SECONDS
    while True:
        try:
            _take(descriptor)
            return
        except OSError as error:
            if error.errno not in _TAKEN or _is_alive(_number(descriptor)) or time.monotonic() > until:
                raise
        time.sleep(0.1)


def _is_alive(number: int | None) -> bool:
    """Whether a process of this number runs; taken for granted where that cannot be asked."""
    if number is None or sys.platform == "win32":
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _take(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(descriptor: int) -> str:
    number = _number(descriptor)
    return "" if number is None else f" (process {number})"


def _number(descriptor: int) -> int | None:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        written = os.read(descriptor, 16).decode().strip()
    except (OSError, ValueError):
        return None
    return int(written) if written.isdigit() and int(written) > 0 else None
