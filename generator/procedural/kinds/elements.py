# SPDX-License-Identifier: GPL-3.0-or-later
"""Ice and lava: what cracks because it froze."""

from __future__ import annotations

import numpy as np

from generator.procedural.colours import rgb, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, each_in, tilt, wobble
from generator.procedural.noise import evened, noise, ridges
from generator.procedural.palette import gradient, palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, mix, ramp, smoothstep
from generator.procedural.space import Space
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

_ICES = ("5d8fa3", "6f9fae", "4a7f99", "86abb5")
_HEAT = ("3a0d06", "8c1d08", "d9480f", "f58a1f", "fcc24a", "fff0b0")


@family(
    "ice",
    "ice, glacier, frozen lake, ice sheet, frozen water, icicle, iceberg, black ice, ice rink, cracked ice, permafrost",
    "cracked blue ice",
)
def ice(space: Space, description: Description) -> Surface:
    """Lake ice: depth that darkens, fracture planes that catch the light on one side, bubbles, wind-polish."""
    unit = description.size
    base = palette(space, description, "ice", _ICES, chroma=0.7)[0]
    deep = evened(noise(space, 2.5 / unit, "ice/deep", 6, 0.58), space)
    milk = noise(space, 6 / unit, "ice/milk", 5, 0.62)
    colour = ramp(0.5 + 0.15 * deep + 0.07 * milk, gradient(base, -0.16, 0.13, 6, -14))
    height = noise(space, 3 / unit, "ice/swell", 3, 0.5) * np.float32(0.0012 * unit)
    white = np.zeros(space.shape, np.float32)
    opened = np.zeros(space.shape, np.float32)
    white_tone = flat(rgb("e6f0f2"))
    for salt, density, reach, strength in (
        ("a", 2.6, 0.05, 0.95),
        ("b", 6, 0.022, 0.6),
        ("c", 14, 0.009, 0.45),
    ):
        warp = wobble(space, f"ice/{salt}", 2.2 * density / unit, 0.05 / density * unit, 4)
        cells = voronoi(space, density / unit, f"ice/{salt}", 0.9, warp)
        low, high = np.minimum(cells.index, cells.beyond), np.maximum(cells.index, cells.beyond)
        pair = (low * 31 + high * 17) % 4093
        there = (space.each(f"ice/{salt}/there", 4093) < 0.72).astype(np.float32).take(pair)
        side = np.where(cells.index < cells.beyond, 1, 0)
        slanted = (space.each(f"ice/{salt}/slant", 4093) * 0.8 + 0.2).astype(np.float32).take(pair)
        width = np.float32(0.0009 * unit) * (1 + 2.0 * (density < 4))
        line = np.exp(-np.square(cells.edge / (width + np.float32(0.5 * space.pixel)))) * there
        # The crack goes down at a slant: on one side its face is seen through the ice, fading with the depth.
        torn = 0.7 + 0.3 * noise(space, 40 / unit, f"ice/{salt}/torn", 3, 0.7)
        veil = np.exp(-cells.edge / (np.float32(reach * unit) * slanted)) * side * there * torn
        colour = mix(colour, white_tone, np.clip(veil * 0.5 * strength, 0, 1))
        white = np.maximum(white, line * strength)
        opened = np.maximum(opened, line * (density < 10))
        rise = each_in(space, f"ice/{salt}/level", cells.index, cells.count)
        height += rise * np.float32(0.0011 * unit * (density < 4)) - line * np.float32(
            0.0016 * unit * strength
        )
    colour = mix(colour, white_tone, np.clip(white, 0, 1) * 0.85)
    for salt, density, share in (("big", 16, 0.22), ("small", 42, 0.3)):
        bubbles = voronoi(space, density / unit, f"ice/{salt}", 0.9)
        radius = space.each(f"ice/{salt}/r", bubbles.count) ** 2 * np.float32(0.3 / density * unit)
        radius *= space.each(f"ice/{salt}/on", bubbles.count) < share
        inside = radius.take(bubbles.index) - bubbles.near
        rim = smoothstep(inside, 0.0, 0.002 * unit) * (
            1 - 0.55 * smoothstep(inside, 0.003 * unit, 0.01 * unit)
        )
        colour = mix(colour, white_tone, rim * 0.55 * smoothstep(deep, -1.2, 0.8))
    rime = smoothstep(noise(space, 5 / unit, "ice/rime", 6, 0.66) + 0.3 * milk, 1.0, 2.4)
    colour = mix(colour, flat(rgb("dfe9ee")), rime * 0.5)
    fine = noise(space, 70 / unit, "ice/fine", 3, 0.7)
    height += rime * fine * np.float32(0.0004) + milk * np.float32(0.0003 * unit)
    roughness = 0.1 + 0.035 * np.abs(milk) + 0.32 * rime + 0.3 * opened
    return surface(space, colour, height, np.clip(roughness, 0.05, 0.8))


@family(
    "lava",
    "lava, magma, lava flow, molten rock, molten lava, lava crust, molten, lava lake, hell, infernal, ember",
    "black molten lava",
)
def lava(space: Space, description: Description) -> Surface:
    """Black crust in plates and ropes, torn open over what still glows."""
    unit = description.size
    warp = wobble(space, "lava", 3.5 / unit, 0.035 * unit, 5)
    plates = voronoi(space, 5 / unit, "lava/plate", 0.9, warp, 0.012 * unit)
    small = voronoi(space, 15 / unit, "lava/small", 0.9, warp, 0.004 * unit)
    rough = noise(space, 24 / unit, "lava/rough", 5, 0.66)
    heat = evened(noise(space, 2.6 / unit, "lava/heat", 4, 0.55), space)
    # The crust is torn wide where it is hot and closed where it has cooled.
    torn = np.float32(0.009 * unit) * np.clip(1.1 + 0.9 * heat, 0.1, 3.0) + rough * np.float32(0.0022 * unit)
    fissure = np.float32(0.0026 * unit) * np.clip(0.6 + 1.0 * heat, 0.0, 2.4) + rough * np.float32(
        0.0012 * unit
    )
    inside = np.minimum(plates.edge - torn, small.edge - fissure)
    crust = smoothstep(inside, -0.0006 * unit - space.pixel * 0.5, 0.0022 * unit)
    dome = bevel(np.maximum(plates.edge - torn, 0), 0.05 * unit)
    slant = tilt(space, "lava/tilt", small.index, small.count, small.u, small.v, 0.12)
    # Pahoehoe: skin pushed into ropes by what flows underneath.
    bend = noise(space, 3.0 / unit, "lava/bend", 4, 0.55)
    own = each_in(space, "lava/phase", plates.index, plates.count, 0, 5)
    ropes = np.sin(np.float32(2 * np.pi) * (bend * 2.6 + own + plates.near * np.float32(34 / unit)))
    roped = smoothstep(noise(space, 2.4 / unit, "lava/roped", 3, 0.5), -0.5, 0.8)
    height = crust * (dome * np.float32(0.022 * unit) + np.float32(0.006 * unit) + slant)
    height += (
        crust
        * (
            roped * ropes * 0.0028 + rough * 0.0019 + ridges(space, 20 / unit, "lava/crest", 3) * 0.003
        ).astype(np.float32)
        * np.float32(unit)
    )
    pits = smoothstep(noise(space, 80 / unit, "lava/pits", 2, 0.7), 1.1, 2.0) * crust
    height -= pits * np.float32(0.0016 * unit)
    flow = noise(space, 12 / unit, "lava/flow", 4, 0.6)
    height += (1 - crust) * flow * np.float32(0.0006 * unit)
    base = palette(space, description, "lava", ("2b2725", "302b2a", "25262a"), chroma=0.5)[0]
    if description.says("light"):
        base = shade(base, 0.05)
    tone = 0.5 + 0.1 * rough + 0.09 * roped * ropes + 0.1 * (dome - 0.6)
    colour = ramp(tone, gradient(base, -0.1, 0.12, 6, 8)) * (1 - 0.3 * pits)
    ash = smoothstep(rough + 0.6 * dome - 0.5 * heat, 1.0, 2.6)
    colour = mix(colour, flat(rgb("6f6a66")), ash * 0.35)
    # Brightest in the middle of a gap, where it is thinnest skinned; the rims are still red-hot.
    depth = np.maximum(-inside, 0) * np.float32(1 / (0.013 * unit))
    glow = np.clip(0.34 + 0.5 * depth + 0.1 * heat + 0.07 * flow, 0, 1)
    colour = mix(ramp(glow, np.stack([rgb(t) for t in _HEAT])), colour, crust)
    rim = np.exp(-np.maximum(inside, 0) * np.float32(220 / unit)) * crust
    colour = mix(colour, flat(rgb("8a2008")), np.clip(rim * (0.55 + 0.25 * heat), 0, 0.85))
    roughness = mix(0.45 + 0.06 * flow, 0.84 + 0.05 * rough - 0.22 * roped * (1 - ash), crust)
    return surface(
        space, colour, height, np.clip(roughness, 0.3, 1), 0.0, 1 - crust, np.maximum(inside, 0),
        plates.index, plates.count,
    )  # fmt: skip
