# SPDX-License-Identifier: GPL-3.0-or-later
"""The hull panels of a spaceship."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, each_in, mask_of
from generator.procedural.kinds.metals import skin
from generator.procedural.layout import Pieces, ashlar, lay
from generator.procedural.noise import noise
from generator.procedural.palette import palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, smoothstep
from generator.procedural.space import Space
from generator.procedural.surface import Surface, surface

_SETS = (
    "b9bcbd a7abad c8cac8 8d9295",
    "4d5358 42474c 5a6065 363a3e",
    "c7c1b3 b5afa1 d2ccbf 8f8b82",
    "6d7a80 5f6c73 7d898e 4a545a",
)
_ACCENTS = ("b8672a", "2f6c8f", "a8352c", "b8972f")
_STEEL = "a4a6a8"


@family(
    "panels",
    "sci fi, scifi, sci fi panel, scifi panel, spaceship, space ship, panel, tech panel, "
    "spacecraft, greeble, futuristic, cyberpunk, space station, mech, robot, "
    "sci fi hull, spaceship hull, sci fi floor, sci fi wall, starship",
    "worn white sci-fi panels",
    layout=True,
    upright=True,
)
def panels(space: Space, description: Description) -> Surface:
    """Painted hull panels of many sizes with recesses, vents, bolts and a few accents; paint gone at the edges."""
    unit = description.size
    nx, ny = space.count(8 / unit)
    pieces = lay(
        space,
        ashlar(space, "panel", nx, ny, ((3, 2), (2, 3), (2, 2), (4, 2), (1, 2), (2, 1), (2, 2))),
        0.007 * unit,
    )
    index, count = pieces.index, pieces.count
    gap = np.float32(0.0038 * unit)
    inside = np.maximum(pieces.edge - gap, 0)
    face = mask_of(pieces.edge, gap, space.pixel, 0.0004)
    large = ((pieces.wide > 0.2 * unit) & (pieces.tall > 0.2 * unit)).astype(np.float32)
    kind = space.each("panel/kind", count)

    def of(low: float, high: float) -> FloatArray:
        return (((kind >= low) & (kind < high)).astype(np.float32) * large).take(index)

    recess = smoothstep(pieces.edge, 0.03 * unit, 0.033 * unit) * of(0.0, 0.35)
    plateau = smoothstep(pieces.edge, 0.024 * unit, 0.028 * unit) * of(0.35, 0.6)
    slot = np.cos(np.float32(2 * np.pi / (0.022 * unit)) * pieces.v)
    vent = smoothstep(slot, -0.1, 0.45) * smoothstep(pieces.edge, 0.036 * unit, 0.039 * unit) * of(0.6, 0.82)
    groove_at = np.abs(pieces.u - (pieces.wide * 0.18).take(index))
    groove = (1 - smoothstep(groove_at, 0.0012 * unit, 0.0024 * unit)) * of(0.82, 1.01)
    bolted = (space.each("panel/bolted", count) < 0.7).astype(np.float32).take(index)
    bolts = bolted * _bolts(pieces, 0.015 * unit, 0.0048 * unit)

    seams = lay(space, ashlar(space, "panel/fine", nx * 2, ny * 2, ((2, 1), (3, 2), (2, 2), (1, 2), (4, 1))))
    lined = of(0.35, 0.6) * plateau + of(0.82, 1.01)
    thin = 0.0008 * unit
    seam = lined * face * (1 - smoothstep(seams.edge, thin, thin + max(0.0009 * unit, space.pixel)))
    small = (np.maximum(seams.wide, seams.tall) < 0.1 * unit) & (space.each("panel/box", seams.count) < 0.6)
    boxes = lined * smoothstep(seams.edge, 0.009 * unit, 0.0105 * unit)
    boxes *= small.astype(np.float32).take(seams.index)

    level = each_in(space, "panel/level", index, count, 0.0, 1.0)
    height = face * (np.float32(0.005 * unit) + np.floor(level * 3) * np.float32(0.0026 * unit))
    height += bevel(inside, 0.0035 * unit) * np.float32(0.0022 * unit)
    height += (
        plateau * 0.0035
        - recess * 0.0042
        - vent * 0.0062
        - groove * 0.0022
        + bolts * 0.0022
        - seam * 0.0013
        + boxes * 0.0048
    ) * np.float32(unit)
    roughness, relief, tone = skin(space, 0.25)
    height += relief * np.float32(0.35)

    bases = palette(space, description, "panel", _SETS, chroma=0.9)
    colour = lookup(scatter(space, "panel/tint", bases, count, 0.015, 0.08, 2), index)
    accent = rgb(_ACCENTS[space.choose("panel/accent", len(_ACCENTS))])
    marked = (space.each("panel/marked", count) > 0.92).astype(np.float32).take(index)
    colour = mix(colour, flat(accent) * np.ones((3, *space.shape), np.float32), marked)
    colour = colour * (1 + 0.6 * (tone - 1)) * (1 - 0.22 * recess)
    colour *= 1 + 0.035 * each_in(space, "panel/shade", seams.index, seams.count) * lined
    colour = mix(colour, flat(rgb("3c4044")), boxes * 0.8)
    colour = mix(colour, flat(rgb("2b2d2f")), np.maximum(np.maximum(vent, groove), seam * 0.7) * 0.85)
    streaks = noise(space, 30, "panel/streaks", 4, 0.62, (1, 8))
    streaks += 0.6 * noise(space, 4, "panel/grime", 5, 0.6)
    grime = smoothstep(streaks - inside * np.float32(26 / unit), 0.3, 2.0) * face
    colour = mix(colour, colour * flat((0.62, 0.6, 0.57)), np.clip(grime * 0.75, 0, 1))
    steel = flat(rgb(_STEEL))
    rub = noise(space, 14, "panel/rub", 5, 0.65)
    least = 0.35 - 0.9 * description.amount("worn", "weathered")
    bare = face * smoothstep(rub - inside * np.float32(320 / unit), least, 1.0)
    bare = np.maximum(bare, bolts)
    colour = mix(colour, steel, bare)
    colour = mix(flat(rgb("26282a")), colour, face)
    paint = 0.46 + 0.4 * (roughness - 0.31) + 0.08 * each_in(space, "panel/sheen", index, count)
    roughness = mix(paint + 0.2 * grime, roughness, bare)
    roughness = np.clip(mix(np.full(space.shape, 0.7, np.float32), roughness, face), 0.1, 0.95)
    metallic = np.maximum(bare, (1 - face) * 0.6)
    out = surface(space, colour, height, roughness, metallic, 1 - face, inside, index, count)
    out.core = rgb(_STEEL)
    out.iron = bolts
    return out


def _bolts(pieces: Pieces, inset: float, radius: float) -> FloatArray:
    """Hexagonal-socket heads in the four corners, 0 to 1."""
    du = np.abs(np.abs(pieces.u) - (pieces.wide / 2 - inset).take(pieces.index))
    dv = np.abs(np.abs(pieces.v) - (pieces.tall / 2 - inset).take(pieces.index))
    distance = np.hypot(du, dv) * np.float32(1 / radius)
    return ((1 - smoothstep(distance, 0.8, 1.0)) * smoothstep(distance, 0.3, 0.5)).astype(np.float32)
