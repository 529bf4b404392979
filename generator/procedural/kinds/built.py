# SPDX-License-Identifier: GPL-3.0-or-later
"""Poured, spread and nailed: concrete, plaster, asphalt, roofs."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, each_in, wobble
from generator.procedural.noise import noise, ridges
from generator.procedural.palette import gradient, palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, smoothstep
from generator.procedural.space import IntArray, Space
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi


@family(
    "concrete",
    "concrete, cement, screed, beton, concrete slab, sidewalk, brutalist, concrete floor, microcement, epoxy floor, "
    "exposed aggregate, washed concrete, pebble dash, pebbledash, kerb, curb, board formed concrete, "
    "board marked concrete, shuttered concrete",
    "cracked concrete wall",
    upright=True,
)
def concrete(space: Space, description: Description) -> Surface:
    """Cast concrete: clouds of cement milk, blow holes, aggregate that shows through, faint marks of the form."""
    unit = description.size
    clouds = noise(space, 2.2 / unit, "concrete/clouds", 7, 0.62)
    blotch = noise(space, 6 / unit, "concrete/blotch", 6, 0.6)
    fine = noise(space, 60 / unit, "concrete/fine", 4, 0.75)
    base = palette(space, description, "concrete", ("9d9a94", "a7a39b", "8b8a87", "aba69a"), chroma=0.5)[0]
    colour = ramp(0.53 + 0.1 * clouds + 0.07 * blotch + 0.045 * fine, gradient(base, -0.14, 0.1, 7, 6))
    damp = smoothstep(noise(space, 2.8, "concrete/damp", 6, 0.62), 0.5, 1.3)
    colour *= 1 - 0.13 * damp
    holes = np.zeros(space.shape, np.float32)
    for salt, density, share, size in (("a", 20, 0.3, 0.15), ("b", 44, 0.24, 0.19)):
        cells = voronoi(
            space, density / unit, f"concrete/{salt}", 0.85, wobble(space, f"concrete/{salt}", 70, 0.0006)
        )
        radius = space.each(f"concrete/{salt}r", cells.count) ** 2 * np.float32(size / density * unit)
        radius *= space.each(f"concrete/{salt}on", cells.count) < share
        depth = np.maximum(radius.take(cells.index) - cells.near, 0)
        holes = np.maximum(holes, smoothstep(depth, 0.0, 0.0012 * unit + space.pixel))
    stones = voronoi(
        space, 38 / unit, "concrete/stones", 0.9, wobble(space, "concrete/s", 60, 0.002), 0.002 * unit
    )
    shows = smoothstep(noise(space, 5, "concrete/shows", 4), 0.9, 2.4) * smoothstep(
        stones.edge, 0.003 * unit, 0.005 * unit
    )
    bare = _says(description, "aggregate", "washed", "pebble")
    if bare:
        shows = smoothstep(stones.edge, 0.0015 * unit, 0.0045 * unit)
    greys = scatter(
        space,
        "concrete/grey",
        np.stack([rgb("7d7a76"), rgb("a09a90"), rgb("6c6863")]),
        stones.count,
        0.05,
        0.3,
        9,
    )
    colour = mix(colour, lookup(greys, stones.index), shows * np.float32(0.85 if bare else 0.22))
    colour = mix(colour, colour * flat((0.5, 0.49, 0.47)), holes)
    trowel = noise(space, 9 / unit, "concrete/trowel", 3, 0.5, (2.5, 1.0))
    height = (
        clouds * np.float32(0.0009)
        + blotch * np.float32(0.0005)
        + fine * np.float32(0.00024)
        + trowel * np.float32(0.0004)
    )
    height -= holes * np.float32(0.0042 * unit) - shows * np.float32(0.0006)
    if bare:
        height += bevel(np.maximum(stones.edge - np.float32(0.001 * unit), 0), 0.009 * unit) * np.float32(
            0.006 * unit
        )
    if _says(description, "board", "shutter"):
        printed, tone = _shuttering(space, unit)
        height += printed
        colour *= tone
    roughness = 0.78 + 0.05 * fine + 0.04 * blotch - 0.09 * damp
    return surface(space, colour, height, np.clip(roughness, 0.45, 1))


def _says(description: Description, *parts: str) -> bool:
    return any(part in word for word in description.understood for part in parts)


def _shuttering(space: Space, unit: float) -> tuple[FloatArray, FloatArray]:
    """What the boards of the form left on concrete: their grain, a fin at each joint, a tone for each; height, tone."""
    boards = space.count(8 / unit)[1]
    y = space.y * np.float32(boards / space.extent[1]) + np.float32(space.pick("concrete/board"))
    y = y + 0.012 * noise(space, 3 / unit, "concrete/edge", 2)
    number = (np.floor(y).astype(np.int32) % boards).astype(np.int32)
    away = np.minimum(y - np.floor(y), np.ceil(y) - y) * np.float32(space.extent[1] / boards)
    fin = 1 - smoothstep(away, 0.0, 0.0022 * unit + 0.7 * space.pixel)
    wood = noise(space, 70 / unit, "concrete/wood", 3, 0.7, (18.0, 1.0))
    height = fin * np.float32(0.002 * unit) + wood * np.float32(0.0004 * unit)
    height += each_in(space, "concrete/level", number, boards) * np.float32(0.0012 * unit)
    tone = 1 + 0.03 * wood - 0.1 * fin + 0.045 * each_in(space, "concrete/tone", number, boards)
    return height, tone


@family(
    "plaster",
    "plaster, stucco, render coat, roughcast, adobe, whitewash, drywall, plastered, limewash, daub, "
    "cob wall, gypsum, tadelakt, fresco, wattle and daub",
    "old yellow plaster",
    upright=True,
)
def plaster(space: Space, description: Description) -> Surface:
    """Lime plaster: strokes of the float over each other, sand, hairline crazing, clouds of limewash."""
    unit = description.size
    trowel = Brush((0.1 * unit, 0.26 * unit), (0.05 * unit, 0.11 * unit), bend=0.5, belly=0.5, lift=0.0)
    sweeps = draw(space, "plaster", 240 / unit**2, trowel)
    lap = smoothstep(1 - np.abs(sweeps.across), 0.0, 0.35)
    count = int(sweeps.index.max()) + 2
    slant = each_in(space, "plaster/slant", sweeps.index + 1, count) * sweeps.across
    sand = noise(space, 95, "plaster/sand", 3, 0.85)
    grain = noise(space, 30, "plaster/grain", 5, 0.65)
    swell = noise(space, 3 / unit, "plaster/swell", 4, 0.5)
    rough = 2.6 if "roughcast" in description.understood or "stucco" in description.understood else 1.0
    bumps = noise(space, 40 / unit, "plaster/bumps", 3, 0.6) * (rough > 1)
    height = swell * np.float32(0.0024 * unit) + (lap * 0.35 + slant * 0.5) * np.float32(0.0021 * unit)
    height += grain * np.float32(0.0005 * rough) + sand * np.float32(0.00028 * rough)
    height += np.maximum(bumps, -0.3) * np.float32(0.0022 * unit)
    craze = voronoi(space, 9 / unit, "plaster/craze", 0.9, wobble(space, "plaster/c", 12, 0.009, 4))
    thin = np.maximum(noise(space, 3, "plaster/thin", 3) - 0.5, 0) * np.float32(0.0011)
    line = (1 - smoothstep(craze.edge, thin * 0.3, thin + np.float32(space.pixel * 0.5))) * smoothstep(
        thin, 0.0001, 0.0006
    )
    height -= line * np.float32(0.0012)
    base = palette(
        space,
        description,
        "plaster",
        ("d5c8ae", "d9d3c6", "c99b77", "c3b49a", "cbb28a", "b9bdb8"),
        chroma=0.72,
    )[0]
    clouds = noise(space, 2.4, "plaster/clouds", 7, 0.62)
    tone = 0.58 + 0.1 * clouds + 0.035 * grain + 0.04 * sand + 0.07 * (lap - 0.6)
    colour = ramp(tone, gradient(base, -0.13, 0.06, 6, 6)) * (1 - 0.4 * line)
    return surface(space, colour, height, np.clip(0.88 + 0.03 * sand - 0.04 * lap, 0.5, 1))


@family(
    "asphalt",
    "asphalt, tarmac, road, blacktop, bitumen, tar, pavement road, highway, macadam, parking lot, "
    "tar road, racetrack, car park",
    "wet cracked asphalt",
)
def asphalt(space: Space, description: Description) -> Surface:
    """Crushed stone in bitumen, rubbed bare on top, patched and stained by traffic."""
    unit = description.size
    warp = wobble(space, "asphalt", 70 / unit, 0.002 * unit, 2)
    coarse = voronoi(space, 56 / unit, "asphalt/coarse", 0.9, warp, 0.0012 * unit)
    fine = voronoi(space, 115 / unit, "asphalt/fine", 0.9, None, 0.0006 * unit)
    sunk = space.each("asphalt/sunk", coarse.count)
    wear = noise(space, 3, "asphalt/wear", 5, 0.6)
    stone = bevel(coarse.edge - np.float32(0.0012 * unit), 0.006 * unit) * smoothstep(
        sunk.take(coarse.index) + 0.12 * wear, 0.3, 0.55
    )
    crumbs = bevel(fine.edge, 0.003 * unit)
    grit = noise(space, 120, "asphalt/grit", 2, 0.85)
    height = np.maximum(stone * 0.0052, crumbs * 0.0028 - 0.0004).astype(np.float32) * np.float32(unit)
    height += noise(space, 4, "asphalt/swell", 4) * np.float32(0.0018) + grit * np.float32(0.0002)
    base = palette(space, description, "asphalt", ("4a4a4b", "575654", "403f40"), chroma=0.5)[0]
    greys = np.stack([rgb("7d7b78"), rgb("6a6866"), rgb("8d8983"), rgb("5d5c5c"), rgb("9a948b")])
    stones = lookup(scatter(space, "asphalt/stone", greys, coarse.count, 0.04, 0.3, 8), coarse.index)
    small = each_in(space, "asphalt/small", fine.index, fine.count)
    colour = flat(base) * (0.92 + 0.09 * small + 0.05 * grit + 0.06 * wear)
    rubbed = np.clip(stone * (0.62 + 0.22 * wear), 0, 1)
    colour = mix(colour, stones * (1 + 0.06 * grit), rubbed * 0.75)
    oil = smoothstep(noise(space, 2.4, "asphalt/oil", 6, 0.6), 1.0, 2.0)
    colour *= 1 - 0.25 * oil
    return surface(space, colour, height, np.clip(0.88 + 0.04 * grit - 0.16 * oil - 0.08 * rubbed, 0.4, 1))


def _courses(
    space: Space, nx: int, ny: int, hang: float, scallop: float, salt: str
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Lapping courses: place across the tile (-1 to 1), down it from the upper one (0) to its foot (1), number."""
    x = space.x * np.float32(nx / space.extent[0]) + noise(space, 4, f"{salt}/lean", 2) * np.float32(0.025)
    y = space.y * np.float32(ny / space.extent[1]) + noise(space, 3, f"{salt}/sag", 3) * np.float32(0.03)
    x += np.float32(space.pick(f"{salt}/x", 0, nx))
    y += np.float32(space.pick(f"{salt}/y", 0, ny))
    row = np.floor(y)
    down = y - row

    def across(of: FloatArray) -> tuple[FloatArray, IntArray]:
        shifted = x + np.where(of % 2 == 0, 0, 0.5).astype(np.float32)
        column = np.floor(shifted)
        number = (of.astype(np.int32) % ny) * nx + column.astype(np.int32) % nx
        return (shifted - column) * 2 - 1, number.astype(np.int32)

    fx, number = across(row - 1)
    foot = each_in(space, f"{salt}/foot", number, nx * ny, 0.0, hang)
    foot = foot + np.float32(scallop) * np.sqrt(np.maximum(1 - np.square(fx), 0))
    above = down < foot
    fx_here, number_here = across(row)
    own_foot = each_in(space, f"{salt}/foot", number_here, nx * ny, 0.0, hang)
    own_foot = own_foot + np.float32(scallop) * np.sqrt(np.maximum(1 - np.square(fx_here), 0))
    length = 1 + np.where(above, foot, own_foot)
    place = np.where(above, down + 1, down) / length
    return np.where(above, fx, fx_here), place.astype(np.float32), np.where(above, number, number_here)


@family(
    "rooftiles",
    "roof tile, roof, clay tile, clay roof tile, pantile, roofing, roman tile, tiled roof, terracotta roof, "
    "rooftop, spanish tile, mission tile",
    "old mossy clay roof tiles",
    upright=True,
)
def roof_tiles(space: Space, description: Description) -> Surface:
    """Barrel tiles of fired clay in lapping courses."""
    unit = description.size
    nx, ny = space.count(8 / unit, 6 / unit, (1, 2))
    x = space.x * np.float32(nx / space.extent[0]) + noise(space, 4, "pantile/lean", 2) * np.float32(0.03)
    x += np.float32(space.pick("pantile/x", 0, nx))
    column = np.floor(x)
    fx = x - column
    row_shift = noise(space, 3, "pantile/sag", 3) * np.float32(0.02)
    offset = space.random("pantile/drop", np.arange(nx))[(column.astype(np.int32) % nx)] * np.float32(0.06)
    offset = offset + np.float32(space.pick("pantile/y", 0, ny))
    y = space.y * np.float32(ny / space.extent[1]) + row_shift + offset
    # The foot of each tile is round, because the barrel is.
    arch = np.where(fx < 0.62, np.sin(np.minimum(fx / 0.62, 1) * np.float32(np.pi)), 0).astype(np.float32)
    y = y - 0.05 * arch
    row = np.floor(y)
    down = y - row
    number = ((row.astype(np.int32) % ny) * nx + column.astype(np.int32) % nx).astype(np.int32)
    pan = np.where(
        fx >= 0.62, -0.42 * np.sin(np.clip((fx - 0.62) / 0.38, 0, 1) * np.float32(np.pi)), 0
    ).astype(np.float32)
    grain = noise(space, 24, "pantile/grain", 5, 0.65)
    tile = np.float32(1 / 8 * unit)
    height = (arch + pan) * tile * np.float32(0.3) + down * tile * np.float32(0.16)
    height += each_in(space, "pantile/out", number, nx * ny) * np.float32(0.0016 * unit) + grain * np.float32(
        0.0004
    )
    foot = smoothstep(down, 0.965, 1.0)
    shadow = 1 - smoothstep(down, 0.0, 0.045)
    height -= foot * np.float32(0.003 * unit)
    bases = palette(
        space,
        description,
        "pantile",
        ("a65a3c 984d33 b46b49 8a4630", "a8623f b57350 96563a 7f4a35"),
        chroma=0.78,
    )
    colour = lookup(scatter(space, "pantile/tint", bases, nx * ny, 0.035, 0.13, 5), number)
    clouds = noise(space, 8, "pantile/clouds", 5, 0.62)
    colour *= 1 + 0.06 * grain + 0.06 * clouds
    lichen = smoothstep(noise(space, 12, "pantile/lichen", 5, 0.65) + 0.5 * arch, 1.3, 2.2)
    colour = mix(colour, flat(rgb("b5ad97")), lichen * 0.45)
    soot = smoothstep(clouds - arch, -0.3, 2.0)
    colour *= 1 - 0.22 * soot - 0.28 * shadow
    gap = np.clip(shadow + np.exp(-np.square((fx - 0.81) / 0.07)) * 0.5, 0, 1)
    edge = (1 - down) * np.float32(space.extent[1] / ny)
    return surface(
        space, colour, height, np.clip(0.83 + 0.04 * grain, 0.5, 1), 0.0, gap, edge, number, nx * ny
    )


@family(
    "shingles",
    "shingle, roof shingle, asphalt shingle, slate roof, roof slate, wood shingle, shake, fish scale, fish scale "
    "tile, scale, dragon scale, scalloped tile, scallop, snakeskin, snake skin, reptile skin, "
    "snake scale, scale armor, "
    "scale armour, wooden shake, cedar shake",
    "weathered slate roof shingles",
    upright=True,
)
def shingles(space: Space, description: Description) -> Surface:
    """Split slates, wooden shakes or round scales in lapping courses."""
    unit = description.size
    said = " ".join(description.understood)
    scale = "scale" in said or "scallop" in said
    wooden = "wood" in said or "shake" in said or description.inlay == "wood"
    nx, ny = space.count(8 / unit, (9 if scale else 8) / unit, (1, 2))
    fx, down, number = _courses(space, nx, ny, 0.04 if scale else 0.12, 0.5 if scale else 0.0, "shingle")
    count = nx * ny
    side = (1 - np.abs(fx)) * np.float32(space.extent[0] / nx / 2)
    ragged = noise(space, 40, "shingle/ragged", 4, 0.65) * np.float32(0.0011)
    gap = (
        1 - smoothstep(side + ragged, 0.0009 * unit, 0.0026 * unit)
        if not scale
        else np.zeros(space.shape, np.float32)
    )
    cleft = noise(space, 7 / unit, "shingle/cleft", 6, 0.6, (1, 4) if wooden else (1, 1.2)) + each_in(
        space, "shingle/bed", number, count, 0, 3
    )
    steps = np.floor(cleft * 1.5) + smoothstep(cleft * 1.5 - np.floor(cleft * 1.5), 0.75, 1.0)
    fibre = noise(space, 60, "shingle/fibre", 3, 0.75, (1, 16) if wooden else (1, 1))
    thick = np.float32(0.017 * unit)
    height = down * thick + each_in(space, "shingle/out", number, count) * np.float32(0.0016 * unit)
    height += each_in(space, "shingle/slant", number, count) * fx * np.float32(0.0016 * unit)
    height += (steps - cleft * 1.5) * np.float32(0.0008 * unit) + fibre * np.float32(0.00035)
    height -= gap * np.float32(0.008 * unit)
    if scale:
        height -= np.square(fx) * np.float32(0.005 * unit)
    sets = ("7d6a55 8d7963 6f5e4c",) if wooden else ("5c636b 535a62 676b70 4d5156", "6a6660 5f5c58 77726b")
    bases = palette(space, description, "shingle", sets, chroma=0.75)
    colour = lookup(scatter(space, "shingle/tint", bases, count, 0.035, 0.18, 7), number)
    colour *= 1 + 0.05 * (steps - cleft * 1.5) + 0.055 * fibre + 0.05 * noise(space, 5, "shingle/clouds", 5)
    shadow = 1 - smoothstep(down, 0.08, 0.3)
    colour *= (1 - 0.22 * shadow) * (1 - 0.55 * gap)
    foot = (1 - down) * np.float32(space.extent[1] / ny)
    colour = mix(colour, np.minimum(colour * 1.18, 1), 1 - smoothstep(foot, 0.001, 0.006 * unit))
    crest = ridges(space, 6, "shingle/crest", 2)
    roughness = 0.66 + 0.07 * fibre + 0.05 * crest + (0.16 if wooden else 0.0)
    return surface(
        space,
        colour,
        height,
        np.clip(roughness, 0.3, 1),
        0.0,
        np.maximum(gap, shadow * 0.4),
        np.minimum(side, foot),
        number,
        count,
    )
