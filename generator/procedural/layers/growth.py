# SPDX-License-Identifier: GPL-3.0-or-later
"""Moss and what else grows where it stays damp."""

from __future__ import annotations

import numpy as np

from generator.procedural.colours import rgb, shade
from generator.procedural.description import Description
from generator.procedural.noise import noise
from generator.procedural.registry import layer
from generator.procedural.shaping import cover, flat, ramp, smoothstep, spread_of
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface

MOSS = ("1f2a12", "33431a", "4c5f22", "67792c", "8a9440")


@layer("mossy", "mossy, moss, lichen, algae, overgrowth, growth, mould, mouldy, mold, moldy, ivy", order=60)
def mossy(surface: Surface, description: Description, amount: float) -> None:
    """Cushions that begin in the joints and hollows and spread where the ground is damp; a film of algae around."""
    space = surface.space
    damp = noise(space, 2.5, "moss/damp", 4, 0.6)
    score = 1.35 * damp + 0.75 * surface.cavity(0.012) + 0.45 * surface.cavity(0.05)
    if surface.gap is not None:
        score += 0.75 * surface.gap
    score += 0.35 * noise(space, 26, "moss/rim", 4, 0.65)
    score *= np.float32(1 / spread_of(score))
    share = min(0.1 + 0.24 * amount, 0.85)
    mask = cover(score, share, 0.12)
    film = cover(score, min(share * 1.9 + 0.05, 0.95), 0.9)
    inside = cover(score, share * 0.6, 0.9)

    tufts = draw(
        space, "moss/tufts", 60000, Brush((0.0035, 0.0075), (0.0013, 0.0023), bend=0.5, lift=0.4, arch=0.3)
    )
    cushions = noise(space, 26, "moss/cushions", 4, 0.6)
    domes = smoothstep(cushions, -1.6, 1.4)
    fuzz = np.where(tufts.index >= 0, tufts.height, 0)
    bright = 0.2 + 0.3 * domes + 0.2 * (tufts.along - 0.5) + 0.1 * noise(space, 4, "moss/hue", 4)
    bright += 0.16 * (fuzz - 0.5) + 0.16 * inside
    # The rim of a cushion is thin: single dark tufts between which the ground shows.
    lace = smoothstep(mask + 0.7 * (fuzz - 0.6), 0.3, 0.55)

    surface.paint(surface.colour * flat((0.64, 0.7, 0.5)), film * (0.6 * min(amount, 1.0)))
    stops = np.stack([shade(rgb(text), 0.0, 0.95, space.pick("moss/turn", -8, 8)) for text in MOSS])
    surface.paint(ramp(bright, stops), lace)
    thick = 0.0018 + 0.0065 * inside + 0.0042 * domes
    surface.height += mask * thick + lace * fuzz * np.float32(0.0034)
    surface.set_roughness(0.96, lace)
    surface.set_roughness(0.9, film * 0.4)
    surface.set_metallic(0.0, np.maximum(lace, film * 0.3))
