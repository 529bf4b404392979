# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns what libraries raise into sentences for the artist; the cause stays attached for the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from generator.progress import CancelledError, GenerationError
from generator.protocol import known_errors
from generator.shortage import forget_frames, is_out_of_memory, trim_heap

ADVICE = "Choose a smaller size, close other programs that use the graphics card, or use a smaller model."


class SpoiltError(Exception):
    """What is computed is no picture: not a number, black, or one plain colour."""


@contextmanager
def explained(kind: str, message: str, advice: str, *, raw_shortage: bool = False) -> Iterator[None]:
    """Whatever goes wrong inside is raised as a `GenerationError` of this ``kind``, or as ``out_of_memory``.

    The first line of the library's own words follows ``message``; where they are known, there is better advice than
    ``advice``. With ``raw_shortage`` a lack of memory goes on as
    it came, for someone further out who can do something about it.
    """
    try:
        yield
    except (CancelledError, GenerationError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            if raw_shortage:
                raise
            forget_frames(error)
            release_memory()
            raise out_of_memory("There is not enough memory for this model.") from error
        words = " ".join(str(error).strip().splitlines()[:1])[:300] or type(error).__name__
        known = known_errors.advice_for(f"{type(error).__name__}: {error}")
        raise GenerationError(kind, f"{message} ({words})", known or advice) from error


def release_memory() -> None:
    """Give unused memory back to the devices and to the system."""
    trim_heap()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        torch.xpu.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def out_of_memory(message: str) -> GenerationError:
    """The one error for too little memory, with what an artist can do about it."""
    return GenerationError("out_of_memory", message, ADVICE)
