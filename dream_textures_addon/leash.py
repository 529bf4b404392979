# SPDX-License-Identifier: GPL-3.0-or-later
"""On Windows: a job object that ends the generator with Blender, whatever either of them hangs in.

Linux has the same by the generator's own doing (``PR_SET_PDEATHSIG``); on macOS the end of stdin must do.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from typing import Any

_KILL_ON_JOB_CLOSE = 0x2000
_EXTENDED_LIMIT_INFORMATION = 9


class _BasicLimits(ctypes.Structure):
    # JOBOBJECT_BASIC_LIMIT_INFORMATION
    _fields_ = [
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    ]


class _Limits(ctypes.Structure):
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION
    _fields_ = [
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    ]


class Leash:
    """Holds the job object; the system closes it with Blender, however that ends."""

    def __init__(self, kernel: Any, handle: int) -> None:
        self._kernel, self._handle = kernel, handle

    def __del__(self) -> None:
        self._kernel.CloseHandle(ctypes.c_void_p(self._handle))


def put_on_leash(process: subprocess.Popen) -> Leash | None:
    """Have the system end ``process`` when the result is gone; None where it cannot, which is no reason to stop."""
    if sys.platform != "win32":
        return None
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    handle = kernel.CreateJobObjectW(None, None)
    if not handle:
        return None
    leash = Leash(kernel, handle)
    limits = _Limits()
    limits.BasicLimitInformation.LimitFlags = _KILL_ON_JOB_CLOSE
    made = kernel.SetInformationJobObject(
        ctypes.c_void_p(handle), _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
    )
    held = made and kernel.AssignProcessToJobObject(
        ctypes.c_void_p(handle), ctypes.c_void_p(int(process._handle))
    )
    return leash if held else None
