# SPDX-License-Identifier: GPL-3.0-or-later
"""What the upscaler is to come close to: the picture itself, and how strong each frequency is in it."""

from __future__ import annotations

import torch
from torch import Tensor

SPECTRAL = 0.05
"""What the spectrum counts beside the picture. More gives sharper textures with a lower PSNR."""


def losses(made: Tensor, truth: Tensor, margin: int = 0, spectral: float = SPECTRAL) -> dict[str, Tensor]:
    """L1 of the pixels and of the amplitudes of ``(B, C, H, W)``; ``margin`` pixels at the border do not count."""
    if margin:
        inner = slice(margin, -margin)
        made, truth = made[..., inner, inner], truth[..., inner, inner]
    amplitudes = [torch.fft.rfft2(picture.float(), norm="ortho").abs() for picture in (made, truth)]
    return {
        "pixels": (made - truth).abs().mean(),
        "spectrum": spectral * (amplitudes[0] - amplitudes[1]).abs().mean(),
    }
