# SPDX-License-Identifier: GPL-3.0-or-later
"""Water, snow, frost, and the finish of the surface itself."""

from __future__ import annotations

import numpy as np

from generator.procedural.colours import rgb
from generator.procedural.description import Description
from generator.procedural.noise import blur, evened, noise, runoff
from generator.procedural.registry import layer
from generator.procedural.shaping import (
    cover,
    flat,
    mix,
    quantile,
    ramp,
    smooth_maximum,
    smoothstep,
    spread_of,
)
from generator.procedural.surface import Surface


@layer(
    "wet",
    "wet, puddle, puddles, water, watery, rain, soaking, drenched, waterlogged, slick, "
    "after rain, dripping, rainwater, dew, dewy, glistening, rain soaked, standing water",
    order=80,
)
def wet(surface: Surface, description: Description, amount: float) -> None:
    """Pores darkened by damp, and water standing level in the low places, still and smooth."""
    space = surface.space
    ground = blur(surface.height, 0.004, space.pixel)
    spread = max(spread_of(ground), 1e-4)
    depth = evened(ground + noise(space, 3.2, "wet/swell", 3, 0.5) * np.float32(0.9 * spread), space, 0.13)
    share = min(0.06 + 0.2 * amount, 0.8)
    level = quantile(depth, share)
    below = level - depth
    water = smoothstep(below, -0.12 * spread, 0.12 * spread)
    margin = smoothstep(below, -2.6 * spread, 0.3 * spread)
    if surface.upright:
        # Nothing stands on a wall: the water runs down in films, broad at the top and parted further below.
        lanes = smoothstep(noise(space, 26, "wet/lanes", 3, 0.6, (1.0, 9.0)), -0.7, 1.3)
        runs = np.clip(runoff(water * lanes, 0.12, space.pixel), 0, 1) * lanes
        margin, water = np.maximum(0.45 * margin, runs), water * np.float32(0)
    damp = np.clip(0.45 * min(amount, 1.3) + 0.6 * margin, 0, 1)
    porous = 1 - 0.65 * surface.metallic
    # Wet pores darken and saturate (Jensen, "Rendering of Wet Materials"): the sRGB values sink by a power.
    surface.paint(np.power(np.maximum(surface.colour, 1e-3), 1.35) * np.float32(0.86), damp * 0.8 * porous)
    film = smoothstep(margin + 0.15 * noise(space, 8, "wet/film", 4), 0.05, 0.75)
    surface.set_roughness(surface.roughness * np.float32(0.32) + 0.08, film * min(amount, 1.2) * 0.8)
    surface.set_roughness(surface.roughness * np.float32(0.7), np.full_like(film, 0.6 * min(amount, 1.0)))
    surface.paint(surface.colour * flat((0.78, 0.8, 0.8)), water * 0.8)
    surface.set_roughness(0.035, water)
    # The level follows the lie of the land, or every puddle of a slope would gather at its foot.
    filled = np.maximum(surface.height, level - (depth - ground))
    surface.height += (filled - surface.height) * water


@layer(
    "snowy",
    "snowy, snow, snowed, snowfall, snow covered, blizzard, light snow, "
    "snow dusted, melting snow, snowdrifts",
    order=90,
)
def snowy(surface: Surface, description: Description, amount: float) -> None:
    """Snow that fills the hollows first and rounds whatever it lies on; the highest crests stay bare."""
    space = surface.space
    spread = max(spread_of(surface.height), 0.0015)
    ground = blur(surface.height, 0.012, space.pixel)
    drift = noise(space, 3, "snow/drift", 4, 0.55)
    score = (
        drift * 0.9
        - (surface.height - ground) / spread * 0.9
        - (ground - float(ground.mean())) / spread * 0.5
    )
    score += 0.25 * noise(space, 30, "snow/rim", 4, 0.65)
    # It slides off what is steep.
    score -= 0.55 * surface.steepness(0.008)
    score = evened(score, space)
    share = min(0.18 + 0.36 * amount, 0.96)
    mask = cover(score, share, 0.14)
    deep = cover(score, share * 0.8, 0.8)
    grain = noise(space, 90, "snow/grain", 3, 0.75)
    lumps = noise(space, 14, "snow/lumps", 3)
    thick = (0.25 + 0.9 * deep) * np.float32(1.1 * spread + 0.003)
    top = ground + thick + lumps * np.float32(0.0009) + grain * np.float32(0.00035)
    surface.height += (smooth_maximum(top, surface.height, 0.003) - surface.height) * mask
    snow = ramp(
        0.6 + 0.1 * grain + 0.12 * lumps + 0.2 * deep,
        np.stack([rgb(c) for c in ("bcc8d6", "d5dde6", "e8ecef", "f1f2f2")]),
    )
    rim = cover(score, min(share * 1.35 + 0.03, 0.98), 0.7)
    surface.paint(surface.colour * flat((0.72, 0.74, 0.78)), rim * 0.5)
    surface.paint(snow, np.clip(mask + rim * 0.12 * (grain > 0.8), 0, 1))
    surface.set_roughness(0.72 + 0.06 * grain, mask)
    surface.set_metallic(0.0, mask)


@layer("frosty", "frosty, frost, frosted, icy, frozen, hoarfrost, ice, rime, iced", order=92)
def frosty(surface: Surface, description: Description, amount: float) -> None:
    """Hoar on the crests and in fans of fine crystals."""
    space = surface.space
    fans = noise(space, 24, "frost/fans", 5, 0.75)
    needles = np.abs(noise(space, 70, "frost/needles", 3, 0.8))
    score = (
        -0.7 * surface.cavity(0.008) + noise(space, 3.5, "frost/where", 4, 0.6) + 0.55 * fans - 0.5 * needles
    )
    mask = cover(score, min(0.25 + 0.3 * amount, 0.95), 0.55) * (
        0.55 + 0.45 * smoothstep(fans - needles, -1.2, 0.8)
    )
    surface.paint(mix(surface.colour, flat(rgb("dbe6ee")), 0.86), mask * min(0.55 + 0.3 * amount, 0.95))
    surface.height += mask * (0.0006 + 0.0009 * smoothstep(fans - needles, -1, 1))
    surface.set_roughness(0.48 + 0.08 * needles, mask * 0.8)
    surface.set_metallic(0.0, mask * 0.8)


@layer(
    "polished",
    "polished, glossy, shiny, gloss, lacquered, varnished, smooth, sleek, waxed, satin, "
    "glazed, honed, mirror, shining, reflective, oiled, sealed, burnished, lustrous, glaze",
    order=70,
)
def polished(surface: Surface, description: Description, amount: float) -> None:
    """Ground flat and buffed: the fine relief goes, the reflections sharpen, the colour deepens."""
    strength = min(0.75 * amount, 0.97)
    faces = 1 - surface.gap if surface.gap is not None else np.ones_like(surface.height)
    soft = blur(surface.height, 0.006, surface.space.pixel)
    near = soft - surface.height
    np.clip(near, -0.0012, 0.0012, out=near)
    surface.height += near * faces * np.float32(strength)
    surface.set_roughness(0.07 + 0.12 * surface.roughness, faces * np.float32(strength))
    surface.paint(np.power(np.maximum(surface.colour, 1e-3), 1.12), faces * np.float32(0.6 * strength))


@layer(
    "rough",
    "rough, coarse textured, bumpy, uneven, matte, matt, gritty, rugged, pitted, "
    "porous, coarse grained, craggy, jagged, sandblasted, unpolished, lumpy, embossed",
    order=72,
)
def rough(surface: Surface, description: Description, amount: float) -> None:
    """More relief at several scales, and no reflection left."""
    space = surface.space
    bumps = noise(space, 12, "rough/bumps", 6, 0.6)
    grit = noise(space, 120, "rough/grit", 2, 0.8)
    surface.height += (bumps * 0.0016 + grit * 0.0003) * np.float32(amount)
    surface.set_roughness(0.95, np.full_like(bumps, min(0.65 * amount, 0.97)))
    surface.paint(surface.colour * (1 + 0.05 * bumps), np.full_like(bumps, min(amount, 1)))
