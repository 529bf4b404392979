# SPDX-License-Identifier: GPL-3.0-or-later
"""How libraries say that memory has run out, and what is something else."""

from __future__ import annotations

import errno

import pytest

from generator.shortage import is_out_of_memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive descriptor for a convolution"),
        ImportError("libsomething.so: failed to map segment from shared object"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: str(error)[:24],
)
def test_every_library_has_its_own_words(error: Exception) -> None:
    assert is_out_of_memory(error)
    try:
        raise ValueError("The model cannot be read.") from error
    except ValueError as told:
        assert is_out_of_memory(told)


@pytest.mark.parametrize("error", [ValueError("mat1 and mat2 shapes"), ImportError("No module named 'x'")])
def test_other_mistakes_are_not_a_shortage(error: Exception) -> None:
    assert not is_out_of_memory(error)
