# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs to learn from: a part of a material's map, and what is left of it when it is made smaller."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from generator.upscaling.methods import COLOUR, DATA
from training.dataset import Materials, Sample
from training.upscaler.degrading import KERNELS, as_stored, compressed, shrink

KINDS = (COLOUR, DATA)
PLANES = ("normal x", "normal y", "roughness", "height", "ao", "metallic")
_SHARES = (0.2, 0.2, 0.2, 0.2, 0.14, 0.06)
_JPEG_SHARE, _FINE_SHARE = 0.25, 0.3
_TRIES = 8


def plane(sample: Sample, name: str) -> np.ndarray:
    """One channel of a material's maps, ``(H, W)`` in [0, 1]; see `PLANES`."""
    key, _, axis = name.partition(" ")
    levels = sample.maps[key]
    field = levels[..., "xy".index(axis)] if axis else levels
    return np.asarray(field, np.float32) / np.float32(np.iinfo(levels.dtype).max)


def colours(sample: Sample) -> np.ndarray:
    """``(3, H, W)`` in [0, 1]."""
    return np.moveaxis(np.asarray(sample.maps["basecolor"], np.float32) / 255, 2, 0)


class Draw:
    """Batch ``n`` depends on the seed and ``n`` alone."""

    def __init__(self, materials: Materials, kind: str, factor: int, seed: int) -> None:
        if kind not in KINDS:
            raise ValueError(f"There is no kind {kind!r}; choose from {', '.join(KINDS)}.")
        self._materials, self._kind, self._factor, self._seed = materials, kind, factor, seed

    def batch(self, number: int, count: int, side: int) -> tuple[Tensor, Tensor]:
        """Small pictures ``(B, C, side, side)`` and the large ones that they were made of.

        Parts of a torus: where the material has the large size they are whole tori, else the outermost pixels of
        the small one have neighbours that the network does not see.
        """
        rng = np.random.default_rng([self._seed, number])
        large = side * self._factor
        truth = torch.from_numpy(np.stack([self._one(rng) for _ in range(count)]))
        small = torch.cat([self._shrunk(picture[None], rng) for picture in truth])
        return small[..., :side, :side].contiguous(), truth[..., :large, :large].contiguous()

    def _one(self, rng: np.random.Generator) -> np.ndarray:
        """A map, rolled, turned and mirrored at random: a part of it from the corner is any part of it."""
        picture = self._picture(rng)
        picture = np.roll(picture, tuple(rng.integers(0, picture.shape[-1], 2)), (-2, -1))
        picture = np.rot90(picture, int(rng.integers(4)), (-2, -1))
        return np.ascontiguousarray(picture[..., ::-1] if rng.random() < 0.5 else picture)

    def _picture(self, rng: np.random.Generator) -> np.ndarray:
        picture = np.zeros((1, 1, 1), np.float32)
        for _ in range(_TRIES):
            sample = self._materials[int(rng.integers(len(self._materials)))]
            if self._kind == COLOUR:
                return colours(sample)
            picture = plane(sample, str(rng.choice(PLANES, p=_SHARES)))[None]
            if np.ptp(picture) > 0.02:  # what is even teaches nothing
                break
        # Upside down it is as good a map, and a network that learns both treats both slopes of a normal alike.
        return 1 - picture if rng.random() < 0.5 else picture

    def _shrunk(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        small = shrink(picture, self._factor, str(rng.choice(KERNELS)))
        if self._kind == DATA:
            return as_stored(small, 65535 if rng.random() < _FINE_SHARE else 255)
        small = as_stored(small)
        return compressed(small, int(rng.integers(70, 97))) if rng.random() < _JPEG_SHARE else small
