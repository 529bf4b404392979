# SPDX-License-Identifier: GPL-3.0-or-later
"""One set-up at a time in a folder; the operating system lets go of the lock when its holder ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .faults import Failure

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
            _take(descriptor)
        except OSError as error:
            if error.errno in _TAKEN:
                raise Failure(
                    "busy",
                    f"Another set-up is at work in {lock.parent}{_holder(descriptor)}.",
                    "Wait until it is done, or cancel it there.",
                ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield descriptor
    finally:
        os.close(descriptor)


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
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        number = os.read(descriptor, 32).decode().strip()
    except (OSError, ValueError):
        return ""
    return f" (process {number})" if number.isdigit() else ""
