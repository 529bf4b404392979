# SPDX-License-Identifier: GPL-3.0-or-later
"""The material while it is being built: maps in physical units that families lay down and layers alter."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from generator.material import FloatArray
from generator.procedural.noise import blur
from generator.procedural.shaping import Scalar, spread_of
from generator.procedural.space import IntArray, Space

_FAINT = 0.0005
"""Relief with a deviation below this many units has no hollows to speak of: polish, not pits."""


@dataclass
class Surface:
    """Mutable maps ``(H, W)`` of one texture.

    ``colour`` is planar, ``(3, H, W)``, sRGB-encoded. ``height`` is in units (the shorter side is 1).
    ``gap`` is 1 in joints and mortar, 0 on faces. ``edge`` is the distance to the nearest border of a piece in
    units, or None where the material has no pieces; ``index`` numbers the pieces, of which there are ``count``.
    ``core`` is the colour ``(3,)`` of the metal under a coat of paint, where there is one. ``iron`` is 1 on nails,
    rivets and open scratches, from which rust runs. ``upright`` says that the material stands as a wall does, so that
    water runs down over it; ``fibrous`` that its fibres run down the picture, so that it splits along them.
    ``void`` is 1 in holes right through the material, where nothing can lie.
    """

    space: Space
    colour: FloatArray
    height: FloatArray
    roughness: FloatArray
    metallic: FloatArray
    gap: FloatArray | None = None
    edge: FloatArray | None = None
    index: IntArray | None = None
    count: int = 0
    core: FloatArray | None = None
    iron: FloatArray | None = None
    upright: bool = False
    fibrous: bool = False
    void: FloatArray | None = None
    _cavities: dict[float, FloatArray] = field(default_factory=dict)

    def cavity(self, sigma: float) -> FloatArray:
        """How deep each place lies below its surroundings within ``sigma`` units, in standard deviations.

        Positive in hollows, negative on crests. Kept until ``settle`` says that the height has changed.
        """
        if sigma not in self._cavities:
            low = blur(self.height, sigma, self.space.pixel)
            low -= self.height
            low *= np.float32(1 / max(spread_of(low), _FAINT))
            np.clip(low, -4, 4, out=low)
            self._cavities[sigma] = low
        return self._cavities[sigma]

    def steepness(self, sigma: float) -> FloatArray:
        """How steep the surface is as felt over ``sigma`` units, in standard deviations above flat, ``(H, W)``."""
        soft = blur(self.height, sigma, self.space.pixel)
        across = np.roll(soft, -1, 1) - np.roll(soft, 1, 1)
        down = np.roll(soft, -1, 0) - np.roll(soft, 1, 0)
        slope = np.hypot(across, down) * np.float32(0.5 / self.space.pixel)
        slope *= np.float32(1 / max(spread_of(slope), 0.05))
        return np.minimum(slope, 4)

    def settle(self) -> None:
        """Forget what was derived from the height, because a layer has changed it."""
        self._cavities.clear()

    def paint(self, colour: FloatArray, mask: FloatArray) -> None:
        """Blend the colour, ``(3, H, W)`` or ``(3, 1, 1)``, in where the mask is 1."""
        for channel in range(3):
            plane = self.colour[channel]
            plane += (colour[channel] - plane) * mask

    def set_roughness(self, value: FloatArray | Scalar, mask: FloatArray) -> None:
        self.roughness += (value - self.roughness) * mask

    def set_metallic(self, value: float, mask: FloatArray) -> None:
        self.metallic += (np.float32(value) - self.metallic) * mask


def surface(
    space: Space,
    colour: FloatArray,
    height: FloatArray,
    roughness: FloatArray | float,
    metallic: FloatArray | float = 0.0,
    gap: FloatArray | None = None,
    edge: FloatArray | None = None,
    index: IntArray | None = None,
    count: int = 0,
) -> Surface:
    """A surface from maps that may be constants, each made an array of its own."""

    def whole(value: FloatArray | float) -> FloatArray:
        return np.array(np.broadcast_to(np.asarray(value, np.float32), space.shape))

    planes = np.array(np.broadcast_to(np.asarray(colour, np.float32), (3, *space.shape)))
    return Surface(space, planes, whole(height), whole(roughness), whole(metallic), gap, edge, index, count)
