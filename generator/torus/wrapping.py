# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a torch module work on a torus: nothing it computes knows where the edges of its image are.

A texture tiles when ``f(roll(x)) == roll(f(x))`` holds for the model that made it. What breaks this law is padding:
a convolution puts zeros around its input, so it sees an edge there. `wrap` lets every such place fetch its
neighbours from the opposite side instead, along the chosen axes.

It swaps the class of each affected module for a subclass of that same class and swaps it back on exit, so that
weights, hooks, ``isinstance`` and the state dict stay as they are and no other model in the process is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Swap = tuple[nn.Module, type]
Rule = Callable[[nn.Module], Iterator[Swap]]

_RULES: list[Rule] = []


@contextmanager
def wrap(module: nn.Module, x: bool = True, y: bool = True) -> Iterator[None]:
    """While open, ``module`` is periodic along x (width) and/or y (height).

    The law holds for shifts by the module's own stride, at sizes that are multiples of it. An axis that is not
    wrapped keeps its padding exactly. Contexts nest: an axis stays wrapped as long as any of them wraps it, and
    each leaves what it found, also after an exception. With neither axis nothing is touched at all.
    """
    found: list[tuple[nn.Module, type]] = []
    try:
        if x or y:
            swaps = [swap for part in module.modules() for rule in _RULES for swap in rule(part)]
            for part, mixin in swaps:
                found.append((part, type(part)))
                part.__class__ = _subclass(type(part), mixin, x, y)
        yield
    finally:
        for part, original in reversed(found):
            part.__class__ = original


def rule(function: Rule) -> Rule:
    """Register a rule: for one module of the tree, it yields the modules to change and the mixin for each.

    A mixin overrides what pads, and reads ``torus_x`` and ``torus_y`` for the axes. Name the classes of other
    libraries by their names (`_is_a`), so that this file needs torch alone.
    """
    _RULES.append(function)
    return function


def extend(
    image: Tensor, left: int, right: int, top: int, bottom: int, x: bool = True, y: bool = True
) -> Tensor:
    """``image`` ``(..., H, W)`` with a border taken from the opposite side, and zeros along an axis not wrapped.

    Slices are concatenated, which keeps channels_last; circular ``F.pad`` loses it and copies more.
    """
    image = _extend_axis(image, -1, left, right) if x else F.pad(image, (left, right, 0, 0))
    return _extend_axis(image, -2, top, bottom) if y else F.pad(image, (0, 0, top, bottom))


def _extend_axis(image: Tensor, axis: int, before: int, after: int) -> Tensor:
    size = image.shape[axis]
    if not before and not after:
        return image
    if before > size or after > size:  # a border wider than the image goes around more than once
        indices = torch.arange(-before, size + after, device=image.device).remainder(size)
        return image.index_select(axis, indices)
    pieces = [image.narrow(axis, size - before, before)] if before else []
    pieces.append(image)
    if after:
        pieces.append(image.narrow(axis, 0, after))
    return torch.cat(pieces, dim=axis)


class TorusModule(nn.Module):
    """The mixins' common base: which axes wrap, and the class that was swapped."""

    torus_x: bool
    torus_y: bool
    torus_mixin: type
    torus_original: type


class WrappedConv2d(TorusModule):
    """`Conv2d` with its own padding fetched from the opposite side."""

    # Conv2d's own attributes; this class only ever stands in front of it.
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    padding_mode: str
    _reversed_padding_repeated_twice: list[int]

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        left, right, top, bottom = self._reversed_padding_repeated_twice
        input = extend(
            input,
            *((left, right) if self.torus_x else (0, 0)),
            *((top, bottom) if self.torus_y else (0, 0)),
        )
        rest = (0, 0) if self.torus_x else (left, right), (0, 0) if self.torus_y else (top, bottom)
        if self.padding_mode == "zeros" and all(before == after for before, after in rest):
            # The convolution's own zeros, so that the other axis stays as it was to the last bit.
            padding = (rest[1][0], rest[0][0])
        else:
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            input, padding = F.pad(input, (*rest[0], *rest[1]), mode=mode), (0, 0)
        return F.conv2d(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class WrappedDownsamplingConv2d(TorusModule):
    """The convolution of a `Downsample2D` that has already put one column and one row of zeros at the far ends.

    The owner's ``forward`` may sit behind an offloading hook where it cannot be replaced, so the zeros are
    overwritten here, where they arrive. They lie in the fresh copy that padding has just made.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.torus_x:
            input[..., -1] = input[..., 0]
        if self.torus_y:
            input[..., -1, :] = input[..., 0, :]
        return super()._conv_forward(input, weight, bias)  # pyright: ignore[reportAttributeAccessIssue]


@rule
def _convolutions(module: nn.Module) -> Iterator[Swap]:
    if isinstance(module, nn.Conv2d) and any(module._reversed_padding_repeated_twice):
        yield module, WrappedConv2d


@rule
def _asymmetric_downsampling(module: nn.Module) -> Iterator[Swap]:
    # diffusers.models.downsampling.Downsample2D: with padding 0 it pads (0, 1, 0, 1) by itself.
    if _is_a(module, "Downsample2D") and _get(module, "use_conv") and _get(module, "padding") == 0:
        # An adapter's layer may stand around the convolution; its own convolutions see the same zeros.
        for part in _get(module, "conv").modules():
            if isinstance(part, nn.Conv2d) and part.kernel_size != (1, 1):
                yield part, WrappedDownsamplingConv2d


def _is_a(module: nn.Module, class_name: str) -> bool:
    return any(base.__name__ == class_name for base in type(module).__mro__)


def _get(module: nn.Module, name: str) -> Any:
    return getattr(module, name, None)


def _subclass(found: type, mixin: type, x: bool, y: bool) -> type:
    """The class to give a module of class ``found``; inside an open `wrap` the axes add up."""
    if issubclass(found, TorusModule) and found.torus_mixin is mixin:
        return _make_class(found.torus_original, mixin, x or found.torus_x, y or found.torus_y)
    return _make_class(found, mixin, x, y)


@cache  # one class for each combination, so that what a compiler has learnt about it stays true
def _make_class(original: type, mixin: type, x: bool, y: bool) -> type:
    names = {
        "__module__": original.__module__,
        "__qualname__": original.__qualname__,
        "__doc__": original.__doc__,
        "torus_x": x,
        "torus_y": y,
        "torus_mixin": mixin,
        "torus_original": original,
    }
    return type(original.__name__, (mixin, original), names)
