# SPDX-License-Identifier: GPL-3.0-or-later
"""The cheapest ways to give a convolution on a processor its neighbours from the opposite side.

A processor is slower at copying an image than at most else. So a small image is copied once, border and all, where
two concatenations copy it twice; and a large one is not copied at all: it is convolved with its zeros, and what those
have spoilt, the outermost lines, is worked out anew from strips. `benchmarks/wrap_cost.py` measures both.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .wrapping import extend_axis

MOST_PLACES = 1 << 18
"""Pixels of the largest batch whose borders are copied at once: where each comes from is kept, 8 bytes a pixel."""

STRIPS_FROM = 128
"""The shorter side from which strips are cheaper than a copy; below, their own arithmetic costs more."""


def gathers(image: Tensor, borders: tuple[int, int, int, int]) -> bool:
    """Whether `gathered` is the way for this image."""
    return (
        image.dim() == 4
        and image.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and image.is_contiguous(memory_format=torch.channels_last)
        and image.numel() <= MOST_PLACES * image.shape[1]
        and max(borders[:2]) <= image.shape[-1]
        and max(borders[2:]) <= image.shape[-2]
    )


def gathered(image: Tensor, borders: tuple[int, int, int, int]) -> Tensor:
    """``image`` ``(B, C, H, W)``, channels_last, with ``borders`` (left, right, top, bottom) from its other sides,
    in one copy."""
    count, channels, rows, columns = image.shape
    left, right, top, bottom = borders
    pixels = image.permute(0, 2, 3, 1).reshape(-1, channels)
    made = F.embedding(_places(count, rows, columns, borders), pixels)
    return made.view(count, rows + top + bottom, columns + left + right, channels).permute(0, 3, 1, 2)


@lru_cache(maxsize=64)  # a model has a dozen sizes
def _places(count: int, rows: int, columns: int, borders: tuple[int, int, int, int]) -> Tensor:
    left, right, top, bottom = borders
    with torch.inference_mode(False):  # kept, and not only for who asks first
        down = torch.arange(-top, rows + bottom).remainder(rows)
        across = torch.arange(-left, columns + right).remainder(columns)
        one = (down[:, None] * columns + across).reshape(-1)
        return (torch.arange(count)[:, None] * (rows * columns) + one).reshape(-1)


def strips_pay(image: Tensor, borders: tuple[int, int, int, int], kernel: tuple[int, ...]) -> bool:
    """Whether `convolved_with_strips` is the way for this image; stride and dilation must be 1."""
    across, down = borders[0], borders[2]
    return (
        image.dim() == 4
        and image.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and min(image.shape[-2:]) >= max(STRIPS_FROM, 8 * across, 8 * down)
        and borders == (across, across, down, down)
        and kernel == (2 * down + 1, 2 * across + 1)
    )


def convolved_with_strips(
    image: Tensor, weight: Tensor, bias: Tensor | None, groups: int, x: bool, y: bool
) -> Tensor:
    """The convolution, of stride 1, of ``image`` padded to keep its size: from the opposite side along the axes
    that wrap, with zeros along the other."""
    down, across = (side // 2 for side in weight.shape[-2:])

    def convolve(part: Tensor, padding: tuple[int, int]) -> Tensor:
        return F.conv2d(part, weight, bias, 1, padding, 1, groups)

    made = convolve(image, (down, across))
    if y and down:
        strip = torch.cat([image[..., -2 * down :, :], image[..., : 2 * down, :]], -2)
        strip = extend_axis(strip, -1, across, across) if x else strip
        lines = convolve(strip, (0, 0 if x else across))
        made[..., -down:, :], made[..., :down, :] = lines[..., :down, :], lines[..., down:, :]
    if x and across:
        strip = torch.cat([image[..., -2 * across :], image[..., : 2 * across]], -1)
        strip = extend_axis(strip, -2, down, down) if y else strip
        lines = convolve(strip, (0 if y else down, 0))
        made[..., -across:], made[..., :across] = lines[..., :across], lines[..., across:]
    return made
