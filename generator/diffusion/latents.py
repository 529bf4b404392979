# SPDX-License-Identifier: GPL-3.0-or-later
"""Between pictures and latents: encoding, decoding and starting noise.

Pictures are ``(H, W, 3)`` float32, sRGB-encoded, in [0, 1]; latents are ``(B, C, h, w)`` in the units that the
denoiser works in, for every kind of autoencoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generator.material import FloatArray

from .placing import runs_on

Coder = Callable[[Tensor], Tensor]
Way = Callable[[Coder, Tensor, tuple[int, int]], Tensor]
"""How an image goes through a coder: in one piece, or in tiles; the pair is a cell's length before and after."""


def in_one_piece(coder: Coder, image: Tensor, _cells: tuple[int, int]) -> Tensor:
    """The plain `Way`."""
    return coder(image)


def starting_noise(generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise, drawn on the CPU in float32 whatever the model runs on."""
    return torch.randn(shape, generator=generator, dtype=torch.float32)


def channels(vae: Any) -> int:
    """How many channels the latents of ``vae`` have."""
    return int(vae.config.get("latent_channels") or vae.config["z_dim"])


def pixels_per_latent(vae: Any) -> int:
    """The side in pixels of what becomes one latent."""
    config = vae.config
    if config.get("z_dim"):  # Wan and Qwen-Image: halved once at each level but one
        return int(2 ** len(config["dim_mult"][1:])) * int(config.get("patch_size") or 1)
    return int(2 ** (len(config.get("block_out_channels") or config["encoder_block_out_channels"]) - 1))


def encode(vae: Any, picture: FloatArray, way: Way = in_one_piece) -> Tensor:
    """The latents of ``picture`` ``(1, C, h, w)``, float32: the mean, since a source is no place for chance."""
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    pixels = (pixels * 2 - 1).to(runs_on(vae), vae.dtype, memory_format=torch.channels_last)
    mean = way(lambda part: encoded(vae, part), pixels, (pixels_per_latent(vae), 1)).float()
    offset, scale = _normalisation(vae, mean)
    return (mean - offset) * scale


def decode(vae: Any, latents: Tensor, way: Way = in_one_piece) -> Tensor:
    """The pictures of ``latents``: ``(B, 3, H, W)``, float32 on the CPU, in [0, 1] and possibly NaN."""
    latents = latents.to(runs_on(vae), torch.float32)
    offset, scale = _normalisation(vae, latents)
    raw = (latents / scale + offset).to(vae.dtype)
    pixels = way(lambda part: decoded(vae, part), raw, (1, pixels_per_latent(vae)))
    return (pixels.float().cpu() / 2 + 0.5).clamp(0, 1)


def encoded(vae: Any, pixels: Tensor) -> Tensor:
    """What the encoder makes of pixels ``(B, 3, H, W)`` in [-1, 1], in the autoencoder's own units."""
    made = vae.encode(pixels.unsqueeze(2) if _of_films(vae) else pixels)
    # Autoencoders without a distribution give the latents themselves, under either name.
    latents = made.latent_dist.mode() if hasattr(made, "latent_dist") else made[0]
    return latents.squeeze(2) if _of_films(vae) else latents


def decoded(vae: Any, latents: Tensor) -> Tensor:
    """What the decoder makes of latents in the autoencoder's own units: ``(B, 3, H, W)`` in [-1, 1]."""
    pixels = vae.decode(latents.unsqueeze(2) if _of_films(vae) else latents).sample
    return pixels.squeeze(2) if _of_films(vae) else pixels


def _of_films(vae: Any) -> bool:
    """Whether ``vae`` was made for moving pictures: one picture is a film of one frame."""
    return bool(vae.config.get("z_dim"))


def to_picture(pixels: Tensor) -> FloatArray:
    """``(3, H, W)`` as a picture."""
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def is_spoilt(pixels: Tensor) -> bool:
    """Whether the numbers overflowed on the way: not-a-number anywhere, or black everywhere."""
    return not bool(torch.isfinite(pixels).all()) or float(pixels.max()) < 1 / 255


def is_plain(pixels: Tensor) -> bool:
    """Whether all of ``(B, 3, H, W)`` is one colour, as overflows in half precision also end."""
    return bool((pixels.amax((-2, -1)) - pixels.amin((-2, -1)) < 1 / 255).all())


@contextmanager
def in_float32(vae: Any) -> Iterator[None]:
    """While open, ``vae`` computes in float32. Half-precision weights come back exactly as they were."""
    dtype = vae.dtype
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(dtype)


def _normalisation(vae: Any, like: Tensor) -> tuple[Tensor | float, Tensor | float]:
    """``(offset, scale)``: the denoiser's latents are ``(encoded - offset) * scale``."""
    scale = float(vae.config.get("scaling_factor") or 1.0)
    mean, deviation = vae.config.get("latents_mean"), vae.config.get("latents_std")
    if mean is None or deviation is None:
        return float(vae.config.get("shift_factor") or 0.0), scale
    view = (1, -1, 1, 1)
    return like.new_tensor(mean).view(view), scale / like.new_tensor(deviation).view(view)
