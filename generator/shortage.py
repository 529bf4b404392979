# SPDX-License-Identifier: GPL-3.0-or-later
"""Running out of memory: how each library says it, and what gives memory back. Needs no torch."""

from __future__ import annotations

import ctypes
import errno
import gc
import sys
import traceback
from collections.abc import Iterator

_WORDS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad alloc",  # C++, where torch passes on what a library threw
    "failed to map segment",  # a library that is first needed now
    "could not create a primitive",  # oneDNN, which says no more; and those two as well
    "could not execute a primitive",
    "could not create a memory",
    "alloc failed",  # CUBLAS_STATUS_ALLOC_FAILED, CUDNN_STATUS_ALLOC_FAILED
    "out of device memory",  # Level Zero, behind torch.xpu
    "out of host memory",
    "out of resources",
    "invalid buffer size",  # MPS, for one tensor larger than Metal allows
    "can't start new thread",  # no room for its stack
)

_M_ARENA_MAX = -8  # malloc.h


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error``, or what it was raised for, is a failed allocation.

    torch's backends and safetensors say it in words alone, and diffusers wraps what they say in something else.
    """
    return any(_says_so(cause) for cause in _chain(error))


def forget_frames(error: BaseException) -> None:
    """Let go of what the calls that ``error`` came through still hold: the arrays that filled the memory."""
    for cause in _chain(error):
        traceback.clear_frames(cause.__traceback__)


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    text = str(error).lower().replace("_", " ")
    return isinstance(error, Exception) and any(words in text for words in _WORDS)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def share_one_heap() -> None:
    """Let threads that begin from now on use the heap of the whole process, where glibc would give each its own.

    `trim_heap` cannot give back what is free at the end of such a heap: up to 64 MB of a model that is gone.
    """
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            set_option(_M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Collect what is unused, and hand free pages back to the system: glibc keeps them for itself otherwise."""
    gc.collect()
    if sys.platform == "linux":
        # Other C libraries have no such call, and need none.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
