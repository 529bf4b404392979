# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the weights of small networks from safetensors files with NumPy alone, trusting nothing in them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from generator.material import FloatArray

FOLDER = Path(__file__).resolve().parents[1] / "weights"
"""Where the networks lie that travel with the product."""

_LARGEST_FILE = 256 << 20
_LARGEST_HEADER = 1 << 20
_MOST_AXES = 8
_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


class WeightsError(ValueError):
    """A file of weights cannot be used; the text is a sentence."""


@dataclass(frozen=True)
class Weights:
    """``tensors`` by name, float32 whatever the file holds, and the file's own ``metadata``."""

    tensors: dict[str, FloatArray]
    metadata: dict[str, str]


def shipped_weights(name: str) -> Path | None:
    """The file of that network in the product, or None in a checkout where it has not been trained."""
    path = FOLDER / f"{name}.safetensors"
    return path if path.is_file() else None


def read_weights(path: Path) -> Weights:
    """All tensors of a safetensors file as float32. Raises `WeightsError`, also where the file cannot be read.

    Every length and offset is checked before anything is allocated by it, and numbers must be finite.
    """
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise WeightsError(f"{path.name} is larger than any weights of ours.")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    return parse_weights(data, path.name)


def parse_weights(data: bytes, name: str = "The file") -> Weights:
    """`read_weights` of bytes; ``name`` is what sentences call them."""
    header, body = _split(data, name)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise WeightsError(f"{name} is damaged: its description of itself is not text.")
    tensors, spans = {}, []
    for key, entry in header.items():
        tensors[key], span = _tensor(key, entry, body, name)
        spans.append(span)
    end = 0
    for start, stop in sorted(spans):
        if start != end:
            raise WeightsError(f"{name} is damaged: its tensors overlap or leave gaps.")
        end = stop
    if end != len(body):
        raise WeightsError(f"{name} is damaged: it is longer or shorter than it says.")
    return Weights(tensors, dict(metadata))


def _split(data: bytes, name: str) -> tuple[dict[str, Any], memoryview]:
    if len(data) < 8:
        raise WeightsError(f"{name} is damaged: it is too short to be a file of weights.")
    length = int.from_bytes(data[:8], "little")
    if length > min(_LARGEST_HEADER, len(data) - 8):
        raise WeightsError(f"{name} is damaged, or no file of weights.")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{name} is damaged: its table of contents cannot be read.") from error
    if not isinstance(header, dict):
        raise WeightsError(f"{name} is damaged: its table of contents is not one.")
    return header, memoryview(data)[8 + length :]


def _tensor(key: str, entry: object, body: memoryview, name: str) -> tuple[FloatArray, tuple[int, int]]:
    damaged = WeightsError(f"{name} is damaged: its entry {key[:60]!r} makes no sense.")
    if not isinstance(entry, dict):
        raise damaged
    kind, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(kind, str) or kind not in _BYTES:
        raise WeightsError(f"{name} holds numbers of a kind that is not read here: {str(kind)[:20]}.")
    if not _whole_numbers(shape) or not _whole_numbers(offsets) or len(offsets) != 2:
        raise damaged
    start, stop = offsets
    if len(shape) > _MOST_AXES or not start <= stop <= len(body):
        raise damaged
    if math.prod(shape) * _BYTES[kind] != stop - start:
        raise damaged
    raw = body[start:stop]
    if kind == "BF16":
        # bfloat16 is the upper half of a float32.
        values = (np.frombuffer(raw, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    else:
        values = np.frombuffer(raw, "<f4" if kind == "F32" else "<f2").astype(np.float32)
    if not np.isfinite(values).all():
        raise WeightsError(f"{name} is damaged: {key[:60]!r} holds values that are no numbers.")
    return values.reshape(shape), (start, stop)


def _whole_numbers(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= _LARGEST_FILE for n in value
    )
