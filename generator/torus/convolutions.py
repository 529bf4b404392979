# SPDX-License-Identifier: GPL-3.0-or-later
"""Where image models pad: the convolutions of every family, and those whose owner has padded for them.

Everything overrides ``_conv_forward`` and no ``forward``: an offloading hook may have taken a ``forward`` away with
it, where a swapped class no longer reaches it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .borders import convolved_with_strips, gathered, gathers, indexed, learns, learnt_from, strips_pay
from .swapping import Swap, TorusModule, is_a
from .wrapping import extend_axis, rule

Border = tuple[int, int, int, int]
"""Lines at the left, right, top and bottom."""

_CONVOLVE = {2: F.conv2d, 3: F.conv3d}


class WrappedConvolution(TorusModule):
    """A `Conv2d` or `Conv3d` whose own padding in the image plane is fetched from the opposite side.

    The third axis of a `Conv3d` is time, which has a beginning and an end, and keeps its padding.
    """

    # The convolution's own attributes; this class only ever stands in front of it.
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    padding_mode: str
    _reversed_padding_repeated_twice: list[int]

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rest = _own_padding(self)  # one pair for each axis, the last axis first
        x, y = self.torus_x, self.torus_y
        borders = (*rest[0], *rest[1])
        still = [(0, 0), (0, 0), *rest[2:]]  # what there is to pad once both axes are wrapped
        if torch.is_grad_enabled():
            # Going back through any of the next is slow: a sum by index, for a compiler a sort of all pixels.
            if x and y and learns(input, borders):
                input, rest = learnt_from(input, borders), still
        elif torch.compiler.is_dynamo_compiling():
            if x and y and input.dim() == 4:
                input, rest = indexed(input, borders), still
        elif self._is_plain and strips_pay(input, borders, self.kernel_size):
            return convolved_with_strips(input, weight, bias, self.groups, x, y)
        elif x and y and gathers(input, borders):
            input, rest = gathered(input, borders), still
        for axis, wraps in ((0, self.torus_x), (1, self.torus_y)):
            if wraps:
                input = extend_axis(input, -1 - axis, *rest[axis])
                rest[axis] = (0, 0)
        if self.padding_mode == "zeros" and all(before == after for before, after in rest):
            # The convolution's own zeros, so that the other axis stays as it was to the last bit.
            padding = tuple(before for before, _ in reversed(rest))
        else:
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            input = F.pad(input, [width for pair in rest for width in pair], mode=mode)
            padding = (0,) * len(rest)
        convolve = _CONVOLVE[len(rest)]
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    @property
    def _is_plain(self) -> bool:
        return self.padding_mode == "zeros" and set(self.stride) == set(self.dilation) == {1}


class WrappedBorder(TorusModule):
    """A convolution whose owner has already put a border of zeros around its input.

    The zeros are overwritten where they arrive. They lie in the fresh copy that padding has just made.
    """

    torus_border: Border
    kernel_size: tuple[int, ...]

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # An adapter builds its pointwise half with this class as well, and gives it no border.
        if max(self.kernel_size[-2:]) > 1:
            left, right, top, bottom = self.torus_border
            if self.torus_x:
                input = _fill(input, -1, left, right)
            if self.torus_y:
                input = _fill(input, -2, top, bottom)
        return super()._conv_forward(input, weight, bias)  # pyright: ignore[reportAttributeAccessIssue]


@cache
def _bordered(border: Border) -> type[WrappedBorder]:
    return type("WrappedBorder", (WrappedBorder,), {"torus_border": border})


@rule
def _convolutions(module: nn.Module) -> Iterator[Swap]:
    if isinstance(module, (nn.Conv2d, nn.Conv3d)) and any(map(any, _own_padding(module)[:2])):
        yield module, WrappedConvolution


@rule
def _asymmetric_downsampling(module: nn.Module) -> Iterator[Swap]:
    # diffusers.models.downsampling.Downsample2D: with padding 0 it pads (0, 1, 0, 1) by itself.
    owner: Any = module
    if is_a(owner, "Downsample2D") and owner.use_conv and owner.padding == 0:
        yield from _padded_by_owner(owner.conv, (0, 1, 0, 1))


@rule
def _padding_modules(module: nn.Module) -> Iterator[Swap]:
    # diffusers' WanResample and QwenImageResample: ZeroPad2d, then a strided convolution.
    if isinstance(module, nn.Sequential):
        for pad, convolution in pairwise(module):
            if isinstance(pad, nn.ZeroPad2d):
                left, right, top, bottom = pad.padding
                yield from _padded_by_owner(convolution, (left, right, top, bottom))


@rule
def _causal_convolutions(module: nn.Module) -> Iterator[Swap]:
    # diffusers' WanCausalConv3d and QwenImageCausalConv3d: `forward` pads by `_padding`, in time at the front only.
    padding: Any = getattr(module, "_padding", None)
    if (
        isinstance(module, nn.Conv3d)
        and isinstance(padding, tuple)
        and len(padding) == 6
        and any(padding[:4])
    ):
        left, right, top, bottom, *_ = padding
        yield module, _bordered((left, right, top, bottom))


def _padded_by_owner(module: nn.Module, border: Border) -> Iterator[Swap]:
    # An adapter's layer may stand around the convolution; its own convolutions see the same zeros.
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and max(part.kernel_size) > 1:
            yield part, _bordered(border)


def _own_padding(convolution: nn.Conv2d | nn.Conv3d | WrappedConvolution) -> list[tuple[int, int]]:
    """What a convolution pads by itself: before and after, for each axis from the last one on."""
    if isinstance(convolution.padding, str):  # "same" and "valid" are worked out there
        widths = convolution._reversed_padding_repeated_twice
        return list(zip(widths[::2], widths[1::2], strict=True))
    return [(width, width) for width in reversed(convolution.padding)]


def _fill(image: Tensor, axis: int, before: int, after: int) -> Tensor:
    """``image`` with its first ``before`` and last ``after`` lines taken from the other end, in place if possible."""
    size = image.shape[axis] - before - after
    if max(before, after) > size:
        return extend_axis(image.narrow(axis, before, size), axis, before, after)
    if before:
        image.narrow(axis, 0, before).copy_(image.narrow(axis, size, before))
    if after:
        image.narrow(axis, before + size, after).copy_(image.narrow(axis, before, after))
    return image
