# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what libraries raise into sentences for the artist; the cause stays attached for the report."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from generator.progress import CancelledError, GenerationError


@contextmanager
def explained(kind: str, message: str, advice: str) -> Iterator[None]:
    """Whatever goes wrong inside is raised as a `GenerationError` of this ``kind``, or as ``out_of_memory``.

    The first line of the library's own words follows ``message``.
    """
    try:
        yield
    except (CancelledError, GenerationError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise _out_of_memory(error) from error
        words = " ".join(str(error).strip().splitlines()[:1])[:300] or type(error).__name__
        raise GenerationError(kind, f"{message} ({words})", advice) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` is a failed allocation. Each of torch's backends says it in its own way."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def release_memory() -> None:
    """Give unused memory back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        torch.xpu.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _out_of_memory(error: BaseException) -> GenerationError:
    # The frames that the error came through still hold the tensors that filled the memory.
    traceback.clear_frames(error.__traceback__)
    release_memory()
    return GenerationError(
        "out_of_memory",
        "There is not enough memory for this model at this size.",
        "Choose a smaller size, close other programs that use the graphics card, or use a smaller model.",
    )
