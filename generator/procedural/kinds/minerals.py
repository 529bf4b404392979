# SPDX-License-Identifier: GPL-3.0-or-later
"""Stone as it grows or is cut: rock, marble, granite, terrazzo."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import each_in, tilt, wobble
from generator.procedural.noise import blur, noise, ridges
from generator.procedural.palette import gradient, palette, toned
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, smoothstep
from generator.procedural.space import Space
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

_ROCKS = ("7b766e", "86796a", "6a6d70", "8f8373", "71665c")
_MARBLES = ("e2dfd9 8b8984 6e6b68", "ded3c0 a98c66 8a6b48", "2b2d2d b9b5a8 d8d2c2", "33463d b6c2b2 8fa597",
            "d5cfc8 7e868c 5d656c")  # fmt: skip

_BRANCHES = ("e", "f")


@family(
    "rock",
    "rock, rocky, cliff, boulder, stone, stony, bedrock, crag, rock face, cave, mountain, "
    "limestone, basalt, slate, sandstone, shale, lava rock, volcanic rock, volcanic stone, pumice, tuff, "
    "chalk, coal, "
    "canyon, mars, moon, lunar, asteroid, meteorite, gneiss, schist",
    "mossy grey rock",
)
def rock(space: Space, description: Description) -> Surface:
    """Broken bedrock: facets at three scales, crevices, bedding and a weathered skin."""
    unit = description.size
    warp = wobble(space, "rock", 4 / unit, 0.03 * unit, 6)
    height = noise(space, 2.2 / unit, "rock/mass", 3, 0.5) * np.float32(0.012 * unit)
    crevice = np.zeros(space.shape, np.float32)
    for salt, density, slope in (("a", 4.5, 0.28), ("b", 10, 0.2), ("c", 24, 0.13)):
        cells = voronoi(space, density / unit, f"rock/{salt}", 0.9, warp, 0.0, (1.25, 0.85))
        height += tilt(space, f"rock/{salt}", cells.index, cells.count, cells.u, cells.v, slope)
        height += each_in(space, f"rock/{salt}out", cells.index, cells.count) * np.float32(
            0.02 * unit / density
        )
        if salt == "a":
            crevice = 1 - smoothstep(cells.edge, 0.0, 0.014 * unit)
            crevice *= smoothstep(noise(space, 5 / unit, "rock/open", 3), -0.6, 0.9)
    fine = noise(space, 16 / unit, "rock/fine", 6, 0.66)
    crest = ridges(space, 7 / unit, "rock/crest", 4)
    height += (
        fine * np.float32(0.0022 * unit)
        + crest * np.float32(0.008 * unit)
        - crevice * np.float32(0.016 * unit)
    )
    base = palette(space, description, "rock", _ROCKS, chroma=0.6, earthen=True)[0]
    clouds = noise(space, 3, "rock/clouds", 5, 0.6)
    tone = 0.52 + 0.11 * fine + 0.12 * clouds + 0.1 * (crest - 0.5) - 0.3 * crevice
    colour = ramp(tone, gradient(base, -0.17, 0.13, 6, 12))
    ochre = smoothstep(noise(space, 3.5, "rock/ochre", 6, 0.62), 0.5, 2.2)
    colour = mix(colour, colour * flat((1.12, 0.96, 0.74)), ochre * 0.6)
    grit = noise(space, 110, "rock/grit", 2, 0.85)
    colour *= 1 + 0.06 * grit
    skin = smoothstep(noise(space, 7, "rock/skin", 5, 0.65) + 0.5 * fine, 1.0, 1.8)
    colour = mix(colour, flat(shade(base, 0.15, 0.55)), skin * 0.4)
    return surface(space, colour, height, np.clip(0.86 + 0.05 * fine, 0.5, 1.0))


@family(
    "marble",
    "marble, carrara, onyx, travertine, quartz, quartzite, alabaster, marbled, calacatta, statuario, "
    "soapstone, malachite, "
    "jade stone, agate",
    "polished white marble",
)
def marble(space: Space, description: Description) -> Surface:
    """Polished marble: clouded ground, veins that swell, fork and heal, finer ones between."""
    unit = description.size
    own = _MARBLES[space.choose("marble/set", len(_MARBLES))].split()
    ground, vein, second = (toned(description, rgb(text)) for text in own)
    if description.colours:
        ground = palette(space, description, "marble", _MARBLES, chroma=0.55)[0]
        light = float(ground.mean()) > 0.45
        named = palette(space, Description("marble", colours=description.colours[1:2]), "marble", _MARBLES)[0]
        vein = named if len(description.colours) > 1 else shade(ground, -0.3 if light else 0.52, 0.5)
        second = shade(vein, -0.08 if light else 0.08, 1.3, 15)
    clouds = noise(space, 2 / unit, "marble/clouds", 7, 0.58)
    milk = noise(space, 5 / unit, "marble/milk", 5, 0.6)
    colour = ramp(0.55 + 0.16 * clouds + 0.08 * milk, gradient(ground, -0.09, 0.04, 5, 6))
    bend = noise(space, 1.8 / unit, "marble/bend", 6, 0.56)
    shake = noise(space, 11 / unit, "marble/shake", 5, 0.62)
    total = np.zeros(space.shape, np.float32)
    lean = -1 if space.pick("marble/lean") < 0.5 else 1
    sets = (
        ("a", 2, 3, 0.32, 0.03, 1.0, vein), ("b", 4, 3, 0.34, 0.02, 0.8, second), ("c", -3, 5, 0.4, 0.012, 0.6, vein),
        ("d", 9, 8, 0.55, 0.022, 0.5, second), ("e", -7, 5, 0.5, 0.014, 0.75, vein), ("f", 5, 11, 0.5, 0.01, 0.6, vein),
    )  # fmt: skip
    for salt, kx, ky, sway, width, weight, tone in sets:
        # Whole numbers of turns along each axis keep the lines on the torus; they run in one direction, as beds do.
        turns = [
            max(1, round(abs(k) / unit * length)) for k, length in zip((kx, ky), space.extent, strict=True)
        ]
        phase = space.x * np.float32(lean * np.sign(kx) * turns[0] / space.extent[0])
        phase = (
            phase
            + space.y * np.float32(turns[1] / space.extent[1])
            + np.float32(space.pick(f"marble/{salt}0"))
        )
        phase += sway * bend + 0.4 * sway * noise(space, 4 / unit, f"marble/{salt}", 4, 0.5)
        slope = _slope(phase, space.pixel)
        phase += 0.055 * shake
        # Divided by the slope, a line is as thin where the field is flat as where it is steep, and never a blot.
        away = np.abs(phase - np.round(phase)) * (np.float32(np.hypot(turns[0], turns[1])) / slope)
        body = smoothstep(noise(space, 2.6 / unit, f"marble/body{salt}", 4, 0.55), -0.3, 1.9)
        breadth = width * (0.1 + 0.75 * body) * np.clip(1 + 0.5 * shake, 0.25, 2)
        line = np.exp(-np.square(away / breadth)) * 0.8 + np.exp(-away / (breadth * 8 + 0.022)) * 0.4
        line = np.clip(line * weight * (0.1 + 1.0 * body), 0, 1)
        if salt in _BRANCHES:
            # These leave the large veins and heal away from them.
            line *= 0.12 + 1.1 * smoothstep(blur(total, 0.02 * unit, space.pixel), 0.05, 0.3)
        colour = mix(colour, flat(tone), line * 0.85)
        total = np.maximum(total, line)
    colour *= 1 + 0.012 * noise(space, 100, "marble/crystal", 2, 0.8)
    height = milk * np.float32(0.00022) - total * np.float32(0.0005) + clouds * np.float32(0.0003)
    roughness = 0.16 + 0.025 * milk + 0.06 * total
    roughness += 0.1 * smoothstep(noise(space, 6, "marble/smudge", 5, 0.65), 0.6, 2.0)
    return surface(space, colour, height, np.clip(roughness, 0.06, 0.6))


def _slope(phase: FloatArray, pixel: float) -> FloatArray:
    """How fast a field of whole turns changes per unit, over a distance that no resolution alters; at least 1."""
    reach = max(1, round(0.004 / pixel))
    total = np.zeros(phase.shape, np.float32)
    for axis in (0, 1):
        step = np.roll(phase, -reach, axis) - np.roll(phase, reach, axis)
        step -= np.round(step)
        total += np.square(step)
    return np.maximum(np.sqrt(total) * np.float32(1 / (2 * reach * pixel)), 1)


@family(
    "granite",
    "granite, diorite, gabbro, speckled stone, countertop, kitchen counter, worktop, gravestone, porphyry",
    "polished black granite",
)
def granite(space: Space, description: Description) -> Surface:
    """Interlocked crystals of feldspar, quartz and mica."""
    unit = description.size
    base = palette(
        space, description, "granite", ("9a938b", "b09487", "5c5d5f", "8b9096"), chroma=0.5, earthen=True
    )[0]
    warp = wobble(space, "granite", 60 / unit, 0.0028 * unit, 4)
    coarse = voronoi(space, 74 / unit, "granite/coarse", 0.9, warp)
    black = float(base.mean()) < 0.35
    light = shade(base, 0.26 if black else 0.17, 0.7)
    dark = shade(rgb("2c2c2e"), 0.0, 1.0)
    minerals = np.stack(
        [base, light, shade(base, -0.1), shade(base, 0.04, 1.4, 12), shade(base, 0.08), base, dark]
    )
    tints = scatter(space, "granite/tint", minerals.astype(np.float32), coarse.count, 0.025, 0.2, 8)
    small = voronoi(space, 165 / unit, "granite/small", 0.9, warp)
    crumbs = (
        minerals if not black else np.stack([base, base, shade(base, 0.07), shade(base, -0.05), light, base])
    )
    grains = lookup(
        scatter(space, "granite/grain", crumbs.astype(np.float32), small.count, 0.03, 0.2, 8), small.index
    )
    # Between large crystals lies a mass of small ones, more of it in some places than in others.
    share = 0.45 + 0.14 * noise(space, 9 / unit, "granite/mass", 4, 0.6)
    loose = (space.each("granite/loose", coarse.count).take(coarse.index) < share).astype(np.float32)
    colour = mix(lookup(tints, coarse.index), grains, loose)
    if black:
        # Labradorite: a few dark crystals flash blue or bronze.
        flash = (space.each("granite/flash", coarse.count) > 0.93).astype(np.float32).take(coarse.index)
        hue = flat(rgb(("41607a", "6a5a44")[space.choose("granite/hue", 2)]))
        colour = mix(colour, hue, flash * (1 - loose) * 0.55)
    # Crystals are not flat colours: cleavage planes mirror the light at a slant, quartz lets it in, rims are zoned.
    slant = tilt(space, "granite/slant", coarse.index, coarse.count, coarse.u, coarse.v, 1.0) * np.float32(
        74 / unit
    )
    clear = each_in(space, "granite/clear", coarse.index, coarse.count, 0, 1)
    speck = noise(space, 210 / unit, "granite/speck", 2, 0.9)
    colour *= 1 + 0.13 * slant + 0.07 * speck * (1.4 - clear)
    rim = 1 - smoothstep(coarse.edge, 0.0, 0.0022 * unit)
    colour *= 1 - 0.2 * rim * (0.3 + clear)
    zone = smoothstep(coarse.edge, 0.001 * unit, 0.0045 * unit) * smoothstep(clear, 0.6, 0.8)
    colour = mix(colour, np.minimum(colour * np.float32(1.2) + np.float32(0.02), 1), zone * 0.55)
    fine = voronoi(space, 120 / unit, "granite/fine", 0.9, warp)
    mica = (space.each("granite/mica", fine.count) < 0.2).astype(np.float32).take(fine.index)
    cluster = smoothstep(noise(space, 22 / unit, "granite/cluster", 4, 0.6), -0.6, 1.0)
    glint = 1 + 0.35 * each_in(space, "granite/glint", fine.index, fine.count)
    colour = mix(colour, flat(dark) * glint, mica * cluster * smoothstep(fine.edge, -0.0006, 0.0008) * 0.9)
    colour *= (
        1 + 0.05 * noise(space, 5, "granite/clouds", 5) + 0.05 * noise(space, 150, "granite/cleavage", 2, 0.9)
    )
    height = each_in(space, "granite/out", coarse.index, coarse.count) * np.float32(0.00012)
    height += noise(space, 20, "granite/relief", 5) * np.float32(0.00016)
    roughness = 0.3 + 0.05 * noise(space, 7, "granite/smudge", 5, 0.65) + 0.06 * mica
    return surface(space, colour, height, np.clip(roughness, 0.1, 0.7))


@family(
    "terrazzo",
    "terrazzo, venetian floor, agglomerate",
    "white terrazzo with small chips",
)
def terrazzo(space: Space, description: Description) -> Surface:
    """Chips of marble of three sizes in ground cement."""
    unit = description.size
    ground = palette(space, description, "terrazzo", ("d9d4ca", "b9b4ab", "c6b8a6", "4d5052"), chroma=0.6)[0]
    chips = np.stack(
        [rgb(t) for t in ["8e5d4a", "c59a72", "5d6a66", "e9e5dc", "3c3d40", "a3705c", "9aa39b", "d8c6a4"]]
    )
    fine = noise(space, 90, "terrazzo/fine", 3, 0.8)
    colour = ramp(
        0.5 + 0.12 * fine + 0.08 * noise(space, 4, "terrazzo/clouds", 4), gradient(ground, -0.06, 0.04)
    )
    warp = wobble(space, "terrazzo", 22 / unit, 0.006 * unit, 3)
    mottle = noise(space, 34 / unit, "terrazzo/mottle", 4, 0.65)
    streak = smoothstep(ridges(space, 20 / unit, "terrazzo/streak", 3), 0.78, 0.95)
    chip = np.zeros(space.shape, np.float32)
    for salt, density, share in (("s", 46, 0.5), ("m", 22, 0.45), ("l", 10, 0.35)):
        cells = voronoi(space, density / unit, f"terrazzo/{salt}", 0.9, warp)
        present = (space.each(f"terrazzo/{salt}on", cells.count) < share).astype(np.float32).take(cells.index)
        inside = smoothstep(cells.edge - np.float32(0.16 / density * unit), 0, space.pixel * 1.5) * present
        tints = scatter(space, f"terrazzo/{salt}tint", chips, cells.count, 0.04, 0.2, 8)
        slant = tilt(space, f"terrazzo/{salt}", cells.index, cells.count, cells.u, cells.v, 1.0)
        stone = lookup(tints, cells.index) * (
            1 + 0.05 * fine + 0.11 * mottle + slant * np.float32(0.1 * density / unit)
        )
        colour = mix(colour, mix(stone, np.minimum(stone + np.float32(0.14), 1), streak * 0.6), inside)
        colour *= 1 - 0.1 * present * smoothstep(cells.edge, 0.1 / density * unit, 0.16 / density * unit) * (
            1 - inside
        )
        chip = np.maximum(chip, inside)
    height = chip * np.float32(0.00025) + fine * np.float32(0.00012) * (1 - chip)
    roughness = 0.3 - 0.1 * chip + 0.05 * noise(space, 6, "terrazzo/smudge", 5, 0.65)
    return surface(space, colour, height, np.clip(roughness, 0.08, 0.7))
