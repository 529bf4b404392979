# SPDX-License-Identifier: GPL-3.0-or-later
"""Grass, moss and fallen leaves, laid stroke by stroke."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, wobble
from generator.procedural.noise import noise
from generator.procedural.palette import gradient, palette, toned
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, smoothstep
from generator.procedural.space import Space
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

_GREENS = ("67862f 779540 587428 8a9d4c", "718838 839548 617632 93a05a", "5a7a34 6a8a40 4d6b2c 7d9850")
_LEAVES = "8a5a2b a8702f 7a3f22 b58a3c 6b4a2c 94351f 5f4a33"


def _plain_green(description: Description) -> Description:
    """Without the word "green": plants have their own, yellower than paint."""
    return replace(description, colours=tuple(c for c in description.colours if c != "green"))


def _soil(space: Space) -> FloatArray:
    crumbs = noise(space, 40, "soil/crumbs", 4, 0.75)
    return ramp(0.45 + 0.16 * crumbs, np.stack([rgb(t) for t in ("221b13", "33281c", "473828", "5a4935")]))


@family(
    "grass",
    "grass, lawn, meadow, turf, grassy, field, pasture, grassland, "
    "garden grass, football pitch, pitch, golf, clover, hay meadow, prairie",
    "lush green grass",
)
def grass(space: Space, description: Description) -> Surface:
    """Thousands of bent blades over dark soil, some dry, each with a fold along its middle."""
    unit = description.size * (0.7 if description.says("short") else 1.0)
    brush = Brush(
        (0.05 * unit, 0.12 * unit),
        (0.0042 * unit, 0.0078 * unit),
        bend=0.55,
        belly=0.25,
        lift=0.45,
        arch=0.55,
    )
    blades = draw(space, "grass", 6400 / unit**2, brush)
    there = (blades.index >= 0).astype(np.float32)
    count = int(blades.index.max()) + 1
    bases = palette(space, _plain_green(description), "grass", _GREENS, chroma=0.75, lightness=0.06)
    tints = scatter(space, "grass/tint", bases, count, 0.035, 0.15, 9)
    share = 0.55 if description.says("dry") else 0.07 + 0.3 * description.amount("weathered")
    dry = (space.each("grass/dry", count) < share)[:, None]
    straw = scatter(space, "grass/straw", np.stack([rgb("a8955a"), rgb("8f7d48")]), count, 0.04, 0.15, 6)
    table = np.where(dry, straw, tints).astype(np.float32)
    number = np.maximum(blades.index, 0)
    colour = lookup(table, number)
    # Pale at the sheath, strong in the middle, lighter towards the tip; the fold is paler than the flanks.
    colour *= 0.78 + 0.42 * smoothstep(blades.along, 0.0, 0.8) - 0.13 * np.abs(blades.across)
    depth = smoothstep(blades.height, 0.1, 0.8)
    colour *= 0.8 + 0.3 * depth
    patch = noise(space, 2.5, "grass/patch", 4)
    colour *= 1 + 0.05 * patch
    colour = mix(_soil(space), colour, there)
    fold = 1 - np.abs(blades.across)
    height = there * (blades.height * np.float32(0.034 * unit) + fold * np.float32(0.0012 * unit))
    height += noise(space, 3, "grass/ground", 3) * np.float32(0.004)
    roughness = mix(np.full(space.shape, 0.95, np.float32), 0.58 + 0.12 * (1 - depth) + 0.04 * patch, there)
    return surface(space, colour, height, roughness)


@family(
    "moss",
    "moss, mossy ground, lichen ground, peat, sphagnum",
    "thick green moss",
)
def moss(space: Space, description: Description) -> Surface:
    """Cushions of moss pressed against each other, every shoot a star of small leaves."""
    unit = description.size
    warp = wobble(space, "moss", 7 / unit, 0.012 * unit, 5)
    cushions = voronoi(space, 6 / unit, "moss/cushion", 0.9, warp, 0.02 * unit)
    little = voronoi(space, 15 / unit, "moss/little", 0.9, warp, 0.008 * unit)
    # Old cushions have grown into one another; only some furrows are still open.
    swell = noise(space, 4.5 / unit, "moss/swell", 4, 0.55)
    grown = smoothstep(noise(space, 3.2 / unit, "moss/grown", 3, 0.55), -0.9, 0.9)
    dome = 0.45 * mix(bevel(np.maximum(cushions.edge, 0), 0.075 * unit), np.float32(0.8), grown * 0.85)
    dome = dome + 0.3 * bevel(np.maximum(little.edge, 0), 0.03 * unit) + 0.13 * swell + 0.12
    lumps = noise(space, 22 / unit, "moss/lumps", 4, 0.6)
    under = draw(
        space,
        "moss/under",
        15000 / unit**2,
        Brush((0.008 * unit, 0.016 * unit), (0.0028 * unit, 0.0045 * unit), bend=0.5),
    )
    shoots = draw(space, "moss/shoots", 17000 / unit**2,
                  Brush((0.006 * unit, 0.014 * unit), (0.002 * unit, 0.0036 * unit), bend=0.4, lift=0.45))  # fmt: skip
    upper = smoothstep(shoots.height + 0.15 * lumps, 0.25, 0.5) * (shoots.index >= 0)
    fuzz = mix(under.height * 0.6, 0.4 + shoots.height * 0.8, upper)
    height = (
        dome * np.float32(0.03 * unit) + lumps * np.float32(0.0024 * unit) + fuzz * np.float32(0.0085 * unit)
    )
    base = palette(
        space, _plain_green(description), "moss", ("5d7029", "4f6a2a", "6d7a2e", "47602f"), chroma=0.85
    )[0]
    tone = (
        0.44 + 0.3 * (fuzz - 0.55) + 0.22 * (dome - 0.7) + 0.1 * (shoots.along - 0.4) * upper + 0.06 * lumps
    )
    hue = noise(space, 3, "moss/hue", 5)
    colour = ramp(tone + 0.06 * hue, gradient(base, -0.25, 0.16, 7, 26))
    brown = smoothstep(noise(space, 4, "moss/brown", 5, 0.62) - dome, 0.3, 1.6)
    colour = mix(colour, ramp(tone, gradient(rgb("6d5a35"), -0.22, 0.1)), brown * 0.6)
    return surface(space, colour, height, np.clip(0.93 + 0.03 * lumps, 0.7, 1), 0.0)


@family(
    "leaves",
    "leaf, leaves, foliage, autumn leaves, fallen leaves, leaf litter, autumn, "
    "dead leaves, leafy, fallen leaf, dry leaves, hedge, laurel",
    "fallen autumn leaves",
)
def leaves(space: Space, description: Description) -> Surface:
    """Fallen leaves in several layers, with midribs and side veins, over soil."""
    unit = description.size
    brush = Brush(
        (0.075 * unit, 0.135 * unit), (0.04 * unit, 0.068 * unit), bend=0.22, belly=0.42, lift=0.14, arch=0.8
    )
    fallen = draw(space, "leaves", 620 / unit**2, brush)
    there = (fallen.index >= 0).astype(np.float32)
    count = int(fallen.index.max()) + 1
    if description.colours:
        bases = palette(space, description, "leaves", (_LEAVES,), 0.85)
    else:
        bases = toned(description, np.stack([rgb(text) for text in _LEAVES.split()]))
    number = np.maximum(fallen.index, 0)
    colour = lookup(scatter(space, "leaves/tint", bases, count, 0.04, 0.15, 7), number)
    rib = 1 - smoothstep(np.abs(fallen.across), 0.02, 0.09)
    fan = fallen.along * 11 - np.abs(fallen.across) * 3.2
    veins = (1 - smoothstep(np.abs(fan - np.round(fan)), 0.04, 0.16)) * (1 - rib)
    mottle = noise(space, 26, "leaves/mottle", 5, 0.65)
    colour *= 1 + 0.08 * mottle - 0.1 * np.square(fallen.across)
    rot = smoothstep(noise(space, 12, "leaves/rot", 4) + 1.2 * np.abs(fallen.across), 1.2, 2.4)
    colour = mix(colour, colour * flat((0.5, 0.45, 0.42)), rot * 0.8)
    colour = mix(colour, _paler(colour), np.maximum(rib * 0.6, veins * 0.25))
    colour *= 0.8 + 0.25 * smoothstep(fallen.height, 0.1, 0.9)
    colour = mix(_soil(space), colour, there)
    cup = np.square(fallen.across) * 0.10
    height = there * (
        fallen.height * np.float32(0.045 * unit)
        + (cup + rib * 0.03 + veins * 0.012) * np.float32(0.03 * unit)
    )
    height += mottle * np.float32(0.0007) + noise(space, 3, "leaves/ground", 3) * np.float32(0.003)
    roughness = mix(np.full(space.shape, 0.95, np.float32), 0.6 + 0.06 * mottle + 0.2 * rot, there)
    return surface(space, colour, height, np.clip(roughness, 0.3, 1))


def _paler(colour: FloatArray) -> FloatArray:
    """The same colour ``(3, H, W)`` a good deal paler."""
    return np.minimum(colour * np.float32(1.25) + np.float32(0.08), 1)
