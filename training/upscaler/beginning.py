# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights to begin with: the network is the cubic filter at first, so that all it has to learn is to do better.

Begun at random, a network of this kind first repeats pixels and keeps their blocks for long: their edges have the power
that the spectrum asks for, at the wrong places.
"""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor

from generator.upscaling.compact import Shape, sizes

_NEAR = (-1, 0, 1)
_SMALL = 0.1


def begin(shape: Shape, seed: int) -> dict[str, Tensor]:
    """He's random weights, in which nine features for each channel carry the pixel's neighbourhood to the last layer.

    Pixels are not negative, so that they pass each layer unchanged; what the last layer makes of them is the filter
    of Catmull and Rom. With too few features or layers for that all is random, and at first pixels are repeated.
    """
    random = torch.Generator().manual_seed(seed)
    made = {}
    for name, size in sizes(shape).items():
        if name.endswith("bias"):
            made[name] = torch.zeros(size)
        elif len(size) == 1:
            made[name] = torch.full(size, 0.2)
        else:
            gain = _SMALL if name == _last(shape) else 1.0
            made[name] = torch.randn(size, generator=random) * (gain * math.sqrt(2 / math.prod(size[1:])))
    carried = 9 * shape.channels
    if shape.features >= carried and shape.depth >= 2:
        _carry(made, shape, carried)
        _filter(made[_last(shape)], shape, carried)
    return made


def _last(shape: Shape) -> str:
    return f"body.{2 * shape.depth - 2}.weight"


def _carry(made: dict[str, Tensor], shape: Shape, carried: int) -> None:
    """Feature ``9 * channel + 3 * (y + 1) + x + 1`` is the channel's pixel ``(y, x)`` places away, in every layer."""
    first = made["body.0.weight"]
    first[:carried] = 0
    for channel, (place, (y, x)) in product(range(shape.channels), enumerate(product(_NEAR, _NEAR))):
        first[9 * channel + place, channel, y + 1, x + 1] = 1
    for layer in range(1, shape.depth - 1):
        weight = made[f"body.{2 * layer}.weight"]
        weight[:carried] = 0
        for feature in range(carried):
            weight[feature, feature, 1, 1] = 1


def _filter(weight: Tensor, shape: Shape, carried: int) -> None:
    """The last layer as the filter, less the pixel itself, which is added afterwards."""
    scale = shape.scale
    weight[:, :carried] = 0
    # What the random features add is nothing at first, and learns as fast.
    weight[:, carried:] = 0
    for channel, (down, across) in product(range(shape.channels), product(range(scale), range(scale))):
        out = channel * scale**2 + down * scale + across
        for y, x in product(range(-2, 3), range(-2, 3)):
            value = _cubic(y - _offset(down, scale)) * _cubic(x - _offset(across, scale))
            near_y, near_x = max(-1, min(1, y)), max(-1, min(1, x))
            feature = 9 * channel + 3 * (near_y + 1) + near_x + 1
            weight[out, feature, y - near_y + 1, x - near_x + 1] += value - float(y == x == 0)


def _offset(place: int, scale: int) -> float:
    """Where a new pixel's centre lies from the old one's, in old pixels."""
    return (place + 0.5) / scale - 0.5


def _cubic(x: float) -> float:
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
