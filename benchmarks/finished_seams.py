# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam of finished pictures of models that have positions, where the law cannot be exact.

Random weights draw noise, which has no seam. So each small transformer is first trained on the spot to denoise crops
of smooth random fields, which do not tile: it has learnt to draw pictures that do not. Then it draws some, as it is
and on the torus. The seam is measured in the four channels of the latents: a wrapped decoder adds none, and one with
random weights would only draw a grid over it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from small_transformers import CHANNELS, Denoiser
from torch import Tensor

from generator.material import FloatArray
from generator.torus import on_torus

SIZE = 32  # latents
PATCH = 2
STEPS = 16  # of sampling
BATCH = 8


@dataclass(frozen=True)
class Seam:
    """The seam ratio at the border over that at other lines where patches meet: mean and spread over pictures and
    axes. 1 means that nothing tells the border from them."""

    mean: float
    spread: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.spread:.2f}"


def train(denoiser: Denoiser, steps: int) -> None:
    """Flow matching (Lipman et al. 2023, the loss of Flux and SD3) on crops of smooth fields, in float32."""
    generator = torch.Generator().manual_seed(0)
    model = denoiser.module.float().requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    with torch.enable_grad():
        for _ in range(steps):
            clean = crops(BATCH, generator)
            noise, times = (
                torch.randn(clean.shape, generator=generator),
                torch.rand(BATCH, generator=generator),
            )
            mixed = torch.lerp(clean, noise, times[:, None, None, None])
            loss = (denoiser.call(mixed, times) - (noise - clean)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    model.requires_grad_(False)


def crops(count: int, generator: torch.Generator) -> Tensor:
    """``(count, 4, 32, 32)`` fields of mean 0 and deviation 1, cut from larger ones whose amplitudes fall as k^-2."""
    size = 2 * SIZE
    wave_number = size * torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None, :])
    wave_number[0, 0] = 1.0
    spectrum = torch.fft.rfft2(torch.randn(count, CHANNELS, size, size, generator=generator))
    fields = torch.fft.irfft2(spectrum / wave_number**2, (size, size))[..., :SIZE, :SIZE]
    fields = fields - fields.mean((-1, -2), keepdim=True)
    return fields / fields.std((-1, -2), keepdim=True)


def finished_seam(denoiser: Denoiser, seeds: range, periodic: bool) -> Seam:
    """The seams of what a trained ``denoiser`` draws, some pictures a seed."""
    found = [seam_ratios(image) for seed in seeds for image in pictures(denoiser, seed, periodic)]
    return Seam(float(np.mean(found)), float(np.std(found)))


def seam_ratios(image: FloatArray) -> tuple[float, float]:
    """Along x and y, for a picture ``(H, W, C)``: what `generator.seams` calls the ratio, of jumps between patches
    alone."""
    jumps = [np.abs(image - np.roll(image, 1, axis)).mean(axis=(1 - axis, 2))[::PATCH] for axis in (1, 0)]
    x, y = (float(jump[0] / jump[1:].mean()) for jump in jumps)
    return x, y


def pictures(denoiser: Denoiser, seed: int, periodic: bool) -> list[FloatArray]:
    """A batch of pictures ``(32, 32, 4)`` about 0.5, from Euler steps."""
    generator = torch.Generator().manual_seed(1000 + seed)
    latents = torch.randn(BATCH, CHANNELS, SIZE, SIZE, generator=generator)
    torus: AbstractContextManager[None] = nullcontext()
    if periodic:
        torus = on_torus([denoiser.module], (SIZE, SIZE), seed)
    with torch.no_grad(), torus:
        for step in range(STEPS, 0, -1):
            latents = latents - denoiser.call(latents, torch.full((BATCH,), step / STEPS)) / STEPS
    return [(0.5 + picture.permute(1, 2, 0) / 8).numpy() for picture in latents]
