# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's autoencoder as the product uses it: in tiles where memory is short, wider where numbers overflow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from generator.material import FloatArray
from generator.progress import Progress
from generator.shortage import forget_frames, is_out_of_memory
from generator.torus.tiles import Tiles, tiled

from .failures import release_memory
from .latents import Coder, Way, decode, encode, in_float32, in_one_piece, is_spoilt, pixels_per_latent
from .memory import smallest_tiles, sparing_tiles, tiles_for

Axes = tuple[bool, bool]


class Codec:
    """Between pictures and latents, on a torus; to be called with the autoencoder wrapped along ``axes`` (x, y).

    ``sparing`` asks for small tiles; it is set here when memory runs out.
    """

    def __init__(self, vae: Any, device: torch.device) -> None:
        self.sparing = False
        self.vae = vae
        self.factor = pixels_per_latent(vae)
        self._device = device
        self.running: Callable[[], AbstractContextManager[None]] = nullcontext
        """Opened around all decoding: what makes the decoder faster."""

        self.give_way: Callable[[], bool] = lambda: False
        """Asked for memory first; whether that gave any."""

    def encode(self, picture: FloatArray, axes: Axes, progress: Progress) -> Tensor:
        """The latents ``(1, C, h, w)`` of a picture ``(H, W, 3)``, float32; again in float32 where they overflow."""

        def attempt(way: Way) -> Tensor:
            return encode(self.vae, picture, way)

        rows, columns = (length // self.factor for length in picture.shape[:2])
        latents = self._sparing(attempt, rows, columns, axes, progress)
        if not torch.isfinite(latents).all() and self.vae.dtype != torch.float32:
            with in_float32(self.vae):
                latents = self._sparing(attempt, rows, columns, axes, progress)
        return latents

    def decode(self, latents: Tensor, axes: Axes, progress: Progress) -> Tensor:
        """The pixels ``(1, 3, H, W)``; once more in float32 where only the decoder has overflowed."""

        def attempt(way: Way) -> Tensor:
            with self.running():
                return decode(self.vae, latents, way)

        rows, columns = latents.shape[-2:]
        pixels = self._sparing(attempt, rows, columns, axes, progress)
        if is_spoilt(pixels) and self.vae.dtype != torch.float32 and bool(torch.isfinite(latents).all()):
            progress.notice("The decoder overflowed in half precision; the image was decoded again in fp32.")
            with in_float32(self.vae):
                pixels = self._sparing(attempt, rows, columns, axes, progress)
        return pixels

    def _sparing(self, attempt: Any, rows: int, columns: int, axes: Axes, progress: Progress) -> Tensor:
        """In one piece or in tiles, as the device's memory allows; in ever smaller ones where it turns out short."""
        small, smallest = sparing_tiles(self.factor, rows, columns), smallest_tiles(self.factor)
        tiles = tiles_for(self.vae, self.factor, rows, columns, self._device, self.vae.dtype)
        if self.sparing:
            tiles = small
        elif tiles is not None:
            progress.notice(
                f"The image is larger than this device's memory takes at once, so it was put together from tiles of "
                f"{tiles.side * self.factor} pixels."
            )
        while True:
            try:
                return attempt(in_one_piece if tiles is None else _in_tiles(tiles, axes, progress))
            except Exception as error:
                if not is_out_of_memory(error) or tiles == smallest or max(rows, columns) <= smallest.side:
                    raise
                forget_frames(error)
            gave = self.give_way()
            release_memory()
            if gave:
                continue
            self.sparing = True
            tiles = small if tiles is None or tiles.side > small.side else smallest


def _in_tiles(tiles: Tiles, axes: Axes, progress: Progress) -> Way:
    def way(coder: Coder, image: Tensor, cells: tuple[int, int]) -> Tensor:
        return tiled(coder, image, tiles, cells, *axes, check=progress.check)

    return way
