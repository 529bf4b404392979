# SPDX-License-Identifier: GPL-3.0-or-later
"""The torus on which every procedural texture lives: its size, its unit of length, its randomness.

Lengths are in units of the texture's shorter side, whatever the number of pixels. All randomness is a hash of
whole numbers (lattice coordinates, piece numbers), never a stream drawn per pixel, so that the same seed shows
the same material at every size.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray

IntArray = npt.NDArray[np.signedinteger]


def _scramble(value: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """One round of a 32-bit integer hash with full avalanche (C. Wellons, "Hash Prospector", triple-free)."""
    value = value ^ (value >> np.uint32(16))
    value = value * np.uint32(0x7FEB352D)
    value = value ^ (value >> np.uint32(15))
    value = value * np.uint32(0x846CA68B)
    return value ^ (value >> np.uint32(16))


def uniform(seed: int, salt: str, *indices: npt.ArrayLike) -> FloatArray:
    """Hash whole numbers to float32 in [0, 1); the index arrays broadcast against each other."""
    start = np.array([zlib.crc32(f"{seed}:{salt}".encode())], np.uint32)
    value = _scramble(start)
    for index in indices:
        whole = np.asarray(index).astype(np.int64).astype(np.uint32)
        value = _scramble((value ^ (whole * np.uint32(0x9E3779B9))) + np.uint32(0x7F4A7C15))
    return (value >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def _no_pulse() -> None:
    """Nobody waits for signs of life."""


@dataclass(frozen=True)
class Space:
    """A torus of ``width x height`` pixels under one seed.

    ``pulse`` is called by all that takes long, several times a second at any size; what it raises ends the work.
    """

    width: int
    height: int
    seed: int
    pulse: Callable[[], None] = field(default=_no_pulse, compare=False, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def extent(self) -> tuple[float, float]:
        """Length of the x and the y axis in units; the shorter is 1."""
        shorter = min(self.width, self.height)
        return self.width / shorter, self.height / shorter

    @property
    def pixel(self) -> float:
        """One pixel's length in units."""
        return 1.0 / min(self.width, self.height)

    @property
    def x(self) -> FloatArray:
        """``(1, W)`` pixel centres in units."""
        return ((np.arange(self.width, dtype=np.float32) + 0.5) * np.float32(self.pixel))[None, :]

    @property
    def y(self) -> FloatArray:
        """``(H, 1)`` pixel centres in units, growing downwards."""
        return ((np.arange(self.height, dtype=np.float32) + 0.5) * np.float32(self.pixel))[:, None]

    def count(
        self, per_unit: float, vertical: float | None = None, multiple: tuple[int, int] = (1, 1)
    ) -> tuple[int, int]:
        """How many cells fit on the x and y axis at about ``per_unit`` of them per unit, as whole multiples."""

        def fit(length: float, density: float, step: int) -> int:
            return max(1, round(length * density / step)) * step

        across, down = self.extent
        return fit(across, per_unit, multiple[0]), fit(down, vertical or per_unit, multiple[1])

    def random(self, salt: str, *indices: npt.ArrayLike) -> FloatArray:
        """Uniform numbers in [0, 1), one per index tuple."""
        return uniform(self.seed, salt, *indices)

    def each(self, salt: str, count: int) -> FloatArray:
        """``(count,)`` uniform numbers in [0, 1), one for each piece."""
        return uniform(self.seed, salt, np.arange(count))

    def pick(self, salt: str, low: float = 0.0, high: float = 1.0) -> float:
        """One number of the whole texture, uniform in [low, high)."""
        return low + (high - low) * float(uniform(self.seed, salt)[0])

    def choose(self, salt: str, count: int) -> int:
        """One whole number in [0, count)."""
        return min(count - 1, int(self.pick(salt, 0, count)))
