# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a torch module work on a torus: nothing it computes knows where the edges of its image are.

A texture tiles when ``f(roll(x)) == roll(f(x))`` holds for the model that made it. What breaks this law is padding:
a convolution puts zeros around its input, so it sees an edge there. `wrap` lets every such place fetch its
neighbours from the opposite side instead, along the chosen axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .swapping import Rule, Swapping

_RULES: list[Rule] = []


@contextmanager
def wrap(module: nn.Module, x: bool = True, y: bool = True) -> Iterator[Swapping | None]:
    """While open, ``module`` is periodic along x (width) and/or y (height).

    The law holds for shifts by the module's own stride, at sizes that are multiples of it (`stride_of`). An axis
    that is not wrapped keeps its padding exactly. Contexts nest: an axis stays wrapped as long as any of them wraps
    it, and each leaves what it found, also after an exception. With neither axis nothing is touched at all.

    A LoRA loaded meanwhile is wrapped from the start where its layers are built with the class of the layer they
    adapt, as peft's are. After loading anything else call ``refresh()`` on what the context gives (None without an
    axis). Whatever was loaded is plain again afterwards.
    """
    if not (x or y):
        yield None
        return
    swapping = Swapping(module, _RULES, x, y)
    try:
        swapping.open()
        yield swapping
    finally:
        swapping.close()


def rule(function: Rule) -> Rule:
    """Register a rule for all that is wrapped from now on."""
    _RULES.append(function)
    return function


def extend(
    image: Tensor, left: int, right: int, top: int, bottom: int, x: bool = True, y: bool = True
) -> Tensor:
    """``image`` ``(..., H, W)`` with a border taken from the opposite side, and zeros along an axis not wrapped.

    Slices are concatenated, which keeps channels_last; circular ``F.pad`` loses it and copies more.
    """
    image = extend_axis(image, -1, left, right) if x else F.pad(image, (left, right, 0, 0))
    return extend_axis(image, -2, top, bottom) if y else F.pad(image, (0, 0, top, bottom))


def extend_axis(image: Tensor, axis: int, before: int, after: int) -> Tensor:
    """``image`` with ``before`` and ``after`` more lines along ``axis``, taken from its other end."""
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
