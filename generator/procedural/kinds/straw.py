# SPDX-License-Identifier: GPL-3.0-or-later
"""Stalks: thatch on a roof, poles of bamboo."""

from __future__ import annotations

import numpy as np

from generator.procedural.colours import rgb, scatter
from generator.procedural.description import Description
from generator.procedural.kinds.common import each_in, wobble
from generator.procedural.noise import noise
from generator.procedural.palette import palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, smoothstep
from generator.procedural.space import Space
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface, surface

_STRAW = ("b39a63 a0854f c4ad78", "9c8a64 8a7852 ad9c74", "8f8672 7d7461 a0977f")
_BAMBOO = ("b59a5a a88b4a c2a968", "8f9a4e 7f8c42 a3a95c", "c0a878 b0966a cbb88c")


@family(
    "thatch",
    "thatch, thatched roof, straw, reed, reed roof, straw roof, hay, thatching, straw bale, haystack, palm thatch, "
    "thatched, thatched cottage, thatched cottage roof, hay bale",
    "weathered thatched roof",
    upright=True,
)
def thatch(space: Space, description: Description) -> Surface:
    """Bundles of straw in courses, every course combed down over the next and cut ragged."""
    unit = description.size
    down = space.extent[1]
    courses = space.count(4.5 / unit)[1]
    ragged = 0.045 * noise(space, 4 / unit, "thatch/line", 2, 0.5)
    ragged += 0.055 * noise(space, 100 / unit, "thatch/ends", 3, 0.8, (1.0, 9.0))
    place = space.y * np.float32(courses / down) + np.float32(space.pick("thatch/from")) + ragged
    fall = place - np.floor(place)
    brush = Brush(
        (0.07 * unit, 0.2 * unit),
        (0.0024 * unit, 0.0048 * unit),
        (1.41, 1.73),
        bend=0.1,
        belly=0.5,
        lift=0.25,
    )
    stalks = draw(space, "thatch/stalks", 8200 / unit**2, brush)
    count = int(stalks.index.max()) + 2
    bundle = noise(space, 16 / unit, "thatch/bundle", 3, 0.6, (1.0, 5.0))
    body = np.sqrt(np.maximum(1 - np.square(stalks.across), 0))
    there = (stalks.index >= 0).astype(np.float32)
    # A course is thickest just above its cut ends, where the stalks of the course below come in.
    height = smoothstep(fall, 0.0, 0.85) * (1 - 0.35 * smoothstep(fall, 0.9, 1.0)) * np.float32(0.03 * unit)
    height += bundle * np.float32(0.003 * unit)
    height += there * (stalks.height * 0.012 + body * 0.004).astype(np.float32) * np.float32(unit)
    bases = palette(space, description, "thatch", _STRAW, chroma=0.7)
    tints = scatter(space, "thatch/tint", bases, count, 0.05, 0.15, 5)
    colour = lookup(tints, stalks.index + 1)
    colour *= 0.72 + 0.26 * body + 0.05 * bundle + 0.12 * stalks.height
    lengthwise = noise(space, 90 / unit, "thatch/fibre", 2, 0.8, (1.0, 12.0))
    colour *= 1 + 0.06 * lengthwise
    deep = 1 - smoothstep(fall + 0.04 * bundle, 0.0, 0.22)
    colour = mix(colour, colour * flat((0.42, 0.37, 0.33)), deep * 0.85)
    # The cut ends are fresh and pale, what lay in the weather longest is grey.
    colour = mix(colour, flat(rgb("d0bd8c")), smoothstep(fall, 0.93, 0.99) * 0.35)
    grey = smoothstep(noise(space, 3, "thatch/grey", 5, 0.6), -0.8, 1.6) * (
        0.2 + 0.5 * description.amount("weathered")
    )
    light = (0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2])[None]
    colour = mix(colour, light * flat((1.0, 0.97, 0.92)), np.clip(grey, 0, 0.85))
    roughness = 0.8 + 0.05 * lengthwise + 0.1 * deep - 0.06 * body
    return surface(space, colour, height, np.clip(roughness, 0.4, 1), 0.0, deep * 0.6)


@family(
    "bamboo",
    "bamboo, bamboo pole, bamboo fence, bamboo wall, bamboo cane, bamboo screen, cane fence",
    "old yellow bamboo fence",
    upright=True,
)
def bamboo(space: Space, description: Description) -> Surface:
    """Poles side by side, jointed, waxy between the joints, the odd one split."""
    unit = description.size
    across, down = space.extent
    poles, joints = space.count(9 / unit, 3.2 / unit)
    sway = wobble(space, "bamboo", 2.2, 0.0028 * unit, 2)[0]
    x = (space.x + sway) * np.float32(poles / across) + np.float32(space.pick("bamboo/from"))
    column = np.floor(x).astype(np.int32) % poles
    u = (x - np.floor(x) - np.float32(0.5)) * 2
    fat = each_in(space, "bamboo/fat", column, poles, 0.84, 0.98)
    # Joints sit at a pole's own places, a little unevenly.
    y = space.y * np.float32(joints / down) + each_in(space, "bamboo/shift", column, poles, 0, 9)
    number = np.floor(y).astype(np.int32) % joints
    lower = y - np.floor(y)
    middle = 0.5 + 0.22 * (space.random("bamboo/joint", np.arange(poles)[:, None], np.arange(joints)) - 0.5)
    here = middle.ravel().take(column * joints + number)
    away = (lower - here) * np.float32(down / joints)
    ring = np.exp(-np.square(away / np.float32(0.006 * unit)))
    step = smoothstep(away, -0.004 * unit, 0.002 * unit)
    wide = fat * (1 + 0.05 * ring)
    round_ = np.sqrt(np.maximum(1 - np.square(u / wide), 0)).astype(np.float32)
    face = smoothstep(wide - np.abs(u), 0.0, 0.05)
    size = np.float32(across / poles)
    fibre = noise(space, 80 / unit, "bamboo/fibre", 3, 0.7, (1.0, 22.0))
    height = round_ * size * np.float32(0.46) + each_in(space, "bamboo/out", column, poles) * np.float32(
        0.003 * unit
    )
    height += (
        face
        * (ring * 0.0034 + fibre * 0.00016 - 0.0012 * np.exp(-np.abs(away - 0.011 * unit) * 300)).astype(
            np.float32
        )
        * np.float32(unit)
    )
    bases = palette(space, description, "bamboo", _BAMBOO, chroma=0.8)
    colour = lookup(scatter(space, "bamboo/tint", bases, poles, 0.04, 0.14, 7), column)
    tone = noise(space, 7 / unit, "bamboo/tone", 4, 0.6, (1.0, 4.0))
    colour = colour * (1 + 0.05 * fibre + 0.06 * tone)
    # Each length ripened by itself; wax is left below a joint, dirt and sun-burn above it.
    ripe = space.random("bamboo/ripe", np.arange(poles)[:, None], np.arange(joints)).ravel()
    colour *= 0.93 + 0.14 * ripe.take(column * joints + number)
    wax = np.exp(-np.maximum(away, 0) * np.float32(38 / unit)) * step * smoothstep(tone, -1.0, 1.0)
    colour = mix(colour, flat(rgb("ddd6bd")), wax * 0.5)
    colour = mix(colour, colour * flat((0.52, 0.44, 0.36)), np.clip(ring * 0.75 * (0.6 + 0.3 * tone), 0, 0.9))
    spots = smoothstep(noise(space, 34 / unit, "bamboo/spots", 4, 0.7, (1.0, 2.4)) + 0.5 * tone, 1.5, 2.6)
    colour = mix(colour, colour * flat((0.5, 0.4, 0.3)), spots * 0.6)
    split = (space.each("bamboo/split", poles) < 0.2).astype(np.float32).take(column)
    line = (
        split * (1 - smoothstep(np.abs(u - 0.2 * tone - 0.1), 0.0, 0.03)) * smoothstep(tone, -0.4, 0.6) * face
    )
    height -= line * np.float32(0.003 * unit)
    colour = mix(colour, flat(rgb("2c2116")), np.maximum(line * 0.8, (1 - face) * 0.95))
    roughness = 0.38 + 0.04 * fibre + 0.2 * wax + 0.25 * ring + 0.2 * spots
    roughness = mix(np.full(space.shape, 0.92, np.float32), np.clip(roughness, 0.2, 0.9), face)
    edge = np.maximum(wide - np.abs(u), 0) * size / 2
    out = surface(space, colour, height, roughness, 0.0, 1 - face, edge, column, poles)
    out.fibrous = True
    return out
