# SPDX-License-Identifier: GPL-3.0-or-later
"""Between pictures and latents: encoding, decoding, starting noise, and a cheap preview.

Pictures are ``(H, W, 3)`` float32, sRGB-encoded, in [0, 1]; latents are ``(B, C, H / 8, W / 8)`` in the units
that the denoiser works in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from generator.material import FloatArray
from generator.torus import wrap

PATCH = 4  # latents along each side of one plain colour, so that most of it sees no other


def starting_noise(generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise, drawn on the CPU in float32 whatever the model runs on."""
    return torch.randn(shape, generator=generator, dtype=torch.float32)


def encode(vae: Any, picture: FloatArray) -> Tensor:
    """The latents of ``picture`` ``(1, C, h, w)``, float32: the mean, since a source is no place for chance."""
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    pixels = (pixels * 2 - 1).to(vae.device, vae.dtype, memory_format=torch.channels_last)
    mean = vae.encode(pixels).latent_dist.mode().float()
    offset, scale = _normalisation(vae, mean)
    return (mean - offset) * scale


def decode(vae: Any, latents: Tensor) -> Tensor:
    """The pictures of ``latents``: ``(B, 3, H, W)``, float32 on the CPU, in [0, 1] and possibly NaN."""
    latents = latents.to(vae.device, torch.float32)
    offset, scale = _normalisation(vae, latents)
    pixels = vae.decode((latents / scale + offset).to(vae.dtype)).sample
    return (pixels.float().cpu() / 2 + 0.5).clamp(0, 1)


def to_picture(pixels: Tensor) -> FloatArray:
    """``(3, H, W)`` as a picture."""
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def is_spoilt(pixels: Tensor) -> bool:
    """Whether the numbers overflowed on the way: not-a-number anywhere, or black everywhere."""
    return not bool(torch.isfinite(pixels).all()) or float(pixels.max()) < 1 / 255


@contextmanager
def in_float32(vae: Any) -> Iterator[None]:
    """While open, ``vae`` computes in float32. Half-precision weights come back exactly as they were."""
    dtype = vae.dtype
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(dtype)


class LatentPreview:
    """Small pictures from latents by the best linear map, fitted to the model's own decoder when first wanted.

    One patchwork of plainly coloured latents is decoded (a tenth of the work of a 512-pixel picture), and the
    colour of each of its places is regressed on the latent there. This needs no table of factors per family.
    """

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._map: tuple[Tensor, Tensor] | None = None

    def __call__(self, latents: Tensor) -> FloatArray:
        """The first of ``latents`` ``(B, C, h, w)`` as an ``(h, w, 3)`` picture."""
        if self._map is None:
            self._map = self._fit(latents.shape[1])
        weights, bias = self._map
        pixels = torch.einsum("chw,cr->rhw", latents[0].float().cpu(), weights) + bias[:, None, None]
        return to_picture(pixels.nan_to_num(0.0).clamp(0, 1))

    def _fit(self, channels: int) -> tuple[Tensor, Tensor]:
        side = math.ceil(2 * math.sqrt(channels + 1))  # four patches for each unknown
        generator = torch.Generator("cpu").manual_seed(0)
        patches = starting_noise(generator, (1, channels, side, side))
        # In one picture, not one by one: the decoder's normalisation takes its measure from all of them.
        latents = patches.repeat_interleave(PATCH, -1).repeat_interleave(PATCH, -2)
        with torch.no_grad(), wrap(self._vae):
            colours = F.adaptive_avg_pool2d(
                decode(self._vae, latents), (latents.shape[-2], latents.shape[-1])
            )
        inputs = torch.cat([latents, torch.ones_like(latents[:, :1])], dim=1).flatten(2)[0].T
        solution = torch.linalg.lstsq(inputs, colours.nan_to_num(0.5).flatten(2)[0].T).solution
        return solution[:-1], solution[-1]


def _normalisation(vae: Any, like: Tensor) -> tuple[Tensor | float, Tensor | float]:
    """``(offset, scale)``: the denoiser's latents are ``(encoded - offset) * scale``."""
    scale = float(vae.config.scaling_factor)
    mean, deviation = vae.config.get("latents_mean"), vae.config.get("latents_std")
    if mean is None or deviation is None:
        return float(vae.config.get("shift_factor") or 0.0), scale
    view = (1, -1, 1, 1)
    return like.new_tensor(mean).view(view), scale / like.new_tensor(deviation).view(view)
