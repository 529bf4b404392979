# SPDX-License-Identifier: GPL-3.0-or-later
"""No child outlives the set-up, even where the set-up itself is killed and can end nothing any more."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

_WRAPPER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Linux: asks for SIGKILL when the parent ends (PR_SET_PDEATHSIG), then becomes the program."""


def leashed(command: Sequence[str]) -> list[str]:
    """The command line that runs ``command``, whose first word is a path, on a leash where that takes a wrapper."""
    if sys.platform == "linux":
        return [sys.executable, "-I", "-S", "-c", _WRAPPER, str(os.getpid()), *command]
    if sys.platform == "win32":
        _join_job()
    return list(command)


def _join_job() -> None:  # pragma: no cover (Windows)
    """Windows: put this process into a job that ends all of its members with the last handle to it."""
    global _job
    if _job is not None or sys.platform != "win32":
        return
    import ctypes
    from ctypes import wintypes

    class Limits(ctypes.Structure):
        _fields_ = [
            ("times", ctypes.c_int64 * 2),
            ("flags", wintypes.DWORD),
            ("sizes", ctypes.c_size_t * 2),
            ("processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("classes", wintypes.DWORD * 2),
            ("counters", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        ]

    kill_on_close, extended_limits = 0x2000, 9
    with contextlib.suppress(OSError, AttributeError):
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        job = kernel.CreateJobObjectW(None, None)
        limits = Limits(flags=kill_on_close)
        set_up = kernel.SetInformationJobObject(
            wintypes.HANDLE(job), extended_limits, ctypes.byref(limits), ctypes.sizeof(limits)
        )
        if set_up and kernel.AssignProcessToJobObject(
            wintypes.HANDLE(job), wintypes.HANDLE(kernel.GetCurrentProcess())
        ):
            _job = job


_job: int | None = None
