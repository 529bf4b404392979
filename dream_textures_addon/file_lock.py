# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock on a file that the operating system takes away when its process ends, however that happens."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_BUSY = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK})
_RETRY_SECONDS = 0.05


class FileLock:
    """Holds a file. Nobody else, in this process or another, can hold it meanwhile."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> FileLock | None:
        """The lock, with the file made where there was none; None where it is held. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if sys.platform == "win32":
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in _BUSY:
                return None
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Let go."""
        os.close(self._descriptor)


@contextlib.contextmanager
def held(path: Path, seconds: float) -> Iterator[None]:
    """Hold a file for a moment. Raises OSError where it is not free within so many seconds."""
    until = time.monotonic() + seconds
    while (lock := FileLock.take(path)) is None:
        if time.monotonic() > until:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))
        time.sleep(_RETRY_SECONDS)
    try:
        yield
    finally:
        lock.release()
