# SPDX-License-Identifier: GPL-3.0-or-later
"""What one walks on outdoors: sand, snow, mud, dry earth, gravel, pebbles."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, each_in, tilt, wobble
from generator.procedural.noise import noise
from generator.procedural.palette import gradient, palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, smooth_maximum, smoothstep
from generator.procedural.space import Space
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import Cells, voronoi

_PEBBLES = (
    "8c8880 a39b8e 6f6d6b b8afa0 77706a 9a8d7d",
    "7d7f82 94979a 63666a a9abab 86827c",
    "a08f7a b5a58e 8a7967 75695d c2b49f",
)
_GRAVELS = (
    "8a8681 9c9791 74716d aaa59d 66635f",
    "a39684 8f8270 b5a996 7d7263",
    "6b6d70 7c7e80 5a5c5f 8e9091",
)


@family(
    "sand",
    "sand, dune, beach, desert, seabed, sand dune, beach sand, sandy ground, sandbox, zen garden",
    "rippled golden sand",
)
def sand(space: Space, description: Description) -> Surface:
    """Wind ripples that fork and drift, steep to the lee, of grains of many tints."""
    unit = description.size
    lines = max(2, round(15 / unit * space.extent[1]))
    drift = noise(space, 2.4 / unit, "sand/drift", 4, 0.45, (1.3, 1.0))
    phase = (
        space.y * np.float32(lines / space.extent[1])
        + drift * 0.75
        + noise(space, 9 / unit, "sand/fork", 4, 0.55) * 0.16
    )
    tooth = phase - np.floor(phase)
    ripple = np.where(tooth < 0.62, smoothstep(tooth, -0.04, 0.66), 1 - smoothstep(tooth, 0.58, 1.04))
    strong = 0.9 if description.says("wavy") or space.pick("sand/windy") > 0.25 else 0.3
    strength = strong * (0.3 + 0.7 * smoothstep(noise(space, 3.2 / unit, "sand/calm", 4), -1.2, 1.0))
    grains = noise(space, 110, "sand/grains", 3, 0.85)
    dents = noise(space, 14 / unit, "sand/dents", 5, 0.6)
    dune = noise(space, 1.6, "sand/dune", 3, 0.5)
    height = ripple * strength * np.float32(0.0078 * unit) + dune * np.float32(0.008)
    height += dents * np.float32(0.0008) + grains * np.float32(0.00032)
    base = palette(
        space, description, "sand", ("c3a77c", "cdb790", "b8946a", "d3c3a2"), chroma=0.8, earthen=True
    )[0]
    tone = 0.55 + 0.1 * grains + 0.05 * dents + 0.09 * (ripple - 0.5) * strength + 0.04 * dune
    colour = ramp(tone, gradient(base, -0.1, 0.08, 6, 8))
    coarse = smoothstep(noise(space, 130, "sand/coarse", 2, 0.9) + 0.5 * (0.5 - ripple), 1.7, 2.5)
    colour = mix(colour, flat(shade(base, -0.22, 0.6)), coarse * 0.55)
    bright = smoothstep(noise(space, 130, "sand/bright", 2, 0.9), 1.8, 2.6)
    colour = mix(colour, flat(rgb("ece4d2")), bright * 0.5)
    return surface(
        space, colour, height, np.clip(0.87 + 0.03 * grains + 0.025 * dents - 0.12 * bright, 0.5, 1)
    )


@family(
    "snow",
    "snow, fresh snow, powder snow, snowfield, snowdrift, powder, melting snow",
    "fresh snow",
)
def snow(space: Space, description: Description) -> Surface:
    """Wind-packed snow: soft drifts, crusts torn by the wind, glinting grain."""
    unit = description.size
    drift = noise(space, 1.8 / unit, "snow/drift", 4, 0.45)
    crust = noise(space, 6 / unit, "snow/crust", 5, 0.55, (1.8, 1.0))
    lips = crust + 0.6 * drift
    steps = smoothstep(lips - np.floor(lips), 0.55, 1.0) + np.floor(lips)
    lumps = noise(space, 26 / unit, "snow/lumps", 4, 0.6)
    grain = noise(space, 110, "snow/grain", 3, 0.85)
    height = drift * np.float32(0.012 * unit) + (0.55 * lips + 0.45 * steps) * np.float32(0.0042 * unit)
    height += lumps * np.float32(0.0011 * unit) + grain * np.float32(0.0004)
    stops = np.stack([rgb(text) for text in ("c3d0df", "dae3ec", "e9eef2", "f3f4f5")])
    if description.colours:
        stops = gradient(palette(space, description, "snow", ("e9eef2",), 0.5, 0.1)[0], -0.08, 0.08, 4)
    colour = ramp(0.62 + 0.11 * grain + 0.1 * lumps + 0.07 * crust, stops)
    glints = smoothstep(noise(space, 140, "snow/glints", 2, 0.9), 1.9, 2.5)
    return surface(space, colour, height, np.clip(0.66 + 0.05 * lumps - 0.35 * glints, 0.15, 1))


def _pile(
    space: Space,
    salt: str,
    layers: tuple[tuple[float, float], ...],
    bases: FloatArray,
    unit: float,
    angular: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Loose stones in layers over each other: height, colour and how deep in the pile, each ``(H, W)``.

    ``layers`` are (stones per unit, share of them that lie there), from the smallest up; ``angular`` from 0,
    river-worn, to 1, crushed.
    """
    height = noise(space, 20, f"{salt}/bed", 4) * np.float32(0.001)
    colour = np.broadcast_to(flat(shade(bases.mean(axis=0), -0.2, 0.8)), (3, *space.shape))
    grit = noise(space, 90, f"{salt}/grit", 3, 0.8)
    clouds = noise(space, 26 / unit, f"{salt}/clouds", 4, 0.6)
    colour = colour * (1 + 0.1 * grit)
    for number, (density, share) in enumerate(layers):
        name = f"{salt}/{number}"
        size = unit / density
        warp = wobble(space, name, density / unit * 1.2, (0.025 + 0.075 * angular) * size, 3)
        cells = voronoi(space, density / unit, name, 0.88, warp, (0.1 - 0.08 * angular) * size)
        there = space.each(f"{name}/there", cells.count) < share
        shrink = (space.each(f"{name}/size", cells.count) * np.float32(0.16 * size)).take(cells.index)
        inside = np.maximum(cells.edge - shrink - np.float32(0.03 * size), 0)
        if angular == 0:
            inside = np.minimum(
                _ellipses(space, name, cells, np.float32(size)), inside + np.float32(0.06 * size)
            )
            inside = np.maximum(inside, 0)
        body = bevel(inside, (0.34 - 0.12 * angular) * size)
        body = body * np.float32(0.36 * size) + tilt(
            space, name, cells.index, cells.count, cells.u, cells.v, 0.22 + 0.5 * angular
        ) * (inside > 0)
        if angular > 0:
            facet = voronoi(space, density * 2.3 / unit, f"{name}/facet", 0.9, warp)
            body += tilt(
                space, f"{name}/facet", facet.index, facet.count, facet.u, facet.v, 0.4 * angular
            ) * (inside > 0)
        base = each_in(space, f"{name}/level", cells.index, cells.count, 0.0, 0.22) * np.float32(size)
        skin = clouds * np.float32(0.008 + 0.012 * angular) + grit * np.float32(0.003 + 0.005 * angular)
        top = base + body + skin * np.float32(size)
        stone = (inside > 0) & there.take(cells.index) & (top > height)
        tints = scatter(space, f"{name}/tint", bases, cells.count, 0.045, 0.25, 9)
        own = lookup(tints, cells.index) * (1 + 0.07 * clouds + 0.06 * grit)
        colour = np.where(stone, own, colour)
        height = np.where(stone, top, height)
    return height.astype(np.float32), colour.astype(np.float32), grit


def _ellipses(space: Space, salt: str, cells: Cells, size: np.float32) -> FloatArray:
    """How far inside its cell's own ellipse each pixel lies, negative outside: the shapes that rivers leave."""
    turn = space.each(f"{salt}/turn", cells.count) * np.float32(np.pi)
    cos, sin = np.cos(turn).take(cells.index), np.sin(turn).take(cells.index)
    long = size * (0.4 + 0.2 * space.each(f"{salt}/long", cells.count))
    short = long * (0.62 + 0.36 * space.each(f"{salt}/short", cells.count))
    along, across = cells.u * cos + cells.v * sin, cells.v * cos - cells.u * sin
    long, short = long.take(cells.index), short.take(cells.index)
    return (1 - np.hypot(along / long, across / short)) * short


@family(
    "pebbles",
    "pebble, river stone, river rock, beach stone, shingle beach, river bed, riverbed, round "
    "stone, smooth stone",
    "wet river pebbles",
)
def pebbles(space: Space, description: Description) -> Surface:
    """River-worn pebbles of four sizes, the large ones over the small."""
    unit = description.size
    bases = palette(space, description, "pebbles", _PEBBLES, chroma=0.6, earthen=True)
    height, colour, grit = _pile(
        space, "pebbles", ((56, 1.0), (32, 1.0), (18, 0.8), (10.5, 0.5)), bases, unit, 0.0
    )
    return surface(space, colour, height, np.clip(0.58 + 0.05 * grit, 0.3, 0.95))


@family(
    "gravel",
    "gravel, crushed stone, ballast, scree, grit, railway ballast, chippings, stones, rubble ground, "
    "debris, gravel path, gravel driveway, stone chips, railroad, railway track",
    "grey gravel",
)
def gravel(space: Space, description: Description) -> Surface:
    """Crushed stone with sharp faces, fines between."""
    unit = description.size
    bases = palette(space, description, "gravel", _GRAVELS, chroma=0.5, earthen=True)
    height, colour, grit = _pile(space, "gravel", ((48, 1.0), (26, 0.8), (16, 0.4)), bases, unit, 0.8)
    return surface(space, colour, height, np.clip(0.86 + 0.05 * grit, 0.5, 1.0))


@family(
    "mud",
    "mud, soil, earth, dirt ground, ground, clay, forest floor, forest ground, dirt path, dirt "
    "road, farmland, terrain, loam, compost, potting soil, garden soil, clay soil, swamp, marsh, bog, pine forest, "
    "pine forest floor, woodland, jungle floor, forest, rammed earth, dirt, garden bed",
    "wet brown mud",
)
def mud(space: Space, description: Description) -> Surface:
    """Trodden earth: clods, smears, small stones pressed in."""
    unit = description.size
    warp = wobble(space, "mud", 9 / unit, 0.014 * unit, 5)
    clods = voronoi(space, 17 / unit, "mud/clods", 0.9, warp, 0.012 * unit)
    crumbs = voronoi(space, 44 / unit, "mud/crumbs", 0.9, warp, 0.004 * unit)
    mass = noise(space, 2.6 / unit, "mud/mass", 5, 0.55)
    fine = noise(space, 34 / unit, "mud/fine", 5, 0.68)
    loose = smoothstep(noise(space, 4 / unit, "mud/loose", 4), -0.8, 1.2)
    dome = bevel(clods.edge, 0.022 * unit) * loose
    height = mass * np.float32(0.008 * unit) + dome * np.float32(0.009 * unit)
    height += bevel(crumbs.edge, 0.009 * unit) * np.float32(0.0036 * unit) * (
        0.35 + 0.65 * loose
    ) + fine * np.float32(0.0012)
    base = palette(
        space, description, "mud", ("5a4534", "66503b", "4b3a2d", "75583d"), chroma=0.7, earthen=True
    )[0]
    tone = (
        0.5
        + 0.13 * fine
        + 0.12 * mass
        + 0.1 * (dome - 0.4)
        + 0.06 * each_in(space, "mud/own", crumbs.index, crumbs.count)
    )
    colour = ramp(tone, gradient(base, -0.14, 0.12, 6, 8))
    stones = voronoi(space, 24 / unit, "mud/stones", 0.85, wobble(space, "mud/s", 40, 0.003), 0.002 * unit)
    shown = (space.each("mud/shown", stones.count) < 0.11).astype(np.float32).take(stones.index)
    inside = np.maximum(stones.edge - np.float32(0.004 * unit), 0)
    stone = smoothstep(inside, 0, 0.003 * unit) * shown
    height = mix(
        height,
        smooth_maximum(height, height + bevel(inside, 0.012 * unit) * np.float32(0.008 * unit), 0.002),
        stone,
    )
    greys = scatter(space, "mud/grey", np.stack([rgb("86807a"), rgb("6f6a63")]), stones.count, 0.05, 0.3, 9)
    colour = mix(colour, lookup(greys, stones.index) * (1 + 0.06 * fine), stone)
    return surface(space, colour, height, np.clip(0.86 + 0.05 * fine - 0.1 * stone, 0.4, 1), 0.0)


@family(
    "dryearth",
    "cracked earth, dry earth, cracked mud, dry mud, parched earth, drought, dried mud, desert "
    "ground, cracked ground, cracked soil, dry ground, cracked clay, "
    "salt flat, salt lake, dry lake, lake bed, cracked dry mud, dry riverbed",
    "dry cracked earth",
)
def dry_earth(space: Space, description: Description) -> Surface:
    """A dried lake bed: plates that shrank apart, their rims curled up, each split again by finer cracks."""
    unit = description.size
    warp = wobble(space, "dry", 8 / unit, 0.006 * unit, 5)
    plates = voronoi(space, 6.5 / unit, "dry", 0.9, warp)
    parts = voronoi(space, 15 / unit, "dry/parts", 0.9, (warp[0] * 1.4, warp[1] * 1.4))
    fine = noise(space, 30 / unit, "dry/fine", 6, 0.66)
    rim = noise(space, 24 / unit, "dry/rim", 4, 0.6)
    breadth = (0.0085 + 0.003 * noise(space, 7, "dry/breadth", 3)) * unit + rim * np.float32(0.0012 * unit)
    thin = np.maximum(0.0024 + 0.0022 * noise(space, 5, "dry/thin", 3), 0) * unit
    inside = plates.edge - np.maximum(breadth, 0.002 * unit)
    plate = smoothstep(inside, -0.0018 * unit, 0.0035 * unit)
    split = 1 - smoothstep(parts.edge, thin * 0.5, thin + np.float32(0.0022 * unit))
    split *= smoothstep(thin, 0.0003 * unit, 0.0014 * unit)
    curl = np.exp(-np.maximum(inside, 0) * np.float32(1 / (0.02 * unit)))
    height = plate * (
        np.float32(0.021 * unit) + curl * np.float32(0.0062 * unit) + fine * np.float32(0.0008 * unit)
    )
    height += plate * tilt(space, "dry", plates.index, plates.count, plates.u, plates.v, 0.03)
    height -= split * plate * np.float32(0.008 * unit)
    height += (1 - plate) * noise(space, 40, "dry/bottom", 4) * np.float32(0.0012 * unit)
    base = palette(
        space, description, "dry", ("a68a68", "b3977a", "94785a", "a99a83"), chroma=0.7, earthen=True
    )[0]
    tints = scatter(space, "dry/tint", base[None], plates.count, 0.02, 0.1, 3)
    colour = lookup(tints, plates.index) * (1 + 0.055 * fine + 0.05 * noise(space, 3, "dry/clouds", 5))
    salt = smoothstep(noise(space, 4, "dry/salt", 6, 0.62) + curl, 0.8, 2.6)
    colour = mix(colour, flat(shade(base, 0.15, 0.5)), salt * 0.5)
    colour = mix(flat(shade(base, -0.24, 0.9)) * (1 + 0.08 * fine), colour, plate)
    colour *= 1 - 0.35 * split
    return surface(space, colour, height, np.clip(0.91 + 0.03 * fine, 0.6, 1), 0.0, 1 - plate)
