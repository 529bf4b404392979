# SPDX-License-Identifier: GPL-3.0-or-later
"""The cheapest ways to give a convolution its neighbours from the opposite side.

An image is copied once, border and all, where two concatenations copy it twice, also where a network is trained. A
processor is slower at copying than at most else, so there a large image is not copied at all: it is convolved with its
zeros, and the outermost lines get what those have kept from them, or are worked out anew from strips. A compiler is
told where each pixel comes from, and reads through that while it computes what goes before: of the wrap no copy is
left. `benchmarks/wrap_cost.py`, `benchmarks/speed.py` and, for training, `benchmarks/training_step.py` measure them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .wrapping import extend_axis

MOST_PLACES = {"cpu": 1 << 18, "cuda": 1 << 21}
"""Pixels of the largest batch whose borders are copied at once: where each comes from is kept, 8 bytes a pixel."""
_MOST_KEPT = 64  # a model has a dozen sizes

STRIPS_FROM = 128
"""The shorter side from which strips are cheaper than a copy; below, their own arithmetic costs more."""


def gathers(image: Tensor, borders: tuple[int, int, int, int]) -> bool:
    """Whether `gathered` is the way for this image."""
    return (
        image.dim() == 4
        and image.is_contiguous(memory_format=torch.channels_last)
        and image.numel() <= MOST_PLACES.get(image.device.type, 0) * image.shape[1]
        and max(borders[:2]) <= image.shape[-1]
        and max(borders[2:]) <= image.shape[-2]
    )


def gathered(image: Tensor, borders: tuple[int, int, int, int]) -> Tensor:
    """``image`` ``(B, C, H, W)``, channels_last, with ``borders`` (left, right, top, bottom) from its other sides,
    in one copy."""
    count, channels, rows, columns = image.shape
    left, right, top, bottom = borders
    pixels = image.permute(0, 2, 3, 1).reshape(-1, channels)
    made = F.embedding(_places(image.device, (count, rows, columns), borders), pixels)
    return made.view(count, rows + top + bottom, columns + left + right, channels).permute(0, 3, 1, 2)


def indexed(image: Tensor, borders: tuple[int, int, int, int]) -> Tensor:
    """The same for a compiler: ``image`` ``(B, C, H, W)`` read through the places that its pixels come from."""
    left, right, top, bottom = borders
    down = torch.arange(-top, image.shape[-2] + bottom, device=image.device).remainder(image.shape[-2])
    across = torch.arange(-left, image.shape[-1] + right, device=image.device).remainder(image.shape[-1])
    return image[..., down[:, None], across]


def learns(image: Tensor, borders: tuple[int, int, int, int]) -> bool:
    """Whether `learnt_from` is the way for this image; a compiler makes one copy of concatenations by itself."""
    return (
        image.dim() == 4
        and not torch.compiler.is_dynamo_compiling()
        and max(borders[:2]) <= image.shape[-1]
        and max(borders[2:]) <= image.shape[-2]
    )


def learnt_from(image: Tensor, borders: tuple[int, int, int, int]) -> Tensor:
    """The same as `gathered`, in whatever memory format, where the gradient is wanted: it is summed line by line.

    There is no rule for ``vmap`` and forward-mode differentiation.
    """
    return _Bordered.apply(image, borders)  # type: ignore[return-value]


class _Bordered(torch.autograd.Function):
    """Two concatenations, made in one copy; going back through those copies the gradient six times."""

    @staticmethod
    def forward(image: Tensor, borders: tuple[int, int, int, int]) -> Tensor:
        left, right, top, bottom = borders
        count, channels, height, width = image.shape
        last = image.is_contiguous(memory_format=torch.channels_last)
        made = torch.empty(
            (count, channels, height + top + bottom, width + left + right),
            dtype=image.dtype,
            device=image.device,
            memory_format=torch.channels_last if last else torch.contiguous_format,
        )
        lines = made.narrow(2, top, height)
        lines.narrow(3, left, width).copy_(image)
        lines.narrow(3, 0, left).copy_(image.narrow(3, width - left, left))
        lines.narrow(3, left + width, right).copy_(image.narrow(3, 0, right))
        made.narrow(2, 0, top).copy_(lines.narrow(2, height - top, top))
        made.narrow(2, top + height, bottom).copy_(lines.narrow(2, 0, bottom))
        return made

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, ctx.borders = inputs

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor, None]:
        left, right, top, bottom = ctx.borders
        (grad,) = above
        height, width = grad.shape[2] - top - bottom, grad.shape[3] - left - right

        def folded(first: int, columns: int) -> Tensor:
            part = grad.narrow(3, first, columns)
            lines = part.narrow(2, top, height).clone(memory_format=torch.preserve_format)
            lines.narrow(2, height - top, top).add_(part.narrow(2, 0, top))
            lines.narrow(2, 0, bottom).add_(part.narrow(2, top + height, bottom))
            return lines

        made = folded(left, width)
        made.narrow(3, width - left, left).add_(folded(0, left))
        made.narrow(3, 0, right).add_(folded(left + width, right))
        return made, None


_KEPT: dict[tuple, Tensor] = {}


def kept_places() -> list[Tensor]:
    """What `gathered` reads from besides images: whoever replays recorded work must keep it alive."""
    return list(_KEPT.values())


def forget_places() -> None:
    """Give the memory of all that is kept back."""
    _KEPT.clear()


def _places(device: torch.device, sizes: tuple[int, int, int], borders: tuple[int, int, int, int]) -> Tensor:
    """Where each pixel of a batch of ``sizes`` (images, rows, columns) comes from, border and all."""
    key = (device, sizes, borders)
    found = _KEPT.get(key)
    if found is None:
        count, rows, columns = sizes
        left, right, top, bottom = borders
        with torch.inference_mode(False):  # kept, and not only for who asks first
            down = torch.arange(-top, rows + bottom, device=device).remainder(rows)
            across = torch.arange(-left, columns + right, device=device).remainder(columns)
            one = (down[:, None] * columns + across).reshape(-1)
            each = torch.arange(count, device=device)[:, None] * (rows * columns)
            found = (each + one).reshape(-1)
        if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
            return found  # its numbers are there from the first replay on, and only in that recording
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        _KEPT[key] = found
    return found


def strips_pay(image: Tensor, borders: tuple[int, int, int, int], kernel: tuple[int, ...]) -> bool:
    """Whether `convolved_with_strips` is the way for this image; stride and dilation must be 1."""
    across, down = borders[0], borders[2]
    return (
        image.dim() == 4
        and image.device.type == "cpu"
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
    if groups == 1 and max(down, across) == 1 and _lies_by_taps(image, weight):
        return _convolved_with_lines(image, weight, bias, x, y)

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


def _lies_by_taps(image: Tensor, weight: Tensor) -> bool:
    """Whether each tap of the kernel is a matrix that can be multiplied with as it lies, and each line another."""
    last = torch.channels_last
    return (
        not torch.is_grad_enabled()
        and weight.is_contiguous(memory_format=last)
        and image.is_contiguous(memory_format=last)
    )


def _convolved_with_lines(image: Tensor, weight: Tensor, bias: Tensor | None, x: bool, y: bool) -> Tensor:
    """The same for kernels of 3: each outermost line gets what the line at the other end adds to it, tap by tap.

    A third of the arithmetic that a line takes, and neither weights nor image are copied.
    """
    down, across = (side // 2 for side in weight.shape[-2:])
    made = F.conv2d(image, weight, bias, 1, (down, across))
    taps = weight.permute(2, 3, 1, 0)
    given, out = image.permute(0, 2, 3, 1), made.permute(0, 2, 3, 1)  # (B, H, W, C)
    ends = ((0, -1, 0), (-1, 0, 2))  # the line to add to, the one to add, and the tap
    if y and down:
        for line, other, tap in ends:
            lines = given[:, other]
            lines = extend_axis(lines, 1, across, across) if x else F.pad(lines, (0, 0, across, across))
            _add(out[:, line], lines, taps[tap])
    if x and across:
        for line, other, tap in ends:
            # The corners have had theirs from the lines above and below.
            _add(out[:, :, line], F.pad(given[:, :, other], (0, 0, down, down)), taps[:, tap])
    return made


def _add(out: Tensor, lines: Tensor, taps: Tensor) -> None:
    """Add to ``out`` ``(B, N, C)`` the convolution of ``lines`` ``(B, N + K - 1, D)`` with ``taps`` ``(K, D, C)``."""
    count = out.shape[1]
    for image in range(out.shape[0]):
        for index, tap in enumerate(taps):
            out[image].addmm_(lines[image, index : index + count], tap)
