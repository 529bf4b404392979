# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of no material in particular: pieces, bumps, waves, fibres and ground, as random as they can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray
from generator.procedural.noise import noise, ridges
from generator.procedural.shaping import cover, lookup, smoothstep, spread_of
from generator.procedural.space import IntArray, Space
from generator.procedural.voronoi import voronoi


@dataclass
class Form:
    """A relief ``(H, W)`` of about 1 from low to high, and what it is made of.

    ``size`` is the usual length of a feature, in units. ``index`` numbers the pieces, of which there are ``count``;
    ``body`` is 1 on them and 0 between; ``edge`` the distance to their border in units, where that is known.
    """

    height: FloatArray
    size: float
    index: IntArray | None = None
    count: int = 0
    body: FloatArray | None = None
    edge: FloatArray | None = None


def any_form(space: Space, rng: np.random.Generator, salt: str) -> Form:
    """One form, by chance."""
    kinds: tuple[Callable[[Space, np.random.Generator, str], Form], ...]
    kinds = (_pieces, _pieces, _bumps, _waves, _ground, _fibres)
    return kinds[int(rng.integers(len(kinds)))](space, rng, salt)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two others whose logarithm is evenly spread."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def maybe(rng: np.random.Generator, share: float) -> bool:
    """True as often as ``share`` says."""
    return bool(rng.random() < share)


def _warp(
    space: Space, rng: np.random.Generator, salt: str, per_unit: float, most: float
) -> tuple[FloatArray, FloatArray]:
    """How far each place is displaced, in units; a slant by whole turns of the torus among it."""
    reach = rng.uniform(0, most) / per_unit
    frequency = between(rng, 1.5, max(2.0, per_unit))
    across, down = (reach * noise(space, frequency, f"{salt}/{axis}", 2) for axis in "xy")
    if maybe(rng, 0.3):
        across = across + float(rng.choice([-1, 1])) * space.y
    return across.astype(np.float32), down.astype(np.float32)


def _profile(t: FloatArray, rng: np.random.Generator) -> FloatArray:
    """From a border (0) to a middle (1): straight, round, soft, or a plateau."""
    kind = int(rng.integers(4))
    if kind == 0:
        return t
    if kind == 1:
        return np.sqrt(np.maximum(1 - (1 - t) ** 2, 0))
    return smoothstep(t, 0.0, 1.0 if kind == 2 else float(rng.uniform(0.1, 0.6)))


def _stretch(rng: np.random.Generator, most: float) -> tuple[float, float]:
    if maybe(rng, 0.5):
        return 1.0, 1.0
    longer = between(rng, 1.0, most)
    return (longer, 1.0) if maybe(rng, 0.5) else (1.0, longer)


def _pieces(space: Space, rng: np.random.Generator, salt: str) -> Form:
    """Cells with joints, bevels, steps and tilts."""
    per_unit = between(rng, 3, 30)
    cells = voronoi(
        space,
        per_unit,
        salt,
        float(rng.uniform(0, 0.9)),
        _warp(space, rng, f"{salt}/warp", per_unit, 0.4) if maybe(rng, 0.6) else None,
        float(rng.uniform(0, 0.15)) / per_unit if maybe(rng, 0.5) else 0.0,
        _stretch(rng, 4),
    )
    half = 0.5 / per_unit
    joint = float(rng.uniform(0, 0.25)) * half if maybe(rng, 0.7) else 0.0
    bevel = max(between(rng, 0.04, 1.0) * half, 1.2 * space.pixel)
    t = np.clip((cells.edge - joint) / bevel, 0, 1).astype(np.float32)
    height = _profile(t, rng)
    if maybe(rng, 0.35):
        turn = 2 * np.pi * rng.random()
        turns = turn + (2 * np.pi * space.each(f"{salt}/turn", cells.count) if maybe(rng, 0.5) else 0.0)
        way = np.broadcast_to(turns, (cells.count,))
        lean = lookup(np.cos(way).astype(np.float32), cells.index) * cells.u
        lean += lookup(np.sin(way).astype(np.float32), cells.index) * cells.v
        height = height + lean * np.float32(rng.uniform(0.2, 1.5) / cells.size) * (t > 0)
    if maybe(rng, 0.5):
        steps = lookup(space.each(f"{salt}/step", cells.count), cells.index)
        height = height + steps * np.float32(rng.uniform(0, 0.8)) * (t > 0)
    if maybe(rng, 0.15):
        height = -height
    body = smoothstep(t, 0.0, 0.3)
    return Form(height.astype(np.float32), 1 / per_unit, cells.index, cells.count, body, cells.edge)


def _bumps(space: Space, rng: np.random.Generator, salt: str) -> Form:
    """Discs, lozenges, bars and boxes, raised or sunk, strewn or in rows."""
    per_unit = between(rng, 3, 26)
    cells = voronoi(space, per_unit, salt, 0.0 if maybe(rng, 0.4) else float(rng.uniform(0, 0.9)))
    turn = np.pi * rng.random()
    if maybe(rng, 0.5):
        turn = turn + np.pi * lookup(space.each(f"{salt}/turn", cells.count), cells.index)
    along, across = cells.u * np.cos(turn) + cells.v * np.sin(turn), cells.v * np.cos(turn)
    across = across - cells.u * np.sin(turn)
    size = cells.size * lookup(
        (1 - rng.uniform(0, 0.6) * space.each(f"{salt}/size", cells.count)).astype(np.float32), cells.index
    )
    long = float(rng.uniform(0.2, 0.5))
    short = long / between(rng, 1.0, 3.5)
    power = float(rng.choice([1.0, 1.4, 2.0, 2.0, 4.0, 8.0]))
    away = np.abs(along / (long * size)) ** power + np.abs(across / (short * size)) ** power
    away = np.minimum(away, 100).astype(np.float32) ** np.float32(1 / power)
    t = np.clip((1 - away) / float(rng.uniform(0.15, 1.0)), 0, 1).astype(np.float32)
    if maybe(rng, 0.3):
        t = t * lookup((space.each(f"{salt}/there", cells.count) < 0.6).astype(np.float32), cells.index)
    height = _profile(t, rng) * np.float32(1 if maybe(rng, 0.75) else -1)
    return Form(height, short * cells.size, cells.index, cells.count, smoothstep(t, 0.0, 0.25))


def _waves(space: Space, rng: np.random.Generator, salt: str) -> Form:
    """Ribs, grooves and corrugations in any direction, or two of them crossing."""
    across, down = int(rng.integers(-24, 25)), int(rng.integers(-24, 25))
    if maybe(rng, 0.5):
        across, down = (across, 0) if maybe(rng, 0.5) else (0, down)
    if abs(across) + abs(down) < 3:
        across += 5
    length = 1 / float(np.hypot(across, down))
    bend = np.float32(rng.uniform(0, 0.8)) * noise(space, between(rng, 1.5, 8), f"{salt}/bend", 2)
    phase = space.x * across + space.y * down + bend
    height = _wave(phase, rng)
    if maybe(rng, 0.3):
        crossing = _wave(space.x * -down + space.y * across + bend, rng)
        height = np.maximum(height, crossing) if maybe(rng, 0.5) else height * crossing
    return Form(height.astype(np.float32), 0.5 * length, body=smoothstep(height, 0.15, 0.5))


def _wave(phase: FloatArray, rng: np.random.Generator) -> FloatArray:
    fraction = phase - np.floor(phase)
    triangle = 1 - np.abs(2 * fraction - 1)
    kind = int(rng.integers(4))
    if kind == 0:
        return (0.5 + 0.5 * np.sin(2 * np.pi * phase)).astype(np.float32)
    if kind == 1:
        return np.sqrt(np.maximum(1 - (1 - triangle) ** 2, 0)).astype(np.float32)
    if kind == 2:
        level = float(rng.uniform(0.2, 0.8))
        return smoothstep(triangle.astype(np.float32), level - 0.12, level + 0.12)
    fall = float(rng.uniform(0.6, 0.95))
    return np.where(fraction < fall, fraction / fall, (1 - fraction) / (1 - fall)).astype(np.float32)


def _ground(space: Space, rng: np.random.Generator, salt: str) -> Form:
    """Rough, billowing, ridged, terraced or blotched."""
    frequency, octaves = between(rng, 2, 30), int(rng.integers(1, 7))
    gain, stretch = float(rng.uniform(0.35, 0.8)), _stretch(rng, 6)
    kind = int(rng.integers(5))
    if kind == 1:
        height = ridges(space, frequency, salt, min(octaves, 4), gain, stretch)
    else:
        height = noise(space, frequency, salt, octaves, gain, stretch)
        if kind == 2:
            height = np.abs(height)
        elif kind == 3:
            steps = float(rng.uniform(1, 4))
            whole = np.floor(height * steps)
            height = (whole + smoothstep(height * steps - whole, 0.5, 1.0)) / steps
        elif kind == 4:
            height = cover(height, float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.05, 0.5)))
    height = height * np.float32((1 if maybe(rng, 0.6) else -1) * 0.25 / spread_of(height))
    return Form(height.astype(np.float32), 0.5 / frequency, body=cover(height, 0.5, 0.3))


def _fibres(space: Space, rng: np.random.Generator, salt: str) -> Form:
    """Threads that lie beside and over each other, more or less straight."""
    per_unit, layers = between(rng, 8, 36), int(rng.integers(1, 4))
    height, index, count = np.full(space.shape, -1, np.float32), None, 0
    standing = maybe(rng, 0.5)
    for number in range(layers):
        part = f"{salt}/{number}"
        long = between(rng, 4, 14)
        cells = voronoi(
            space,
            per_unit,
            part,
            0.9,
            _warp(space, rng, f"{part}/warp", per_unit, 1.2),
            stretch=(1.0, long) if standing != maybe(rng, 0.3) else (long, 1.0),
        )
        thread = np.clip(cells.edge * (2 * per_unit), 0, 1).astype(np.float32)
        over = np.sqrt(np.maximum(1 - (1 - thread) ** 2, 0))
        over = over + 0.8 * lookup(space.each(f"{part}/over", cells.count), cells.index)
        above = over > height
        height = np.where(above, over, height)
        index = cells.index if index is None else np.where(above, cells.index + count, index)
        count += cells.count
    return Form((height / 1.8).astype(np.float32), 0.5 / per_unit, index, count)
