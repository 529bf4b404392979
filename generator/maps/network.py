# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that sees maps in a picture: a U-Net on the torus, the same for training and for use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.maps.bands import FAINTEST, UNITS
from generator.material import FloatArray
from generator.networks.operations import Field, Operations
from generator.networks.weights import Weights, WeightsError

SHUFFLE = 2
"""The picture is folded by this factor before the first convolution: nothing is computed at its full size."""

CHANNELS = {
    "gain": 3,
    "offset": 3,
    "slope": 2,
    "coarse": 1,
    "lift": len(UNITS),
    "roughness": 1,
    "metallic": 1,
    "ao": 1,
}
"""What the network gives, in this order, see `generator.maps.seeing`."""

_MOST_LEVELS = 6
_WIDEST = 1024
_MOST_BLOCKS = 16


@dataclass(frozen=True)
class Plan:
    """How large a network is: the ``widths`` of its levels, finest first, each half as fine as the one before.

    ``blocks`` are the residual blocks at the coarsest level; every other level has one on the way down and one on the
    way up, but the finest, where work costs most, only the latter.
    """

    widths: tuple[int, ...] = (32, 64, 128, 192, 192)
    blocks: int = 2

    @property
    def stride(self) -> int:
        """Sides must be multiples of this; a roll by a multiple of it rolls the maps and changes nothing else."""
        return SHUFFLE << (len(self.widths) - 1)

    def metadata(self) -> dict[str, str]:
        """The plan as a file of weights carries it."""
        return {"widths": " ".join(map(str, self.widths)), "blocks": str(self.blocks)}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight by name."""
        shapes: dict[str, tuple[int, ...]] = {}

        def convolution(name: str, source: int, target: int, size: int = 3) -> None:
            shapes[f"{name}.weight"] = (target, source, size, size)
            shapes[f"{name}.bias"] = (target,)

        def block(name: str, width: int) -> None:
            convolution(f"{name}.a", width, width)
            convolution(f"{name}.gate", width, width, 1)
            convolution(f"{name}.b", width, width)

        widths = self.widths
        convolution("stem", 3 * SHUFFLE**2, widths[0])
        convolution("light", 6, widths[0], 1)
        for level in range(len(widths) - 1):
            if level > 0:
                block(f"down{level}", widths[level])
            convolution(f"fit{level}", widths[level], widths[level + 1])
            convolution(f"up{level}", widths[level + 1], widths[level], 1)
            block(f"rise{level}", widths[level])
        for number in range(self.blocks):
            block(f"deep{number}", widths[-1])
        convolution("all.a", widths[-1], widths[-1], 1)
        convolution("all.b", widths[-1], widths[-1], 1)
        convolution("head", widths[0], sum(CHANNELS.values()) * SHUFFLE**2)
        return shapes


def plan_of(weights: Weights) -> Plan:
    """The plan that a file's metadata name, checked against its tensors. Raises `WeightsError`."""
    damaged = WeightsError("The weights are not those of an estimator of maps that this version knows.")
    try:
        widths = tuple(int(width) for width in weights.metadata.get("widths", "").split())
        blocks = int(weights.metadata.get("blocks", ""))
    except ValueError:
        raise damaged from None
    if not (1 <= len(widths) <= _MOST_LEVELS and all(1 <= width <= _WIDEST for width in widths)):
        raise damaged
    if not 0 <= blocks <= _MOST_BLOCKS:
        raise damaged
    plan = Plan(widths, blocks)
    if plan.shapes() != {name: tensor.shape for name, tensor in weights.tensors.items()}:
        raise damaged
    return plan


def see(operations: Operations, weights: Mapping[str, FloatArray], plan: Plan, picture: Field) -> Field:
    """Pictures ``(B, 3, H, W)``, sRGB in [0, 1], to `CHANNELS` ``(B, 18, H, W)``, as the network puts them.

    What it looks at is the picture's contrast, brought to one strength, beside its mean colour and how strong the
    contrast was: grain and joints are faint against the difference between one picture's colour and another's. Those
    means, and one of features, are taken over the whole torus, so that no roll changes them.
    """

    def convolve(name: str, field: Field) -> Field:
        return operations.convolve(field, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def block(name: str, field: Field) -> Field:
        inner = operations.leaky(convolve(f"{name}.a", operations.leaky(operations.normalise(field))))
        inner = inner * (1 + convolve(f"{name}.gate", operations.everywhere(inner)))
        return field + convolve(f"{name}.b", inner)

    levels = len(plan.widths) - 1
    mean = operations.everywhere(picture)
    centred = picture - mean
    strength = (operations.everywhere(centred * centred) + FAINTEST**2) ** 0.5
    field = convolve("stem", operations.unshuffle(centred / strength, SHUFFLE))
    field = field + convolve("light", operations.concatenate([mean * 2 - 1, strength * 4]))
    kept = []
    for level in range(levels):
        if level > 0:
            field = block(f"down{level}", field)
        kept.append(field)
        field = convolve(f"fit{level}", operations.halve(operations.leaky(field)))
    for number in range(plan.blocks):
        if number == plan.blocks // 2:
            whole = operations.leaky(convolve("all.a", operations.everywhere(operations.leaky(field))))
            field = field + convolve("all.b", whole)
        field = block(f"deep{number}", field)
    for level in reversed(range(levels)):
        field = kept[level] + operations.nearest(convolve(f"up{level}", field), 2)
        field = block(f"rise{level}", field)
    return operations.shuffle(convolve("head", operations.leaky(operations.normalise(field))), SHUFFLE)
