# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks of our kind with random weights, and files of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from generator.upscaling.compact import Shape, sizes


def random_weights(shape: Shape, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights that change a picture visibly and stay near it."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, size in sizes(shape).items():
        if len(size) == 4:
            made[name] = rng.normal(0, 0.6 / np.sqrt(np.prod(size[1:])), size).astype(np.float32)
        else:
            made[name] = rng.uniform(0, 0.1, size).astype(np.float32)
    return made


def write_weights(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A safetensors file, written as the format says: a header in JSON, then the numbers."""
    header, body = {}, b""
    for name, values in tensors.items():
        data = np.ascontiguousarray(values, "<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def network_file(path: Path, channels: int, scale: int, seed: int = 0) -> Path:
    """A file of a small network."""
    return write_weights(path, random_weights(Shape(channels, 8, 4, scale), seed))


class Quiet:
    """A job's progress that remembers what it was told."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.notices: list[str] = []
        self.steps: list[int] = []
        self._cancel_at, self._asked = cancel_at, 0

    def check(self) -> None:
        from generator.progress import CancelledError

        self._asked += 1
        if self._cancel_at is not None and self._asked > self._cancel_at:
            raise CancelledError

    def loading(self, what: str, fraction: float | None = None) -> None:
        self.check()

    def step(self, index: int, step: int, steps: int, preview: object = None, together: int = 1) -> None:
        self.check()
        self.steps.append(step)

    def notice(self, message: str) -> None:
        self.notices.append(message)
