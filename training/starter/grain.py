# SPDX-License-Identifier: GPL-3.0-or-later
"""How far two pictures are apart for the eye: in every band of detail, and in the energy of their grain.

All of it is periodic, and none of it needs a network that somebody has trained on somebody's pictures.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BANDS = (2.0, 1.5, 1.0, 1.0)
"""Weights of the bands of detail, the finest first; what is left below them counts 1."""

_WINDOW = 16
"""Pixels a side of the windows in which grain is compared."""


def bands_apart(seen: Tensor, true: Tensor) -> Tensor:
    """The mean difference in each octave of detail (a Laplacian pyramid), weighted; pictures ``(B, 3, H, W)``."""
    difference = seen - true
    total = difference.new_zeros(())
    for weight in _BANDS:
        if min(difference.shape[-2:]) < 4:
            break
        coarse = F.avg_pool2d(difference, 2)
        fine = difference - coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
        total = total + weight * fine.abs().mean()
        difference = coarse
    return total + difference.abs().mean()


def grain_apart(seen: Tensor, true: Tensor) -> Tensor:
    """How far the amplitudes of all frequencies in small windows differ, whatever their phases.

    Fine grain cannot be stored in a few latents, but how much of it there is, of what size and in which direction,
    can: then the decoder makes up the rest, and does not blur it away.
    """
    return (_amplitudes(seen) - _amplitudes(true)).abs().mean()


def _amplitudes(pixels: Tensor) -> Tensor:
    """Square roots of the amplitudes, so that faint grain counts beside strong edges."""
    count, channels, rows, columns = pixels.shape
    side = min(_WINDOW, rows, columns)
    windows = pixels.reshape(count, channels, rows // side, side, columns // side, side).transpose(3, 4)
    bell = torch.hann_window(side, periodic=True, device=pixels.device)
    spectrum = torch.fft.rfft2(windows * bell[:, None] * bell, norm="ortho")
    power = spectrum.real.square() + spectrum.imag.square()
    return (power + 1e-5) ** 0.25


class Critic(nn.Module):
    """Says of each patch how real it looks: a small convolutional network, periodic when wrapped (PatchGAN)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 2 * width)
        self.down = nn.ModuleList(nn.Conv2d(before, after, 4, 2, 1) for before, after in pairwise(widths))
        self.judge = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The verdict ``(B, 1, H / 8, W / 8)``, positive for real, and what led to it."""
        found, seen = pixels, []
        for convolution in self.down:
            found = F.leaky_relu(convolution(found), 0.2)
            seen.append(found)
        return self.judge(found), seen


def critic_loss(of_real: Tensor, of_made: Tensor) -> Tensor:
    """What the critic minimises (hinge)."""
    return F.relu(1 - of_real).mean() + F.relu(1 + of_made).mean()


def likeness_loss(of_real: list[Tensor], of_made: list[Tensor]) -> Tensor:
    """How differently the critic sees a picture and its copy: a perceptual distance that is learnt on the way."""
    apart = [
        (made.float() - real.detach().float()).abs().mean()
        / real.detach().float().abs().mean().clamp(min=1e-3)
        for real, made in zip(of_real, of_made, strict=True)
    ]
    return torch.stack(apart).mean()
