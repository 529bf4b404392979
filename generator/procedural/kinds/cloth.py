# SPDX-License-Identifier: GPL-3.0-or-later
"""Woven and knitted cloth, and leather."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import each_in, wobble
from generator.procedural.noise import noise, ridges
from generator.procedural.palette import gradient, palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, smoothstep
from generator.procedural.space import IntArray, Space
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

_CLOTHS = (
    "b3a58c b0a187",
    "5f6d78 596772",
    "c9bfa8 bdb299",
    "8a4a42 834640",
    "6f7358 6a6e54",
    "3b4454 384152",
    "a88f6f a38a6b",
)


def _weave(
    space: Space,
    threads: float,
    over: IntArray,
    warp: tuple[FloatArray, FloatArray],
    salt: str,
    uneven: float,
) -> tuple[FloatArray, npt.NDArray[np.bool_], IntArray, FloatArray, FloatArray]:
    """Threads over and under: height in thread widths, whether the warp is on top, thread number, along, across.

    ``over`` is the weave as a table ``(rows, columns)`` of 0 and 1: 1 where the upright warp passes over.
    ``uneven`` in [0, 1] says how much the threads differ in thickness.
    """
    ny_table, nx_table = over.shape
    nx, ny = space.count(threads, threads, (nx_table, ny_table))
    x = (space.x + warp[0]) * np.float32(nx / space.extent[0])
    y = (space.y + warp[1]) * np.float32(ny / space.extent[1])
    ix, iy = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = x - np.floor(x) - np.float32(0.5), y - np.floor(y) - np.float32(0.5)

    def state(dy: IntArray | int, dx: IntArray | int) -> FloatArray:
        return over.astype(np.float32).take(((iy + dy) % ny_table) * nx_table + (ix + dx) % nx_table)

    # Hand-spun yarn is thick and thin by turns, and no two threads are of one size.
    thin = np.float32(0.26 * uneven)
    slim_x = 1 + thin * (space.each(f"{salt}/slim-x", nx) - 0.35).astype(np.float32).take(ix % nx)
    slim_y = 1 + thin * (space.each(f"{salt}/slim-y", ny) - 0.35).astype(np.float32).take(iy % ny)
    slim_x = slim_x + thin * 0.35 * noise(space, threads * 0.5, f"{salt}/spun-x", 2, 0.6, (1.0, 5.0))
    slim_y = slim_y + thin * 0.35 * noise(space, threads * 0.5, f"{salt}/spun-y", 2, 0.6, (5.0, 1.0))

    here = state(0, 0)
    up = mix(here, state(np.where(fy > 0, 1, -1), 0), smoothstep(np.abs(fy), 0.15, 0.85))
    side = mix(here, state(0, np.where(fx > 0, 1, -1)), smoothstep(np.abs(fx), 0.15, 0.85))
    warp_height = up - np.float32(0.5) + 0.75 * np.sqrt(np.maximum(1 - np.square(fx * 1.98 * slim_x), 0))
    weft_height = np.float32(0.5) - side + 0.75 * np.sqrt(np.maximum(1 - np.square(fy * 1.98 * slim_y), 0))
    upright = warp_height > weft_height
    number = np.where(upright, ix % nx, nx + iy % ny).astype(np.int32)
    along, across = np.where(upright, y, x), np.where(upright, fx, fy)
    return np.maximum(warp_height, weft_height), upright, number, along, across


def _uneven(
    space: Space, threads: float, warp: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """The displacement with every thread wandering by itself, thick and thin by turns, as spun yarn does."""
    reach = np.float32(0.17 / threads)
    dx = warp[0] + reach * noise(space, threads * 0.55, "fabric/loose-x", 2, 0.6, (1.0, 11.0))
    dy = warp[1] + reach * noise(space, threads * 0.55, "fabric/loose-y", 2, 0.6, (11.0, 1.0))
    return dx, dy


@family(
    "fabric",
    "fabric, cloth, linen, canvas, cotton, textile, woven, weave, burlap, hessian, jute, "
    "upholstery, tweed, denim, jean, twill fabric, sackcloth, silk, hemp, muslin, calico, gauze, sail, "
    "sailcloth, tent, "
    "tarp, tarpaulin, sisal, bandage, curtain, tablecloth, sofa fabric, velvet, corduroy, "
    " polyester, nylon, flannel, satin fabric, cheesecloth",
    "blue denim fabric",
)
def fabric(space: Space, description: Description) -> Surface:
    """Cloth woven of twisted yarn: plain, or in twill as denim is, every thread a little different."""
    said = " ".join(description.understood)
    denim = "denim" in said or "jean" in said
    coarse = 0.55 if any(word in said for word in ("burlap", "hessian", "jute", "sackcloth")) else 1.0
    threads = (72 if denim else 58) * coarse / description.size
    twill = denim or description.says("twill") or "tweed" in said
    floats = 3 if denim else 2
    twilled = [[(column - row) % 4 < floats for column in range(4)] for row in range(4)]
    table = np.array(twilled if twill else [[1, 0], [0, 1]], np.int32)
    warp = _uneven(space, threads, wobble(space, "fabric", 7, 0.0026 / coarse, 4))
    uneven = 0.35 if denim or any(word in said for word in ("silk", "cotton", "sail", "tarp")) else 1.0
    height, upright, number, along, across = _weave(space, threads, table, warp, "fabric", uneven)
    thread = np.float32(1 / threads)
    count = int(number.max()) + 1
    twist = np.sin(
        np.float32(2 * np.pi) * (along * 2.0 + across * 1.1 + each_in(space, "fabric/phase", number, count))
    )
    slub = noise(space, threads * 0.4, "fabric/slub", 3, 0.6)
    fuzz = noise(space, threads * 3.0, "fabric/fuzz", 2, 0.8)
    relief = height + 0.07 * twist + 0.12 * slub + 0.06 * fuzz
    folds = noise(space, 2.2, "fabric/folds", 3, 0.5)
    cloth = palette(space, description, "fabric", ("2f4667 2b4160",) if denim else _CLOTHS, chroma=0.8)
    tints = scatter(space, "fabric/tint", cloth, count, 0.02, 0.08, 3)
    colour = lookup(tints, number)
    # Yarn is spun of fibres that took the dye unequally, in lengths of a few stitches.
    dye = np.where(
        upright,
        noise(space, threads, "fabric/dye-up", 2, 0.6, (1.0, 14.0)),
        noise(space, threads, "fabric/dye-across", 2, 0.6, (14.0, 1.0)),
    )
    # Both ways of a cloth take the light differently, which is what makes a weave shimmer.
    colour = colour * (1 + 0.075 * dye) * np.where(upright, np.float32(1.035), np.float32(0.965))
    if denim:
        colour = mix(flat(rgb("a3a5a4")) * (1 + 0.05 * fuzz), colour, upright.astype(np.float32))
        faded = smoothstep(noise(space, 2.5, "fabric/faded", 5, 0.6) + 0.4 * slub, -0.2, 2.4)
        colour = mix(colour, flat(shade(cloth[0], 0.2, 0.65)), faded * 0.55)
    colour = (
        colour * (0.84 + 0.16 * np.clip(height, 0, 1.2)) * (1 + 0.045 * twist + 0.06 * slub + 0.07 * fuzz)
    )
    colour *= 1 + 0.02 * folds
    depth = relief * thread * np.float32(0.27) + folds * np.float32(0.0018)
    silk = "silk" in said
    roughness = (0.42 if silk else 0.88) + 0.04 * fuzz - 0.03 * height
    return surface(space, colour, depth, np.clip(roughness, 0.2, 1))


@family(
    "wool",
    "wool, woollen, woolen, knit, knitted, knitwear, sweater, jumper, yarn, crochet, "
    "cardigan, scarf, blanket",
    "chunky cream knitted wool",
)
def wool(space: Space, description: Description) -> Surface:
    """Stockinette: columns of V-shaped stitches of plied, hairy yarn."""
    wide = 17 / description.size
    nx, ny = space.count(wide, wide * 1.25)
    warp = wobble(space, "wool", 9, 0.003, 4)
    x = (space.x + warp[0]) * np.float32(nx / space.extent[0])
    y = (space.y + warp[1]) * np.float32(ny / space.extent[1])
    column = np.floor(x).astype(np.int32)
    fx = (x - np.floor(x) - np.float32(0.5)) * 2
    leg = np.abs(fx)
    rise = y + np.float32(0.92) * leg
    stitch = np.floor(rise).astype(np.int32)
    s = rise - np.floor(rise) - np.float32(0.5)
    bow = np.sin(np.clip(leg, 0, 1) * np.float32(np.pi * 0.86) + np.float32(0.22))
    body = np.sqrt(np.maximum(1 - np.square(s * 2.04), 0))
    height = body * (0.45 + 0.55 * np.maximum(bow, 0))
    sign = np.sign(fx)
    plies = np.sin(np.float32(2 * np.pi) * (s * 1.15 + sign * 0.0 + leg * 2.3))
    hair = noise(space, wide * 7, "wool/hair", 3, 0.8, (1.0, 1.6))
    fluff = noise(space, wide * 2, "wool/fluff", 3, 0.6)
    number = ((stitch % ny) * nx + column % nx).astype(np.int32)
    own = each_in(space, "wool/stitch", number, nx * ny)
    relief = height + 0.09 * plies * body + 0.08 * hair + 0.05 * own + 0.04 * fluff
    base = palette(
        space, description, "wool", ("d8ccb4", "8d8f91", "6f3b3b", "3f566b", "7b7f5c"), chroma=0.8
    )[0]
    tone = 0.52 + 0.26 * (height - 0.6) + 0.06 * plies + 0.07 * hair + 0.05 * own + 0.04 * fluff
    colour = ramp(tone, gradient(base, -0.15, 0.07, 6, 6))
    depth = relief * np.float32(0.017 * description.size) + noise(space, 2, "wool/drape", 3) * np.float32(
        0.002
    )
    # Stray hairs, which tell wool from plastic.
    hairs = draw(space, "wool/hairs", 2600, Brush((0.015, 0.05), (0.0006, 0.0012), bend=0.7, lift=0.0))
    stray = ((hairs.index >= 0) * (1 - np.abs(hairs.across))).astype(np.float32)
    depth += stray * np.float32(0.0014)
    colour = mix(colour, flat(shade(base, 0.05)), stray * 0.5)
    return surface(space, colour, depth, np.clip(0.93 + 0.03 * hair, 0.7, 1))


@family(
    "leather",
    "leather, hide, suede, nappa, saddle leather, pleather, skin, elephant skin, "
    "leatherette, faux leather, crocodile leather, alligator leather, cowhide",
    "worn brown leather",
)
def leather(space: Space, description: Description) -> Surface:
    """Full-grain leather: pebbles of uneven size between fine creases, pores, a waxed finish."""
    unit = description.size
    warp = wobble(space, "leather", 16 / unit, 0.0042 * unit, 3)
    pebbles = voronoi(space, 46 / unit, "leather", 0.9, warp, 0.0022 * unit)
    small = voronoi(space, 105 / unit, "leather/small", 0.9, warp, 0.0011 * unit)
    creases = ridges(space, 5 / unit, "leather/creases", 4, 0.55)
    crease = smoothstep(creases, 0.74, 0.98) * smoothstep(noise(space, 2.5, "leather/where", 3), -0.6, 1.4)
    dome = smoothstep(pebbles.edge, 0.0002 * unit, 0.0052 * unit)
    grains = smoothstep(small.edge, 0.0, 0.0035 * unit)
    pores = smoothstep(noise(space, 120 / unit, "leather/pores", 1), 1.7, 2.3)
    soft = noise(space, 4, "leather/soft", 4)
    height = (
        dome * np.float32(0.0024 * unit) + grains * np.float32(0.0009 * unit) - pores * np.float32(0.0008)
    )
    height += soft * np.float32(0.0014) - crease * np.float32(0.0034 * unit)
    height += each_in(space, "leather/out", pebbles.index, pebbles.count) * dome * np.float32(0.0007 * unit)
    base = palette(
        space, description, "leather", ("6d4128", "2b2624", "7d5a3c", "5a2c22", "8a6a48"), chroma=0.8
    )[0]
    tone = 0.5 + 0.1 * soft + 0.17 * (dome - 0.7) + 0.06 * (grains - 0.7) - 0.16 * crease
    colour = ramp(tone, gradient(base, -0.12, 0.09, 6, 8))
    colour *= 1 + 0.03 * noise(space, 9, "leather/mottle", 5)
    roughness = 0.52 - 0.13 * dome - 0.04 * grains + 0.14 * crease + 0.05 * soft
    if "suede" in description.understood:
        roughness = np.full(space.shape, 0.93, np.float32)
        height *= np.float32(0.4)
    return surface(space, colour, height, np.clip(roughness, 0.22, 1), 0.0, 1 - dome)
