# SPDX-License-Identifier: GPL-3.0-or-later
"""Stones laid by hand: cobbles, flags, rubble and ashlar walls."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, cut_from, each_in, mask_of, tilt, wobble
from generator.procedural.layout import ashlar, lay, running
from generator.procedural.noise import noise, ridges
from generator.procedural.palette import palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, smoothstep
from generator.procedural.space import IntArray, Space
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

_GRANITES = ("77756f 6b6a68 85807a 6f6863", "6e7072 7d7e7e 5f6264", "857b6e 76705f 938873 6c6660")
_FLAGS = (
    "8a8578 7b7a72 968c79 6f7072",
    "6d747a 7d8388 5e666c",
    "a08c70 94836c ac997c 8a7a66",
    "8d7c72 7f726b 9a877a",
)
_RUBBLE = ("8f8676 7f7a70 a09580 716e69", "75777a 868585 67696b 938f88", "a39272 b0a081 917f62 9f9486")


def _face(
    space: Space,
    salt: str,
    index: IntArray,
    count: int,
    bases: FloatArray,
    unit: float,
    spread: float = 0.035,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Colour, relief and fine grain of natural stone faces: a tint for each, mineral clouds, crystals, stains."""
    tints = scatter(space, f"{salt}/tint", bases, count, spread, 0.16, 8)
    colour = lookup(tints, index)
    clouds = noise(space, 8 / unit, f"{salt}/clouds", 6, 0.62)
    grit = noise(space, 75 / unit, f"{salt}/grit", 3, 0.8)
    colour *= 1 + 0.07 * clouds + 0.055 * grit
    crystals = smoothstep(noise(space, 210, f"{salt}/crystal", 2, 0.9), 1.4, 2.4)
    colour = mix(colour, flat(rgb("c9c4ba")), crystals * 0.3)
    flecks = smoothstep(noise(space, 190, f"{salt}/fleck", 2, 0.9), 1.4, 2.4)
    colour *= 1 - 0.38 * flecks
    iron = smoothstep(
        noise(space, 4, f"{salt}/iron", 5, 0.6) + each_in(space, f"{salt}/ferrous", index, count), 0.8, 2.4
    )
    colour = mix(colour, colour * flat((1.1, 0.9, 0.68)), iron * 0.45)
    relief = clouds * np.float32(0.0012 * unit) + grit * np.float32(0.00035 * unit)
    return colour, relief, grit


def _soil(space: Space, salt: str, texts: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Colour and relief of the sand or earth between stones."""
    crumbs = noise(space, 60, f"{salt}/crumbs", 4, 0.78)
    patch = noise(space, 5, f"{salt}/patch", 4)
    colour = ramp(0.5 + 0.15 * crumbs + 0.1 * patch, np.stack([rgb(text) for text in texts]))
    return colour, crumbs * np.float32(0.0009) + patch * np.float32(0.0009)


@family(
    "cobblestone",
    "cobblestone, cobble, cobbled, sett, stone pavement, paving stone, belgian block, cobbled street",
    "wet cobblestone",
    layout=True,
)
def cobblestone(space: Space, description: Description) -> Surface:
    """Domed stones in rough courses, sunk to different depths in sand."""
    unit = description.size
    warp = wobble(space, "cobble", 7 / unit, 0.006 * unit, 3)
    if description.says("square", "regular", "stacked"):
        nx, ny = space.count(9 / unit, 11 / unit, (2, 2))
        pieces = lay(space, running(nx * 2, ny, 2, 1), 0.022 * unit, warp)
        index, count, edge, u, v, size = (
            pieces.index,
            pieces.count,
            pieces.edge,
            pieces.u,
            pieces.v,
            0.1 * unit,
        )
    else:
        jitter = 0.85 if description.says("random", "round") else 0.58
        cells = voronoi(space, 9.5 / unit, "cobble", jitter, warp, 0.0075 * unit, (1.12, 0.92))
        index, count, edge, u, v, size = cells.index, cells.count, cells.edge, cells.u, cells.v, cells.size
    colour, relief, grit = _face(
        space, "cobble", index, count, palette(space, description, "cobble", _GRANITES, 0.55), unit
    )
    inlay = cut_from(space, description, index, count, "cobble")
    if inlay:
        colour, relief = inlay.colour, inlay.height
    edge = edge + relief * 0.9
    gap = np.float32(0.005 * unit)
    inside = np.maximum(edge - gap, 0)
    face = mask_of(edge, gap, space.pixel, 0.0016 * unit)
    round_off = bevel(inside, 0.36 * size)
    height = round_off * np.float32(0.026 * unit)
    height += face * (
        relief * 1.3
        + tilt(space, "cobble", index, count, u, v, 0.11)
        + each_in(space, "cobble/sunk", index, count) * np.float32(0.0038 * unit)
    )
    soil, crumbs = _soil(space, "cobble", ("3a332b", "544a3e", "6d6252", "857a68"))
    height += (1 - face) * (crumbs + np.float32(0.0045 * unit))
    worn_top = smoothstep(round_off, 0.75, 1.0)
    colour = colour * (0.9 + 0.12 * worn_top)
    colour = mix(soil, colour, face)
    roughness = mix(np.full(space.shape, 0.95, np.float32), 0.74 + 0.05 * grit - 0.1 * worn_top, face)
    metallic = inlay.metallic * face if inlay else 0.0
    return surface(space, colour, height, roughness, metallic, 1 - face, inside, index, count)


def _terraces(space: Space, salt: str, unit: float, index: IntArray, count: int) -> FloatArray:
    """Cleft layers: plateaus with torn rims, as slate and sandstone split."""
    field = noise(space, 3.5 / unit, f"{salt}/cleft", 6, 0.58) * 1.3 + each_in(
        space, f"{salt}/bed", index, count, 0, 3
    )
    floor = np.floor(field)
    return floor + smoothstep(field - floor, 0.8, 1.0) - field * 0.72


@family(
    "flagstone",
    "flagstone, flag, slab, stone slab, crazy paving, stone floor, stone tile, paving, paver, "
    "pavement, slate tile, patio, stone path, slate floor, stepping stone, cobbled path, stone terrace",
    "mossy flagstone path",
    layout=True,
)
def flagstone(space: Space, description: Description) -> Surface:
    """Broad cleft slabs, fitted like crazy paving or squared, in sandy joints."""
    unit = description.size
    warp = wobble(space, "flag", 8 / unit, 0.005 * unit, 5)
    squared = any(
        word.endswith(("tile", "tiles", "paver", "pavers", "slab", "slabs"))
        for word in description.understood
    )
    if squared or description.says("square", "regular", "random"):
        nx, ny = space.count(8 / unit)
        pieces = lay(
            space,
            ashlar(space, "flag", nx, ny, ((2, 2), (3, 2), (2, 3), (2, 1), (1, 2))),
            0.01 * unit,
            (warp[0] * 0.5, warp[1] * 0.5),
        )
        index, count, edge, u, v = pieces.index, pieces.count, pieces.edge, pieces.u, pieces.v
    else:
        cells = voronoi(space, 4.2 / unit, "flag", 0.9, warp, 0.006 * unit)
        index, count, edge, u, v = cells.index, cells.count, cells.edge, cells.u, cells.v
    colour, relief, grit = _face(
        space, "flag", index, count, palette(space, description, "flag", _FLAGS, 0.6), unit, 0.03
    )
    inlay = cut_from(space, description, index, count, "flag")
    cleft = _terraces(space, "flag", unit, index, count)
    if inlay:
        colour, relief, cleft = inlay.colour, inlay.height, cleft * 0.2
    edge = edge + noise(space, 30 / unit, "flag/rim", 4, 0.6) * np.float32(0.0018 * unit)
    gap = np.float32(0.0085 * unit)
    inside = np.maximum(edge - gap, 0)
    face = mask_of(edge, gap, space.pixel, 0.0015 * unit)
    height = bevel(inside, 0.02 * unit) * np.float32(0.014 * unit)
    height += face * (
        cleft * np.float32(0.0032 * unit)
        + relief * 0.75
        + tilt(space, "flag", index, count, u, v, 0.018)
        + each_in(space, "flag/out", index, count) * np.float32(0.0016 * unit)
    )
    soil, crumbs = _soil(space, "flag", ("4a4136", "665b4a", "857861", "9b8e76"))
    height += (1 - face) * (crumbs + np.float32(0.003 * unit))
    colour = mix(soil, colour * (1 + 0.07 * cleft), face)
    roughness = mix(np.full(space.shape, 0.95, np.float32), 0.8 + 0.05 * grit + 0.05 * cleft, face)
    metallic = inlay.metallic * face if inlay else 0.0
    return surface(space, colour, height, roughness, metallic, 1 - face, inside, index, count)


@family(
    "stonewall",
    "stone wall, rock wall, rubble, rubble wall, fieldstone, castle, castle wall, dungeon, "
    "dungeon wall, stone brick, stone block, ashlar wall, masonry wall, dry stone, drystone, dry "
    "stone wall, stonework, sandstone block, sandstone wall, limestone block, limestone wall, "
    "granite block, stone cladding",
    "old mossy stone wall",
    layout=True,
    upright=True,
)
def stonewall(space: Space, description: Description) -> Surface:
    """Hewn blocks of many sizes in thick mortar, or rounder rubble where the words ask for it."""
    unit = description.size
    warp = wobble(space, "wall", 6 / unit, 0.0065 * unit, 5)
    rubble = description.says("round", "random") or any(
        "rubble" in w or "field" in w for w in description.understood
    )
    if rubble:
        cells = voronoi(space, 6 / unit, "wall", 0.85, warp, 0.009 * unit, (1.35, 0.8))
        index, count, edge, u, v = cells.index, cells.count, cells.edge, cells.u, cells.v
    else:
        nx, ny = space.count(8 / unit, 9 / unit)
        shapes = ((3, 2), (2, 1), (3, 1), (2, 2), (2, 1), (2, 1), (1, 1), (3, 2))
        pieces = lay(space, ashlar(space, "wall", nx, ny, shapes), 0.022 * unit, warp)
        index, count, edge, u, v = pieces.index, pieces.count, pieces.edge, pieces.u, pieces.v
    colour, relief, grit = _face(
        space, "wall", index, count, palette(space, description, "wall", _RUBBLE, 0.55), unit, 0.04
    )
    inlay = cut_from(space, description, index, count, "wall")
    hewn = voronoi(space, 17 / unit, "wall/hewn", 0.9, (warp[0] * 3, warp[1] * 3))
    facets = tilt(space, "wall/facet", hewn.index, hewn.count, hewn.u, hewn.v, 0.11)
    chisel = ridges(space, 14 / unit, "wall/chisel", 3)
    if inlay:
        colour, relief, facets = inlay.colour, inlay.height, facets * 0.4
    edge = edge + noise(space, 22 / unit, "wall/rim", 4, 0.62) * np.float32(0.0026 * unit)
    gap = np.float32(0.0085 * unit)
    inside = np.maximum(edge - gap, 0)
    face = mask_of(edge, gap, space.pixel, 0.002 * unit)
    height = bevel(inside, 0.042 * unit) * np.float32(0.024 * unit)
    height += face * (
        facets
        + relief * 1.6
        + chisel * np.float32(0.002 * unit)
        + tilt(space, "wall", index, count, u, v, 0.05)
        + each_in(space, "wall/out", index, count) * np.float32(0.0045 * unit)
    )
    mortar, crumbs = _soil(space, "wall", ("6b655b", "857e72", "9a9284", "aca496"))
    height += (1 - face) * (crumbs * 1.2 + np.float32(0.006 * unit))
    colour = mix(shade(mortar.mean(axis=(1, 2)), -0.02).reshape(3, 1, 1) * 0.3 + mortar * 0.7, colour, face)
    roughness = mix(np.full(space.shape, 0.95, np.float32), 0.84 + 0.05 * grit, face)
    metallic = inlay.metallic * face if inlay else 0.0
    return surface(space, colour, height, roughness, metallic, 1 - face, inside, index, count)
