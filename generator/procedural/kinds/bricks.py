# SPDX-License-Identifier: GPL-3.0-or-later
"""Fired clay bricks in mortar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, cut_from, each_in, mask_of, tilt, wobble
from generator.procedural.layout import Bond, Pieces, basket, herringbone, lay, running
from generator.procedural.noise import noise
from generator.procedural.palette import palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, smoothstep
from generator.procedural.space import Space
from generator.procedural.surface import Surface, surface

_CLAY = (
    "9c4a35 8d4433 a5573d 7d3a2e",
    "a4543a 93492f b0684a",
    "8a4a3c 7a3f38 95584a 6b3a34",
    "a9603f 9c5236 b87450",
)


def _bond(space: Space, description: Description) -> Bond:
    courses = 12 / description.size
    if description.says("herringbone"):
        return herringbone(*space.count(courses, courses, (4, 4)))
    if description.says("basket"):
        return basket(*space.count(courses, courses, (4, 4)))
    if description.says("long"):
        return running(*space.count(courses * 0.75, courses * 1.3, (3, 3)), 3, 1)
    # Two half-bricks make one of about three courses' length.
    nx, ny = space.count(courses * 0.667, courses, (2, 2))
    return running(nx, ny, 2, 0 if description.says("stacked") else 1)


def _mortar(space: Space) -> tuple[FloatArray, FloatArray]:
    """Colour ``(3, H, W)`` and fine relief of sandy lime mortar."""
    sand = noise(space, 130, "mortar/sand", 3, 0.8)
    stain = noise(space, 5, "mortar/stain", 4)
    base = shade(rgb(("a39a8c", "8f887e", "b3a996", "9a9088")[space.choose("mortar/set", 4)]), 0, 0.8)
    stops = np.stack([shade(base, d) for d in (-0.17, -0.07, 0.0, 0.05, 0.1)])
    return ramp(0.52 + 0.14 * sand + 0.14 * stain, stops), sand


@family(
    "brick",
    "brick, brickwork, masonry, clinker, block, cinder block, breeze block, brick floor, brick paving, brick paver, "
    "firebrick, mudbrick",
    "mossy red brick wall",
    layout=True,
    upright=True,
)
def brick(space: Space, description: Description) -> Surface:
    """Bricks of one kiln: tints that vary, some burnt dark, arrises chipped, faces pitted, none quite in line."""
    if any("block" in word for word in description.understood):
        # Blocks are larger than bricks, and cast.
        sizes = (*description.structure, "large")
        description = replace(description, structure=sizes, inlay=description.inlay or "concrete")
    unit = description.size
    warp = wobble(space, "brick", 5 / unit, 0.0022 * unit, 4)
    pieces = lay(space, _bond(space, description), 0.007 * unit, warp)
    index, count = pieces.index, pieces.count
    grain = noise(space, 22 / unit, "brick/grain", 5, 0.62)
    coarse = noise(space, 7 / unit, "brick/coarse", 4)
    worn = 0.5 + description.amount("worn", "weathered")
    edge = _chipped(space, pieces, grain, coarse, unit, worn)
    joint = 0.0065 * unit
    face = mask_of(edge, joint, space.pixel, 0.0012 * unit)
    inlay = cut_from(space, description, index, count, "brick")
    mortar, sand = _mortar(space)

    depth = 0.0125 * unit
    height = bevel(edge - joint, 0.009 * unit) * np.float32(depth)
    height += face * (
        each_in(space, "brick/out", index, count) * np.float32(0.0016 * unit)
        + tilt(space, "brick", index, count, pieces.u, pieces.v, 0.022)
        + (inlay.height if inlay else grain * np.float32(0.00055 * unit) + coarse * np.float32(0.0005 * unit))
    )
    sanded = noise(space, 170 / unit, "brick/sanded", 3, 0.8)
    height += face * sanded * np.float32(0.00026 * unit)
    pits = smoothstep(noise(space, 75 / unit, "brick/pits", 3, 0.7) + 0.4 * coarse, 1.5, 2.3) * face
    if inlay is None:
        height -= pits * np.float32(0.0016 * unit)
    # Mortar is struck hollow and sandy.
    height += (1 - face) * (sand * np.float32(0.0006) + coarse * np.float32(0.0008 * unit))

    colour = inlay.colour if inlay else _clay(space, description, pieces, grain, coarse)
    if inlay is None:
        colour *= (1 - 0.3 * pits) * (1 + 0.055 * sanded)
    smear = (
        smoothstep(noise(space, 14 / unit, "brick/smear", 4, 0.6) - edge * np.float32(70 / unit), 0.75, 1.6)
        * 0.55
    )
    colour = mix(colour, mortar, smear if inlay is None else 0.0)
    colour = mix(mortar, colour, face)
    roughness = mix(
        0.93 + 0.03 * sand, inlay.roughness if inlay else 0.83 + 0.045 * grain + 0.03 * coarse, face
    )
    metallic = inlay.metallic * face if inlay else 0.0
    return surface(
        space, colour, height, roughness, metallic, 1 - face, np.maximum(edge - joint, 0), index, count
    )


def _chipped(
    space: Space, pieces: Pieces, grain: FloatArray, coarse: FloatArray, unit: float, worn: float
) -> FloatArray:
    """The distance to the brick's border after its edges have crumbled and its corners have broken off."""
    crumble = noise(space, 120 / unit, "brick/crumble", 2, 0.7)
    edge = (
        pieces.edge
        + grain * np.float32(0.0008 * unit)
        + crumble * np.float32(0.0004 * unit)
        + coarse * np.float32(0.0008 * unit)
    )
    bites = noise(space, 26 / unit, "brick/bites", 3, 0.6) + each_in(
        space, "brick/soft", pieces.index, pieces.count, -1.1, 0.7
    )
    edge -= smoothstep(bites, 0.9, 2.7) * np.float32(0.015 * unit * min(worn, 1.8))
    return edge


def _clay(
    space: Space, description: Description, pieces: Pieces, grain: FloatArray, coarse: FloatArray
) -> FloatArray:
    """Face colours ``(3, H, W)``: a tint for each brick, fire marks, grog, lime bloom."""
    index, count = pieces.index, pieces.count
    bases = palette(space, description, "brick", _CLAY, chroma=0.72, lightness=-0.02)
    if "red" in description.colours:
        # Fired clay is the red of rust rather than of roses.
        bases = shade(bases, hue=8)
    tints = scatter(space, "brick/tint", bases, count, 0.032, 0.12, 3.5)
    burnt = smoothstep(space.each("brick/burnt", count), 0.86, 1.0)[:, None] * 0.7
    tints = mix(tints, shade(tints, -0.16, 0.55), burnt).astype(np.float32)
    colour = lookup(tints, index)
    fire = noise(space, 9, "brick/fire", 4, 0.6) + each_in(space, "brick/flame", index, count)
    colour = mix(colour, colour * flat((0.74, 0.70, 0.72)), smoothstep(fire, 0.6, 2.2) * 0.75)
    colour = mix(colour, colour * flat((1.12, 1.13, 1.1)), smoothstep(-fire, 0.5, 2.2) * 0.7)
    colour *= 1 + 0.05 * grain + 0.025 * coarse
    grog = smoothstep(noise(space, 190, "brick/grog", 2, 0.9), 1.5, 2.3)
    colour *= 1 - 0.34 * grog
    # The arrises lay nearest to the fire and are burnt darkest.
    rim = np.exp(-np.maximum(pieces.edge - 0.008, 0) * np.float32(95)) * (
        0.6 + 0.4 * smoothstep(fire, -0.8, 1.2)
    )
    colour = mix(colour, colour * flat((0.62, 0.57, 0.58)), np.clip(rim * 0.75 + 0.08 * coarse * rim, 0, 1))
    ash = smoothstep(noise(space, 95, "brick/ash", 2, 0.8) + 0.4 * fire, 1.7, 2.6)
    colour *= 1 - 0.3 * ash
    light = smoothstep(noise(space, 200, "brick/lime", 2, 0.9) + 0.25 * coarse, 1.8, 2.5)
    colour = mix(colour, flat(rgb("cdb7a0")), light * 0.42)
    bloom = smoothstep(noise(space, 5, "brick/bloom", 5, 0.6), 0.7, 2.2) * (0.75 + 0.25 * grain)
    # Salts dry out where the water leaves the brick: near its foot.
    foot = smoothstep(pieces.v + 0.008 * grain, -0.01, 0.03)
    bloom = np.clip(bloom * (0.55 + 0.7 * foot), 0, 1) * (0.7 + 0.3 * smoothstep(grain, -0.8, 1.2))
    return mix(colour, flat(rgb("d8cec2")), bloom * 0.42)
