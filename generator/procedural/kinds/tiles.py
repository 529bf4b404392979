# SPDX-License-Identifier: GPL-3.0-or-later
"""Glazed ceramic tiles in grout: squares, hexagons, and what bonds the words ask for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, cut_from, each_in, mask_of, tilt
from generator.procedural.layout import Pieces, ashlar, basket, herringbone, hexagons, lay, running
from generator.procedural.noise import noise
from generator.procedural.palette import palette
from generator.procedural.registry import family
from generator.procedural.shaping import lookup, mix, ramp, smoothstep
from generator.procedural.space import IntArray, Space
from generator.procedural.surface import Surface, surface

_GLAZES = (
    "e3ded2 dcd6c8", "2f5f8a 28567f", "3a7a74 2f6f6c", "c9b798 c2ae8c", "a4532f 98492a", "5c6b73 66757c",
    "31503f 3a5c48", "d8d4cc 8fa3ad",
)  # fmt: skip


def _turn(space: Space, pieces: Pieces) -> IntArray:
    """0 and 1 in turns over the tiles of a grid, as on a chequerboard, ``(count,)``."""
    columns = max(1, round(space.extent[0] / float(pieces.wide[0])))
    number = np.arange(pieces.count)
    return (number % columns + number // columns) % 2


def _inlaid(space: Space, description: Description, pieces: Pieces) -> Surface | None:
    """Tiles cut from another family; for a chequerboard, from two colours of it."""
    if not description.says("checkered") or description.inlay is None:
        return cut_from(space, description, pieces.index, pieces.count, "tiles")
    names = description.colours if len(description.colours) > 1 else ("white", "black")
    halves = [
        cut_from(space, replace(description, colours=(name,)), pieces.index, pieces.count, "tiles")
        for name in names[:2]
    ]
    one, two = halves
    assert one is not None
    assert two is not None
    odd = (_turn(space, pieces) == 1).take(pieces.index)
    for mine, other in (
        (one.height, two.height),
        (one.roughness, two.roughness),
        (one.metallic, two.metallic),
    ):
        np.copyto(mine, other, where=odd)
    np.copyto(one.colour, two.colour, where=odd[None])
    return one


def _two_coloured(space: Space, description: Description, pieces: Pieces, bases: FloatArray) -> FloatArray:
    """A base for each tile, ``(count, 3)``: strewn, or in turns where a chequerboard was asked for."""
    tints = scatter(space, "tiles/tint", bases, pieces.count, 0.02, 0.07, 1.6)
    if description.says("checkered") and len(description.colours) != 1:
        pair = bases if len(bases) > 1 and description.colours else np.stack([rgb("e0dbd0"), rgb("2b2b2d")])
        which = _turn(space, pieces)
        own = scatter(space, "tiles/tint", pair[:1], pieces.count, 0.012, 0.05, 2)
        other = scatter(space, "tiles/tint2", pair[-1:], pieces.count, 0.012, 0.05, 2)
        tints = np.where(which[:, None] == 0, own, other)
    return tints


def _glazed(
    space: Space, description: Description, pieces: Pieces, unit: float, grout_width: float
) -> Surface:
    """Tiles with a soft pillow, a glaze that pools and crawls at the rim, and grout that has seen use."""
    index, count = pieces.index, pieces.count
    clouds = noise(space, 4, "tiles/clouds", 5, 0.55)
    fine = noise(space, 60, "tiles/fine", 3, 0.6)
    edge = pieces.edge + noise(space, 20 / unit, "tiles/rim", 3) * np.float32(0.0004 * unit)
    face = mask_of(edge, grout_width, space.pixel, 0.0008)
    inlay = _inlaid(space, description, pieces)

    inside = edge - grout_width
    height = bevel(inside, 0.009 * unit) * np.float32(0.0062 * unit)
    height += face * (
        each_in(space, "tiles/out", index, count) * np.float32(0.0009 * unit)
        + tilt(space, "tiles", index, count, pieces.u, pieces.v, 0.011)
        + noise(space, 9 / unit, "tiles/pillow", 2) * np.float32(0.00028 * unit)
    )
    if inlay:
        height += face * inlay.height * np.float32(0.35)
    height += (1 - face) * fine * np.float32(0.0004)

    bases = palette(space, description, "tiles", _GLAZES)
    if inlay:
        colour = inlay.colour * (1 + 0.06 * each_in(space, "tiles/tone", index, count))
        roughness: FloatArray = inlay.roughness * np.float32(0.8)
    else:
        colour = lookup(_two_coloured(space, description, pieces, bases), index)
        # A glaze is thin, hence lighter, on the arris, and pools towards the middle.
        pool = smoothstep(inside, 0.001 * unit, 0.014 * unit)
        drift = clouds * 0.4 + each_in(space, "tiles/drift", index, count) * 0.6
        run = noise(space, 16 / unit, "tiles/run", 5, 0.6, (1.0, 1.7)) + each_in(
            space, "tiles/kiln", index, count
        )
        colour *= (0.985 + 0.03 * drift + 0.028 * run) * (1.09 - 0.09 * pool)
        specks = smoothstep(noise(space, 230, "tiles/specks", 2, 0.9), 2.0, 2.7)
        colour *= 1 - 0.3 * specks
        roughness = 0.13 + 0.035 * clouds + 0.02 * fine + 0.05 * each_in(space, "tiles/matt", index, count)
        smudge = smoothstep(noise(space, 7, "tiles/smudge", 5, 0.65), 0.5, 2.0)
        roughness = np.clip(roughness, 0.05, 0.4) + 0.14 * smudge
    grout, grain = _grout(space, bases.mean(axis=0))
    colour = mix(grout, colour, face)
    roughness = mix(0.88 + 0.03 * grain, roughness, face)
    metallic = inlay.metallic * face if inlay else 0.0
    return surface(space, colour, height, roughness, metallic, 1 - face, np.maximum(inside, 0), index, count)


def _grout(space: Space, tile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Colour ``(3, H, W)`` and grain of cement grout, darker than light tiles and lighter than dark ones."""
    grain = noise(space, 130, "grout/grain", 2, 0.8)
    soil = noise(space, 6, "grout/soil", 4, 0.6)
    base = rgb("8a857c") if float(tile.mean()) > 0.55 else rgb("a8a398")
    stops = np.stack([shade(base, d) for d in (-0.2, -0.08, 0.0, 0.06)])
    return ramp(0.55 + 0.1 * grain + 0.16 * soil, stops), grain


@family(
    "tiles",
    "tile, ceramic, ceramic tile, porcelain, porcelain tile, square tile, bathroom tile, kitchen "
    "tile, subway tile, metro tile, tilework, glazed tile, bathroom, floor tile, "
    "wall tile, mosaic, glass mosaic, glass tile, mosaic tile, zellige, zellij, zellige tile, backsplash, "
    "splashback, "
    "pool tile, swimming pool, terracotta tile, terracotta floor, terra cotta, cotto, quarry tile, "
    "kitchen backsplash, stoneware, "
    "shower, washroom, tiled, enamel tile",
    "glossy white ceramic tiles",
    layout=True,
)
def tiles(space: Space, description: Description) -> Surface:
    """Square ceramic tiles, or oblong ones in a brick bond, basket weave, herringbone or of mixed sizes."""
    unit = description.size
    number = 6 / unit
    if description.says("herringbone"):
        bond = herringbone(*space.count(number * 1.33, number * 1.33, (4, 4)))
    elif description.says("basket"):
        bond = basket(*space.count(number * 1.33, number * 1.33, (4, 4)))
    elif description.says("random"):
        shapes = ((2, 2), (1, 2), (2, 1), (3, 2), (1, 1))
        bond = ashlar(space, "tiles", *space.count(number * 1.5), shapes)
    elif description.says("running", "long"):
        bond = running(*space.count(number, number * 1.5, (2, 2)))
    else:
        step = 2 if description.says("checkered") else 1
        bond = running(*space.count(number, number, (step, step)), 1, 0)
    return _glazed(space, description, lay(space, bond, 0.004 * unit), unit, 0.0045)


@family(
    "hexagons",
    "hexagon, hexagonal, hex, hexagon tile, hexagonal tile, hex tile, honeycomb, honeycomb tile",
    "cracked blue hexagonal tiles",
    layout=True,
)
def hexagon_tiles(space: Space, description: Description) -> Surface:
    """Hexagonal ceramic tiles."""
    unit = description.size
    return _glazed(space, description, hexagons(space, 7 / unit), unit, 0.0042)
