# SPDX-License-Identifier: GPL-3.0-or-later
"""Cracks, worn edges, scratches."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb
from generator.procedural.description import Description
from generator.procedural.noise import noise
from generator.procedural.registry import layer
from generator.procedural.shaping import cover, flat, mix, smoothstep, spread_of
from generator.procedural.space import uniform
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface
from generator.procedural.voronoi import voronoi

_ROUGH_GROUND = 0.0015
"""Deviation of the height, in units, from which on a surface without pieces has crests that can break."""


@layer(
    "cracked",
    "cracked, crack, cracking, cracks, crackle, crackled, fractured, shattered, fissured, fissure, "
    "craquelure, crackling, split",
    order=20,
)
def cracked(surface: Surface, description: Description, amount: float) -> None:
    """Broken lines that fork and end; in laid pieces each one breaks by itself, and its shards shift a little."""
    space = surface.space
    wx = noise(space, 7, "crack/x", 5, 0.6) * np.float32(0.018)
    wy = noise(space, 7, "crack/y", 5, 0.6) * np.float32(0.018)
    broken = np.ones((), np.float32)
    if surface.index is not None and surface.count > 1:
        # Each piece lies elsewhere in the network, so that cracks stop at the joints.
        wx += (space.each("crack/px", surface.count) * 4).take(surface.index)
        wy += (space.each("crack/py", surface.count) * 4).take(surface.index)
        broken = (space.each("crack/piece", surface.count) < 0.25 + 0.35 * amount).astype(np.float32)
        broken = broken.take(surface.index)
    patches = smoothstep(noise(space, 3, "crack/where", 2), -0.9 - 0.5 * amount, 0.4 - 0.5 * amount)
    for salt, density, width, kept in (("a", 4.5, 0.0023, 0.5), ("b", 11, 0.0011, 0.34)):
        # Wood splits along its fibres.
        stretch = (0.55, 5.0) if surface.fibrous else (1.0, 1.0)
        cells = voronoi(
            space, density, f"crack/{salt}", 0.9, (wx * np.float32(stretch[0] ** 2), wy), 0.0, stretch
        )
        low, high = np.minimum(cells.index, cells.beyond), np.maximum(cells.index, cells.beyond)
        # One number per border: a share of the borders is really a crack.
        chance = uniform(space.seed, f"crack/{salt}/line", *_pairs(low, high, cells.count))
        drawn = (
            chance.reshape(cells.count, cells.count).ravel().take(low * cells.count + high)
        ) < kept + 0.2 * amount
        thin = np.float32(width * (0.6 + 0.4 * min(amount, 1.5)))
        breadth = thin * np.clip(0.65 + 0.4 * noise(space, 12, f"crack/{salt}/breadth", 3), 0.12, 1.6)
        breadth *= drawn * broken * patches
        if surface.fibrous:
            # What crosses them is a border between cells above each other, where the offset is along y.
            sideways = np.abs(cells.u) / np.float32(stretch[0]) - np.abs(cells.v) / np.float32(stretch[1])
            breadth *= smoothstep(sideways, 0.0, 0.1 / density)
        if surface.gap is not None:
            # Mortar gives way instead of breaking.
            breadth *= 1 - np.float32(0.75) * surface.gap
        line = 1 - smoothstep(cells.edge, breadth * 0.35, breadth + np.float32(space.pixel * 0.6))
        line *= smoothstep(breadth, thin * 0.05, thin * 0.3)
        chips = (1 - smoothstep(cells.edge, breadth, breadth * 3.2 + np.float32(1e-5))) * smoothstep(
            breadth, 0, thin
        )
        if salt == "a":
            shards = (space.each("crack/shard", cells.count) - 0.5).take(cells.index)
            surface.height += shards * broken * patches * np.float32(0.0022 * min(amount, 1.5))
        surface.height -= line * np.float32(width * 2.6) + chips * np.float32(0.0006)
        surface.paint(surface.colour * flat((0.3, 0.28, 0.26)), line * np.float32(0.92))
        surface.paint(mix(surface.colour, flat(rgb("c8bcab")), 0.35), chips * (1 - line) * 0.35)
        surface.set_roughness(0.92, np.maximum(line, chips * 0.6))
        surface.set_metallic(0.0, line)


def _pairs(low: np.ndarray, high: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.arange(count)
    return np.repeat(numbers, count), np.tile(numbers, count)


@layer(
    "worn",
    "worn, wear, pothole, chipped, eroded, erosion, crumbly, weatherworn, used, chipping, worn out, worn down, "
    "rubbed, frayed",
    order=30,
)
def worn(surface: Surface, description: Description, amount: float) -> None:
    """Crests and arrises rubbed down and paler, with bites out of the edges."""
    space = surface.space
    rub = noise(space, 6, "worn/rub", 5, 0.62)
    crest = smoothstep(-surface.cavity(0.006) + 0.5 * rub, 1.3 - 0.5 * amount, 2.6 - 0.4 * amount)
    bites = smoothstep(
        noise(space, 16, "worn/bites", 4, 0.62) - surface.cavity(0.012) * 0.6, 1.7 - 0.4 * amount, 2.6
    )
    if surface.edge is not None:
        near = 1 - smoothstep(surface.edge, 0.0, 0.02)
        rim = smoothstep(noise(space, 28, "worn/rim", 3, 0.6), 0.9 - 0.5 * amount, 1.9) * near
        bites = np.maximum(bites * 0.6, rim)
        crest = np.maximum(crest, near * smoothstep(rub, 0.4 - 0.6 * amount, 1.8) * 0.7)
    if surface.edge is None:
        # What is smooth and whole does not crumble; it goes dull along the ways that hands and feet take.
        smooth = 1 - min(spread_of(surface.height) / _ROUGH_GROUND, 1.0)
        bites = bites * np.float32(1 - 0.95 * smooth)
        dull = cover(rub + 0.3 * noise(space, 24, "worn/dull", 4, 0.65), min(0.4 * amount, 0.8), 0.7)
        dull *= np.float32(0.7 * smooth)
        surface.set_roughness(0.62, dull * (1 - 0.6 * surface.metallic))
        surface.paint(mix(surface.colour, flat(rgb("bdb6ab")), 0.3), dull * 0.55 * (1 - surface.metallic))
    if surface.gap is not None:
        bites *= 1 - surface.gap
        crest *= 1 - surface.gap
    if surface.core is not None:
        _bared(surface, np.maximum(crest, bites), amount)
        return
    metal = surface.metallic
    # Metal does not crumble; it is only rubbed.
    bites = bites * (1 - 0.9 * metal)
    surface.height -= bites * np.float32(0.0035 * min(amount, 1.5)) + crest * np.float32(0.0008) * (
        1 - 0.7 * metal
    )
    paler = mix(surface.colour, flat(rgb("c9beb0")), 0.35 - 0.3 * metal) * (1 + 0.12 * metal)
    surface.paint(paler, np.clip(crest * 0.6 + bites * 0.55, 0, 1))
    surface.set_roughness(np.float32(0.8), bites * 0.6 * (1 - metal))
    surface.set_roughness(surface.roughness * np.float32(0.75), crest * metal)


def _bared(surface: Surface, score: FloatArray, amount: float) -> None:
    """Paint knocked off metal: thin, sharp-edged chips, primer at their rims."""
    chips = smoothstep(score + 0.12 * noise(surface.space, 60, "worn/flake", 3, 0.7), 0.42, 0.52)
    rims = smoothstep(score, 0.28, 0.42) * (1 - chips)
    surface.paint(surface.colour * flat((0.74, 0.7, 0.66)), rims * 0.6)
    surface.paint(flat(surface.core if surface.core is not None else rgb("a4a6a8")), chips)
    surface.height -= chips * np.float32(0.0003 * min(amount, 1.5))
    surface.set_metallic(1.0, chips)
    surface.set_roughness(0.38, chips)


@layer(
    "scratched",
    "scratched, scratch, scratches, scuffed, scuff, scraped, scratchy, gouged, scored, scrape",
    order=34,
)
def scratched(surface: Surface, description: Description, amount: float) -> None:
    """Fine straight scores of all directions, some deep."""
    space = surface.space
    marks = draw(space, "scratch", 260 * amount, Brush((0.05, 0.4), (0.0006, 0.0022), bend=0.06, lift=0.0))
    line = (
        (marks.index >= 0)
        * (1 - np.abs(marks.across))
        * (0.35 + 0.65 * space.each("scratch/deep", 4096).take(np.maximum(marks.index, 0) % 4096))
    )
    line *= smoothstep(noise(space, 9, "scratch/skip", 3), -1.2, 0.2)
    line = line.astype(np.float32)
    surface.height -= line * np.float32(0.0008)
    bare = (smoothstep(line, 0.5, 0.8) * (0.25 + 0.75 * surface.metallic)).astype(np.float32)
    surface.iron = bare * 0.5 if surface.iron is None else np.maximum(surface.iron, bare * 0.5)
    surface.paint(mix(surface.colour, flat(rgb("d0ccc6")), 0.5), line * 0.5)
    surface.set_roughness(surface.roughness * 0.8 + 0.08, line)
