# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of weights: what safetensors writes is read to the bit, and no damaged file gets through."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.networks import WeightsError, read_weights
from generator.networks.weights import parse_weights


def _file(header: dict, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _entry(kind: str = "F32", shape: tuple = (2,), offsets: tuple = (0, 8)) -> dict:
    return {"dtype": kind, "shape": list(shape), "data_offsets": list(offsets)}


GOOD = _file({"a": _entry(), "__metadata__": {"of": "a test"}}, np.float32([1, 2]).tobytes())


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_what_safetensors_writes_is_read_to_the_bit(tmp_path: Path, kind: str) -> None:
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    dtype = getattr(torch, kind)
    tensors = {"a.weight": torch.randn(3, 2, 3, 3).to(dtype), "b": torch.randn(5).to(dtype)}
    save_file(tensors, tmp_path / "w.safetensors", {"trained": "here"})
    read = read_weights(tmp_path / "w.safetensors")
    assert read.metadata == {"trained": "here"}
    assert set(read.tensors) == set(tensors)
    for name, tensor in tensors.items():
        assert read.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(read.tensors[name], tensor.float().numpy())


DAMAGED = {
    "empty": b"",
    "short": b"\x10\0\0",
    "longer than the file": (1 << 60).to_bytes(8, "little") + b"{}",
    "no JSON": (4).to_bytes(8, "little") + b"nono",
    "deep": (60_000).to_bytes(8, "little") + b"[" * 60_000,
    "a list": (2).to_bytes(8, "little") + b"[]",
    "no entry": _file({"a": 3}),
    "an unknown kind": _file({"a": _entry("I64", (1,))}, bytes(8)),
    "a kind that is none": _file({"a": {**_entry(), "dtype": ["F32"]}}, bytes(8)),
    "a wrong shape": _file({"a": _entry(shape=(3,))}, bytes(8)),
    "a negative shape": _file({"a": _entry(shape=(-1, -2))}, bytes(8)),
    "a huge shape": _file({"a": _entry(shape=(1 << 40, 1 << 40))}, bytes(8)),
    "a shape of truths": _file({"a": _entry(shape=(True, 2))}, bytes(8)),
    "beyond the end": _file({"a": _entry(offsets=(8, 16))}, bytes(8)),
    "backwards": _file({"a": _entry(shape=(0,), offsets=(8, 0))}, bytes(8)),
    "three offsets": _file({"a": _entry(offsets=(0, 8, 8))}, bytes(8)),
    "overlapping": _file({"a": _entry(), "b": _entry(offsets=(4, 12))}, bytes(12)),
    "a gap": _file({"a": _entry(), "b": _entry(offsets=(12, 20))}, bytes(20)),
    "too long": _file({"a": _entry()}, bytes(12)),
    "not a number": _file({"a": _entry()}, np.float32([np.nan, 0]).tobytes()),
    "infinite": _file({"a": _entry("F16", (4,))}, np.float16([np.inf, 0, 0, 0]).tobytes()),
    "odd metadata": _file({"a": _entry(), "__metadata__": {"x": 1}}, bytes(8)),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "maps.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"maps\.safetensors .*\.$"):
        read_weights(path)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        read_weights(tmp_path / "none.safetensors")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_whatever_bytes_change_nothing_but_a_sentence_comes_out(changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    try:
        read = parse_weights(bytes(data))
    except WeightsError:
        return
    assert sum(tensor.nbytes for tensor in read.tensors.values()) <= 2 * len(GOOD)
