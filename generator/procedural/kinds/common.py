# SPDX-License-Identifier: GPL-3.0-or-later
"""What several families share: irregular borders, piece profiles, and pieces cut from another family."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural import registry
from generator.procedural.description import Description
from generator.procedural.noise import noise
from generator.procedural.shaping import Scalar, roam, smoothstep
from generator.procedural.space import IntArray, Space
from generator.procedural.surface import Surface


def wobble(
    space: Space, salt: str, frequency: float, amount: float, octaves: int = 3
) -> tuple[FloatArray, FloatArray]:
    """A displacement ``(H, W)`` along x and y, its standard deviation ``amount`` units, to bend straight lines."""
    dx = noise(space, frequency, f"{salt}/wobble-x", octaves)
    dy = noise(space, frequency, f"{salt}/wobble-y", octaves)
    dx *= np.float32(amount)
    dy *= np.float32(amount)
    return dx, dy


def bevel(edge: FloatArray, width: float) -> FloatArray:
    """0 at the border to 1 at ``width`` inside, as a quarter round: steep at the foot, flat at the top."""
    t = np.clip(edge * np.float32(1 / width), 0, 1)
    t = 1 - t
    return np.sqrt(np.maximum(1 - t * t, 0))


def tilt(
    space: Space, salt: str, index: IntArray, count: int, u: FloatArray, v: FloatArray, slope: float
) -> FloatArray:
    """Each piece's own slant: a height that is linear within the piece, at most ``slope`` steep."""
    sx = (space.each(f"{salt}/tilt-x", count) * 2 - 1) * np.float32(slope)
    sy = (space.each(f"{salt}/tilt-y", count) * 2 - 1) * np.float32(slope)
    return sx.take(index) * u + sy.take(index) * v


def each_in(
    space: Space, salt: str, index: IntArray, count: int, low: float = -1.0, high: float = 1.0
) -> FloatArray:
    """One number in [low, high) for each piece, spread over its pixels."""
    return (low + (high - low) * space.each(salt, count)).astype(np.float32).take(index)


def mask_of(edge: FloatArray, border: Scalar | FloatArray, pixel: float, softness: float = 0.0) -> FloatArray:
    """1 where the distance to the border exceeds ``border``, 0 outside, at least a pixel soft."""
    half = max(softness, pixel * 0.7)
    return smoothstep(edge - border, -half, half)


def cut_from(
    space: Space, description: Description, index: IntArray, count: int, salt: str
) -> Surface | None:
    """The inlaid family as a surface whose every piece shows another stretch of it; None without an inlay."""
    if description.inlay is None:
        return None
    whole = registry.build(description.inlay, space, description)
    at = roam(space, index, count, salt)
    colour = np.stack([plane.take(at) for plane in whole.colour])
    height = whole.height.take(at)
    height -= np.float32(height.mean())
    return Surface(space, colour, height, whole.roughness.take(at), whole.metallic.take(at))
