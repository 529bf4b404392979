# SPDX-License-Identifier: GPL-3.0-or-later
"""Moss and what else grows where it stays damp."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import each_in, wobble
from generator.procedural.noise import blur, evened, noise
from generator.procedural.registry import layer
from generator.procedural.shaping import cover, flat, mix, ramp, smoothstep, spread_of
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface
from generator.procedural.voronoi import voronoi

MOSS = ("1f2a12", "33431a", "4c5f22", "67792c", "8a9440")


@layer(
    "mossy",
    "mossy, moss, lichen, algae, overgrowth, growth, mould, mouldy, mold, moldy, ivy, "
    "moss covered, vegetation, lichened, mildew, mildewed, algae covered, grown over, fungus",
    order=60,
)
def mossy(surface: Surface, description: Description, amount: float) -> None:
    """Cushions that swell out of the joints and hollows, upwards on a wall; a film of algae around them."""
    space = surface.space
    cells = voronoi(space, 34, "moss/cells", 0.95, wobble(space, "moss", 40, 0.0035, 3), 0.005)
    domes = smoothstep(cells.edge, -0.002, 0.014) * 0.7 + 0.3 * smoothstep(cells.near, 0.022, 0.0)
    domes += 0.12 * noise(space, 60, "moss/lumps", 2, 0.6)
    own = each_in(space, "moss/own", cells.index, cells.count)
    score = _where(surface) + 0.16 * own + 0.22 * domes
    score += 0.2 * noise(space, 26, "moss/rim", 4, 0.65)
    score = evened(score, space, 0.13, 0.75)
    score *= np.float32(1 / spread_of(score))
    share = min(0.08 + 0.25 * amount, 0.85)
    mask = cover(score, share, 0.16)
    film = cover(score, min(share * 1.7 + 0.05, 0.95), 0.8)
    inside = cover(score, share * 0.62, 0.75)

    tufts = draw(
        space, "moss/tufts", 60000, Brush((0.0032, 0.0068), (0.0012, 0.0021), bend=0.5, lift=0.4, arch=0.3)
    )
    fuzz = np.where(tufts.index >= 0, tufts.height, 0)
    # The rim of a cushion is thin: single dark tufts between which the ground shows.
    lace = smoothstep(mask + 0.7 * (fuzz - 0.6), 0.3, 0.55)
    plump = np.sqrt(inside) * (0.45 + 0.55 * np.clip(domes, 0, 1))
    hue = noise(space, 6, "moss/hue", 3)
    bright = 0.21 + 0.42 * plump + 0.2 * (tufts.along - 0.5) + 0.2 * (fuzz - 0.5) + 0.03 * own + 0.05 * hue

    surface.paint(surface.colour * flat((0.62, 0.66, 0.5)), film * (0.62 * min(amount, 1.0)))
    turn = space.pick("moss/turn", -8, 8)
    stops = np.stack([shade(rgb(text), 0.0, 0.9, turn) for text in MOSS])
    dry = np.stack([shade(rgb(text), 0.02, 0.75, turn - 22) for text in MOSS])
    green = mix(ramp(bright, stops), ramp(bright, dry), smoothstep(hue + 0.3 * own, 0.3, 1.8) * 0.6)
    surface.paint(green, lace)
    # Cushions bridge what they grow on: the ground under them no longer shows.
    ground = blur(surface.height, 0.009, space.pixel)
    surface.height += (ground - surface.height) * mask * 0.7
    surface.height += mask * (0.0012 + 0.0098 * plump) + lace * fuzz * np.float32(0.003)
    surface.set_roughness(0.96, lace)
    surface.set_roughness(0.9, film * 0.4)
    surface.set_metallic(0.0, np.maximum(lace, film * 0.3))


def _where(surface: Surface) -> FloatArray:
    """How much a place suits moss, ``(H, W)``: damp, deep, near a joint, and on a wall above one."""
    space = surface.space
    score = 1.15 * noise(space, 5.0, "moss/damp", 4, 0.6)
    score += 0.5 * surface.cavity(0.012) + 0.35 * surface.cavity(0.05)
    if surface.gap is None:
        return score
    near = blur(surface.gap, 0.007, space.pixel)
    score += 1.35 * near
    if surface.upright:
        # Water runs down the face and stays on the ledge: moss climbs from the joint below.
        score += 1.9 * np.roll(blur(surface.gap, 0.011, space.pixel), -round(0.012 / space.pixel), axis=0)
    return score
