# SPDX-License-Identifier: GPL-3.0-or-later
"""The network: convolutions at the small size, then each pixel becomes a block, added to the pixel itself.

The shape and the names of the weights are those of SRVGGNetCompact (Wang et al. 2021, Real-ESRGAN), so that other
programs load ours and we load theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generator.material import FloatArray
from generator.networks import Operations, WeightsError
from generator.networks.operations import Field

_WIDEST, _DEEPEST, _LARGEST_SCALE = 512, 128, 8


@dataclass(frozen=True)
class Shape:
    """``channels`` in and out, ``features`` between, ``depth`` convolutions in all, ``scale`` times as large."""

    channels: int
    features: int
    depth: int
    scale: int

    @property
    def halo(self) -> int:
        """How many pixels of the source on each side a pixel of the result depends on."""
        return self.depth


def names(depth: int) -> list[str]:
    """The weights' names in order."""
    found = []
    for layer in range(depth):
        found += [f"body.{2 * layer}.weight", f"body.{2 * layer}.bias"]
        if layer < depth - 1:
            found.append(f"body.{2 * layer + 1}.weight")
    return found


def read_shape(tensors: Mapping[str, FloatArray]) -> Shape:
    """The shape that these weights have. Raises `WeightsError` where they are not a network of this kind."""
    depth = (len(tensors) + 1) // 3
    if not 2 <= depth <= _DEEPEST or set(tensors) != set(names(depth)):
        raise WeightsError("These weights are no network of the kind SRVGGNetCompact.")
    first, last = tensors["body.0.weight"], tensors[f"body.{2 * depth - 2}.weight"]
    shape = Shape(0, 0, depth, 0)
    if first.ndim == last.ndim == 4 and first.shape[1] in (1, 3):
        features, channels = first.shape[:2]
        squared = last.shape[0] // channels
        shape = Shape(channels, features, depth, round(squared**0.5))
    if (
        not 0 < shape.features <= _WIDEST
        or not 1 <= shape.scale <= _LARGEST_SCALE
        or {name: values.shape for name, values in tensors.items()} != sizes(shape)
    ):
        raise WeightsError("The weights do not fit together as a network of the kind SRVGGNetCompact.")
    return shape


def sizes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """How large each of the weights is."""
    found: dict[str, tuple[int, ...]] = {}
    for layer in range(shape.depth):
        into = shape.channels if layer == 0 else shape.features
        is_last = layer == shape.depth - 1
        out = shape.channels * shape.scale**2 if is_last else shape.features
        found[f"body.{2 * layer}.weight"] = (out, into, 3, 3)
        found[f"body.{2 * layer}.bias"] = (out,)
        if not is_last:
            found[f"body.{2 * layer + 1}.weight"] = (out,)
    return found


def apply(operations: Operations, weights: Mapping[str, Any], shape: Shape, field: Field) -> Field:
    """The enlarged field ``(B, C, scale * H, scale * W)`` of one ``(B, C, H, W)``, both in [0, 1] or nearly so."""
    made = field
    for layer in range(shape.depth):
        made = operations.convolve(
            made, weights[f"body.{2 * layer}.weight"], weights[f"body.{2 * layer}.bias"]
        )
        if layer < shape.depth - 1:
            made = operations.prelu(made, weights[f"body.{2 * layer + 1}.weight"])
    return operations.shuffle(made, shape.scale) + operations.nearest(field, shape.scale)
