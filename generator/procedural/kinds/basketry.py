# SPDX-License-Identifier: GPL-3.0-or-later
"""Wicker, rope, carpet and fur: thick fibres that are seen one by one."""

from __future__ import annotations

import numpy as np

from generator.procedural.colours import rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import each_in, wobble
from generator.procedural.noise import evened, noise
from generator.procedural.palette import palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, smoothstep
from generator.procedural.space import Space
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

_WILLOW = ("a9824f 96703f b8925e", "7d5a38 6d4c2d 8c6842", "c2a878 b39a68 cdb68a", "5b4230 4e3828 6a4e3a")
_HEMP = ("b59d72 a68e64", "c2b08a b5a27c", "8f7a58 836f4e")
_RUGS = ("7d7468 736a5e", "55606b 4c5660", "8a4a44 7d423d", "a89878 9c8c6c", "5c6a55 53604c", "3c3f47 353840")
_FURS = ("8a6a48 6d5034 a88860", "d8cfc0 c4b8a4 e4ddd0", "3c3530 2e2824 4c433a", "8c8780 6f6a64 a8a298")


@family(
    "wicker",
    "wicker, rattan, basketry, basket, wickerwork, woven cane, cane weave, willow, wicker basket, "
    "wicker chair, woven reed, seagrass, "
    "tatami, tatami mat, straw mat, bamboo mat, woven bamboo, woven straw, raffia, bast",
    "old brown wicker basket",
)
def wicker(space: Space, description: Description) -> Surface:
    """Round rods that pass before and behind upright stakes, row by row the other way."""
    unit = description.size
    across, down = space.extent
    stakes, rods = space.count(9 / unit, 34 / unit, (2, 2))
    dx, dy = wobble(space, "wicker", 5 / unit, 0.0018 * unit, 3)
    # A rod that passes in front presses its neighbours apart.
    x = (space.x + dx) * np.float32(stakes / across) + np.float32(space.pick("wicker/x"))
    y = (space.y + dy) * np.float32(rods / down) + np.float32(space.pick("wicker/y"))
    y = y + 0.16 * noise(space, 14 / unit, "wicker/loose", 2, 0.5, (4.0, 1.0))
    row = np.floor(y).astype(np.int32)
    fy = (y - np.floor(y) - np.float32(0.5)) * 2
    swing = np.cos(np.float32(np.pi) * (x - np.float32(0.5) + row)).astype(np.float32)
    number = row % rods
    thick = each_in(space, "wicker/thick", number, rods, 0.86, 1.0)
    body = np.sqrt(np.maximum(1 - np.square(fy / thick), 0)).astype(np.float32)
    fx = (x - np.floor(x) - np.float32(0.5)) * 2
    post = np.sqrt(np.maximum(1 - np.square(fx * np.float32(2.6)), 0))
    rod_height = np.where(body > 0, 0.55 * swing + body * 0.62, -1.0)
    post_height = np.where(post > 0, post * 0.55 - 0.3, -1.0)
    front = (rod_height >= post_height) & (body > 0)
    upright = ~front & (post > 0)
    empty = ~front & ~upright
    level = np.where(front, rod_height, np.where(upright, post_height, -0.75)).astype(np.float32)
    grain = np.where(
        front,
        noise(space, 110 / unit, "wicker/along", 3, 0.75, (14.0, 1.0)),
        noise(space, 110 / unit, "wicker/up", 3, 0.75, (1.0, 14.0)),
    )
    tone = noise(space, 9 / unit, "wicker/tone", 4, 0.6, (3.0, 1.0))
    height = level * np.float32(0.0085 * unit) + grain * np.float32(0.00022 * unit)
    post_number = (np.floor(x).astype(np.int32) % stakes) + rods
    piece = np.where(front, number, post_number).astype(np.int32)
    bases = palette(space, description, "wicker", _WILLOW, chroma=0.8)
    colour = lookup(scatter(space, "wicker/tint", bases, rods + stakes, 0.045, 0.14, 5), piece)
    colour *= 1 + 0.07 * grain + 0.06 * tone
    colour *= (0.62 + 0.4 * smoothstep(level, -0.7, 0.9)).astype(np.float32)
    knots = smoothstep(noise(space, 26 / unit, "wicker/knots", 2, 0.6, (1.6, 1.0)) + 0.4 * tone, 1.7, 2.3)
    colour = mix(colour, colour * flat((0.5, 0.42, 0.36)), knots * 0.7)
    colour = mix(colour, flat(rgb("1e160f")), empty.astype(np.float32) * 0.9)
    roughness = 0.5 + 0.05 * grain + 0.05 * tone + 0.14 * (1 - body) + 0.35 * empty
    return surface(space, colour, height, np.clip(roughness, 0.3, 0.95), 0.0, empty.astype(np.float32))


@family(
    "rope",
    "rope, hemp rope, cordage, twine, cord, ropes, jute rope, ship rope, hawser, string",
    "old hemp rope",
)
def rope(space: Space, description: Description) -> Surface:
    """Ropes laid side by side, each twisted of three strands, each strand of yarns, with loose hairs."""
    unit = description.size
    across, down = space.extent
    turns, rows = space.count(11 / unit, 7 / unit)
    x = (space.x + wobble(space, "rope", 4 / unit, 0.002 * unit)[0]) * np.float32(turns / across)
    y = (space.y + wobble(space, "rope/y", 3 / unit, 0.0016 * unit)[1]) * np.float32(rows / down)
    y = y + np.float32(space.pick("rope/begin"))
    row = np.floor(y).astype(np.int32) % rows
    v = (y - np.floor(y) - np.float32(0.5)) * 2
    lay = (
        x
        + each_in(space, "rope/phase", row, rows, 0, 9)
        + np.arcsin(np.clip(v * 0.98, -1, 1)) * np.float32(0.42)
    )
    s = (lay - np.floor(lay) - np.float32(0.5)) * 2
    strand = np.sqrt(np.maximum(1 - np.square(s * 0.98), 0.0))
    girth = np.sqrt(np.maximum(1 - np.square(v * 0.99), 0.0))
    # Yarns run against the lay, nearly along the rope.
    yarn = np.sin(np.float32(2 * np.pi) * (s * 2.1 - v * 1.2)) * strand
    hair = noise(space, 120 / unit, "rope/hair", 3, 0.8, (3.0, 1.0))
    number = (np.floor(lay).astype(np.int32) % turns) + turns * row
    own = each_in(space, "rope/own", number, turns * rows)
    unit_row = np.float32(down / rows)
    height = girth * unit_row * np.float32(0.42) + strand * girth * unit_row * np.float32(0.16)
    height += (yarn * 0.0011 + hair * 0.0005 + 0.0006 * own).astype(np.float32) * np.float32(unit)
    bases = palette(space, description, "rope", _HEMP, chroma=0.75)
    colour = lookup(scatter(space, "rope/tint", bases, turns * rows, 0.028, 0.1, 4), number)
    colour *= (0.55 + 0.32 * strand + 0.2 * girth) * (1 + 0.07 * yarn + 0.07 * hair)
    worn = smoothstep(noise(space, 4, "rope/grime", 5, 0.62), 0.3, 1.8)
    colour = mix(colour, colour * flat((0.72, 0.66, 0.6)), worn * 0.5)
    frayed = 1 + 2.5 * description.amount("worn", "weathered")
    strays = draw(
        space, "rope/strays", 2400 * frayed / unit, Brush((0.012, 0.05), (0.0006, 0.0013), bend=0.6, lift=0.0)
    )
    stray = ((strays.index >= 0) * (1 - np.abs(strays.across))).astype(np.float32) * smoothstep(
        girth, 0.2, 0.6
    )
    height += stray * np.float32(0.0012)
    colour = mix(colour, flat(shade(bases[0], 0.09)), stray * 0.5)
    dark = 1 - smoothstep(girth, 0.08, 0.35)
    colour = mix(colour, flat(rgb("2a2018")), dark * 0.85)
    roughness = 0.86 + 0.04 * hair - 0.05 * strand
    return surface(space, colour, height, np.clip(roughness, 0.6, 1), 0.0, dark)


@family(
    "carpet",
    "carpet, rug, carpeting, carpet floor, doormat, door mat, shag carpet, office carpet, tufted carpet, pile carpet, "
    "bath mat, felt, fleece",
    "soft grey carpet",
)
def carpet(space: Space, description: Description) -> Surface:
    """Cut pile: tufts of twisted yarn that lean in strokes, lighter one way and darker the other."""
    unit = description.size
    said = " ".join(description.understood)
    shag = "shag" in said or description.says("thick", "long")
    density = (38 if shag else 62) / unit
    tufts = voronoi(space, density, "carpet", 0.9, wobble(space, "carpet", 60 / unit, 0.005 * unit, 3))
    lean = evened(noise(space, 3.5, "carpet/lean", 5, 0.6), space)
    dome = smoothstep(tufts.near, 0.75 / density, 0.1 / density)
    long = 1.9 if shag else 1.0
    brush = Brush(
        (0.009 * long * unit, 0.02 * long * unit),
        (0.002 * unit, 0.0036 * unit),
        bend=0.8,
        belly=0.5,
        lift=0.35,
    )
    pile = draw(space, "carpet/pile", 20000 / unit**2, brush)
    body = np.sqrt(np.maximum(1 - np.square(pile.across), 0))
    fibre = np.where(pile.index >= 0, 0.75 * pile.height + 0.25 * body, 0).astype(np.float32)
    own = each_in(space, "carpet/own", tufts.index, tufts.count)
    height = dome * np.float32(0.2 / density) * (0.8 + 0.2 * own) + fibre * np.float32(0.005 * long * unit)
    height += lean * np.float32(0.0012)
    bases = palette(space, description, "carpet", _RUGS, chroma=0.75)
    colour = lookup(scatter(space, "carpet/tint", bases, tufts.count, 0.022, 0.1, 4), tufts.index)
    heather = each_in(space, "carpet/heather", np.maximum(pile.index, 0) % 4093, 4093)
    colour *= 0.78 + 0.12 * dome + 0.34 * (fibre - 0.4) + 0.06 * own + 0.06 * heather
    # The way that the pile was last brushed shows as broad strokes, which is what tells carpet from felt.
    brushed = smoothstep(lean + 0.15 * own, -0.35, 0.35) - np.float32(0.5)
    colour *= 1 + 0.16 * brushed
    roughness = 0.95 - 0.05 * brushed
    return surface(space, np.clip(colour, 0, 1), height, np.clip(roughness, 0.8, 1), 0.0)


@family(
    "fur",
    "fur, animal fur, faux fur, pelt, hair, sheepskin, fluffy, furry, bear fur, wolf fur, fox fur, animal hair, mane",
    "thick brown fur",
)
def fur(space: Space, description: Description) -> Surface:
    """Guard hairs over a soft undercoat, combed one way and parted into locks."""
    unit = description.size * (0.65 if description.says("short") else 1.0)
    lean = np.float32(space.pick("fur/lean", 1.25, 1.9))
    spread = (float(lean) - 0.4, float(lean) + 0.4)
    lock = Brush(
        (0.09 * unit, 0.19 * unit), (0.008 * unit, 0.017 * unit), spread, bend=0.5, belly=0.25, lift=0.55
    )
    tufts = draw(space, "fur/locks", 4200 / unit**2, lock)
    hairs = draw(space, "fur/guard", 3600 / unit**2,
                 Brush((0.06 * unit, 0.13 * unit), (0.0016 * unit, 0.003 * unit), spread, 0.5, 0.3))  # fmt: skip
    number = np.maximum(tufts.index, 0) % 4093
    there = (tufts.index >= 0).astype(np.float32)
    # Hairs of a lock lie beside each other and meet at its tip.
    strand = tufts.across * np.float32(2.2) + each_in(space, "fur/phase", number, 4093, 0, 7)
    fine = np.sin(np.float32(2 * np.pi) * strand) * 0.5 + 0.5 * np.sin(
        np.float32(4.3 * np.pi) * strand + 2 * tufts.along
    )
    body = 1 - np.square(tufts.across)
    single = (hairs.index >= 0) * (1 - np.abs(hairs.across)) * smoothstep(hairs.height, 0.25, 0.6)
    # Drawn a pixel wide at least; thinner hairs must weigh less, or small pictures would be paler.
    single = (single * min(1.0, 0.0023 * unit / space.pixel)).astype(np.float32)
    height = (
        there * (tufts.height * 0.01 + body * 0.0018 + fine * 0.0004).astype(np.float32) * np.float32(unit)
    )
    height += single * np.float32(0.001 * unit)
    parting = evened(noise(space, 7 / unit, "fur/parting", 4, 0.55, (1.0, 2.0)), space)
    height += parting * np.float32(0.0035 * unit)
    bases = palette(space, description, "fur", _FURS, chroma=0.75)
    colour = lookup(scatter(space, "fur/tint", bases, 4093, 0.035, 0.12, 5), number)
    # A hair is dark at its root, strongest in the middle and pale at the tip.
    colour *= (0.62 + 0.42 * smoothstep(tufts.along, 0.0, 0.7)) * (0.8 + 0.22 * body) * (1 + 0.07 * fine)
    tip = smoothstep(tufts.along, 0.65, 1.0)
    colour = mix(colour, np.minimum(colour * np.float32(1.2) + np.float32(0.04), 1), tip * 0.6)
    colour = mix(flat(shade(bases[0], -0.2)), colour, there)
    colour = mix(colour, flat(shade(bases[-1], 0.07)), single * 0.55)
    patch = evened(noise(space, 3, "fur/patch", 4, 0.6), space)
    colour *= 1 + 0.06 * patch + 0.09 * parting
    roughness = 0.66 - 0.08 * body * there + 0.04 * patch + 0.03 * fine
    return surface(space, np.clip(colour, 0, 1).astype(np.float32), height, np.clip(roughness, 0.4, 1))
