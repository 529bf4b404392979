# SPDX-License-Identifier: GPL-3.0-or-later
"""Running out of memory: how each library says it, and what gives memory back. Needs no torch."""

from __future__ import annotations

import ctypes
import gc
import sys
import traceback

_WORDS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "alloc failed",  # CUBLAS_STATUS_ALLOC_FAILED, CUDNN_STATUS_ALLOC_FAILED
    "out of device memory",  # Level Zero, behind torch.xpu
    "out of host memory",
    "out of resources",
    "invalid buffer size",  # MPS, for one tensor larger than Metal allows
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` is a failed allocation. torch's backends raise a ``RuntimeError`` and say it in words."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower().replace("_", " ")
    return isinstance(error, RuntimeError) and any(words in text for words in _WORDS)


def forget_frames(error: BaseException | None) -> None:
    """Let go of what the calls that ``error`` came through still hold: the arrays that filled the memory."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def trim_heap() -> None:
    """Collect what is unused, and hand free pages back to the system: glibc keeps them for itself otherwise."""
    gc.collect()
    if sys.platform == "linux":
        # Other C libraries have no such call, and need none.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
