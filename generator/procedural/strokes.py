# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small tapered strokes laid over each other on the torus: blades, needles, fibres, leaves, scratches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray
from generator.procedural.space import IntArray, Space

_CHUNK = 600_000
"""Samples drawn at once, which bounds the memory."""


@dataclass(frozen=True)
class Brush:
    """What the strokes look like; lengths in units, angles in radians, ranges as (low, high).

    ``angle`` is 0 towards +x. ``bend`` curves a stroke sideways by that share of its length. ``belly`` is where
    along the stroke, from 0 to 1, it is widest. ``lift`` is the rise from root to tip.
    """

    length: tuple[float, float]
    width: tuple[float, float]
    angle: tuple[float, float] = (0.0, 2 * np.pi)
    bend: float = 0.2
    belly: float = 0.35
    lift: float = 0.6
    arch: float = 0.5


@dataclass(frozen=True)
class Strokes:
    """The uppermost stroke per pixel, ``(H, W)``: its number (-1 where none), the place on it, its height.

    ``along`` runs from 0 at the root to 1 at the tip, ``across`` from -1 to 1; ``height`` is about 0 to 1, later
    strokes lying higher.
    """

    index: IntArray
    along: FloatArray
    across: FloatArray
    height: FloatArray


def draw(space: Space, salt: str, per_square: float, brush: Brush) -> Strokes:
    """Lay about ``per_square`` strokes per square unit, evenly strewn, later ones over earlier ones."""
    across, down = space.extent
    nx, ny = space.count(np.sqrt(per_square))
    count = nx * ny
    # A hashed order, so that the overlap shows no rows of the grid that spreads the roots.
    cell = np.argsort(space.each(f"{salt}/order", count), kind="stable")
    root_x = (cell % nx + space.each(f"{salt}/x", count)) * np.float32(across / nx)
    root_y = (cell // nx + space.each(f"{salt}/y", count)) * np.float32(down / ny)
    root_x, root_y = root_x.astype(np.float32), root_y.astype(np.float32)

    def between(name: str, pair: tuple[float, float]) -> FloatArray:
        return np.float32(pair[0]) + np.float32(pair[1] - pair[0]) * space.each(f"{salt}/{name}", count)

    length, width, angle = (
        between(n, p) for n, p in zip("lwa", (brush.length, brush.width, brush.angle), strict=True)
    )
    bend = (space.each(f"{salt}/bend", count) * 2 - 1) * np.float32(brush.bend)
    steps = max(2, int(np.ceil(brush.length[1] / space.pixel * 1.35)))
    wide = max(1, int(np.ceil(brush.width[1] / space.pixel * 1.35)))
    t = ((np.arange(steps, dtype=np.float32) + 0.5) / steps)[None, :, None]
    s = ((np.arange(wide, dtype=np.float32) + 0.5) / wide * 2 - 1)[None, None, :]
    profile = _profile(t, brush.belly)
    index = np.full(space.shape, -1, np.int32)
    along, side, height = (np.zeros(space.shape, np.float32) for _ in range(3))
    batch = max(1, _CHUNK // (steps * wide))
    for first in range(0, count, batch):
        part = slice(first, min(first + batch, count))
        cos, sin = (f(angle[part])[:, None, None] for f in (np.cos, np.sin))
        long = length[part][:, None, None]
        forward = t * long
        sideways = bend[part][:, None, None] * long * t * t + s * (profile * width[part][:, None, None] / 2)
        x = root_x[part][:, None, None] + forward * cos - sideways * sin
        y = root_y[part][:, None, None] + forward * sin + sideways * cos
        column = np.floor(x / space.pixel).astype(np.intp) % space.width
        row = np.floor(y / space.pixel).astype(np.intp) % space.height
        at = (row * space.width + column).ravel()
        full = column.shape
        number = np.arange(part.start, part.stop, dtype=np.int32)[:, None, None]
        index.reshape(-1)[at] = np.broadcast_to(number, full).ravel()
        along.reshape(-1)[at] = np.broadcast_to(t, full).ravel()
        side.reshape(-1)[at] = np.broadcast_to(s, full).ravel()
        level = number.astype(np.float32) * np.float32((1 - brush.lift) / count)
        z = level + np.float32(brush.lift) * (t - np.float32(brush.arch) * t * t) * (
            1 - np.float32(0.25) * s * s
        )
        height.reshape(-1)[at] = z.astype(np.float32).ravel()
    return Strokes(index, along, side, height)


def _profile(t: FloatArray, belly: float) -> FloatArray:
    """Width along the stroke, 0 at the tip and 1 at the belly."""
    before = 0.45 + 0.55 * np.sin(np.minimum(t / max(belly, 1e-3), 1) * np.float32(np.pi / 2))
    after = np.cos(np.clip((t - belly) / (1 - belly), 0, 1) * np.float32(np.pi / 2))
    return (before * after).astype(np.float32)
