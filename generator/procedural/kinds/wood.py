# SPDX-License-Identifier: GPL-3.0-or-later
"""Sawn wood, boards of it, parquet, and bark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.procedural.colours import rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, cut_from, each_in, mask_of, tilt, wobble
from generator.procedural.layout import basket, boards, herringbone, lay
from generator.procedural.noise import noise, ridges
from generator.procedural.palette import gradient, palette
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, roam, smoothstep
from generator.procedural.space import IntArray, Space
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

NATIVE = (
    "brown", "chocolate", "tan", "beige", "amber", "golden", "sandy", "umber", "sienna", "grey", "charcoal", "ochre",
    "rust", "ivory", "cream", "khaki", "gold", "black",
)  # fmt: skip
_TIMBER = (
    "8a6445 7a563a 94704e",
    "a9825a 9b744c b5916a",
    "6a4b36 5d402d 755642",
    "b8966c a88660 c2a47c",
    "8c735f 7d6552",
)
_BARK = ("5d4a3b 54443a", "6a5a4b 5e5148", "4c3b2f 584638")


@dataclass(frozen=True)
class Grain:
    """Wood with its fibres running down the picture, ``(H, W)``: late wood 0 to 1, fibres, pores and knots 0 to 1."""

    late: FloatArray
    fibre: FloatArray
    pores: FloatArray
    knots: FloatArray

    def at(self, place: IntArray) -> Grain:
        """The same wood looked up at other pixels."""
        return Grain(*(field.take(place) for field in (self.late, self.fibre, self.pores, self.knots)))


def grain(space: Space, salt: str, unit: float, rings: float = 26, knots: float = 5) -> Grain:
    """Year rings of a plain-sawn log: steep flanks, cathedral arches where the cut grazes them, rings around knots."""
    across, down = space.extent
    turns = max(1, round(rings / unit * across))
    phase = (
        space.x * np.float32(turns / across)
        + noise(space, 3.0 / unit, f"{salt}/sway", 2, 0.4, (1, 6)) * 2.7
        + noise(space, 9 / unit, f"{salt}/years-width", 2, 0.6, (1, 24)) * 0.42
    )
    phase += noise(space, 24 / unit, f"{salt}/shiver", 2, 0.5, (1, 9)) * 0.11
    phase += noise(space, 60 / unit, f"{salt}/fray", 2, 0.6, (1, 14)) * 0.045
    knot = np.zeros(space.shape, np.float32)
    ragged = 1 + 0.16 * noise(space, 75 / unit, f"{salt}/ragged", 2, 0.6)
    for k in range(round(knots * across * down / unit)):
        dx = space.x - space.pick(f"{salt}/knot-x{k}", 0, across)
        dy = space.y - space.pick(f"{salt}/knot-y{k}", 0, down)
        dx -= across * np.round(dx / across)
        dy -= down * np.round(dy / down)
        radius = space.pick(f"{salt}/knot-r{k}", 0.075, 0.128) ** 2 * unit
        near = (np.square(dx / radius) + np.square(dy / (radius * 1.25))) * ragged
        halo = np.square(dx / (3.4 * radius)) + np.square(dy / (9 * radius))
        phase += 3.6 * np.exp(-halo) + 2.5 * np.exp(-near * 0.5)
        knot = np.maximum(knot, np.exp(-near * near * 0.5))
    tooth = phase - np.floor(phase)
    late = np.power(tooth, 2.2) * (1 - smoothstep(tooth, 0.9, 1.0))
    # Good years and bad ones.
    late *= 0.62 + 0.34 * noise(space, 5 / unit, f"{salt}/years", 2, 0.5, (1, 6))
    fibre = noise(space, 70 / unit, f"{salt}/fibre", 3, 0.75, (1, 26))
    fibre += 0.85 * noise(space, 300 / unit, f"{salt}/hair", 2, 0.9, (1, 44))
    fibre += 0.5 * noise(space, 18 / unit, f"{salt}/strand", 2, 0.6, (1, 14))
    # Vessels cut open are short, sharp dashes, most of them in the early wood.
    length, width = (0.008 * unit, 0.042 * unit), (0.0007 * unit, 0.0017 * unit)
    brush = Brush(length, width, (np.pi / 2 - 0.04, np.pi / 2 + 0.04), bend=0.02, belly=0.5, lift=0.0)
    vessels = draw(space, f"{salt}/vessels", 5200 / unit**2, brush)
    depth = space.each(f"{salt}/vessel", 997).take(np.maximum(vessels.index, 0) % 997)
    pores = ((vessels.index >= 0) * (1 - 0.6 * np.abs(vessels.across)) * (0.25 + 0.75 * depth)).astype(
        np.float32
    )
    pores *= smoothstep(
        0.75 - tooth + 0.25 * noise(space, 7 / unit, f"{salt}/open", 2, 0.5, (1, 5)), 0.0, 0.45
    )
    return Grain(np.clip(late, 0, 1), fibre, pores, knot)


def stain(space: Space, wood: Grain, tint: FloatArray, salt: str, contrast: float = 1.0) -> FloatArray:
    """Colours ``(3, H, W)`` of the wood; ``tint`` is a colour ``(3,)`` or one for each pixel ``(3, H, W)``."""
    drift = noise(space, 2.5, f"{salt}/drift", 4, 0.55)
    if tint.ndim == 1:
        tint = np.broadcast_to(flat(tint), (3, *space.shape))
    dark = tint * flat((0.62, 0.53, 0.46))
    depth = np.clip(wood.late * np.float32(0.78 * contrast) + 0.07 * wood.fibre * contrast, 0, 1)
    colour = mix(tint * flat((1.1, 1.1, 1.1)), dark, depth)
    colour *= 1 + 0.045 * drift + 0.085 * wood.fibre
    colour *= 1 - 0.42 * wood.pores
    ring = wood.knots * (1 - wood.knots) * 4
    heart = smoothstep(wood.knots, 0.55, 0.95)
    colour = mix(colour, tint * flat((0.7, 0.52, 0.38)), smoothstep(wood.knots, 0.1, 0.6) * 0.7)
    colour = mix(
        colour, tint * flat((0.4, 0.3, 0.25)), np.clip(ring * 0.55 + 0.3 * heart * wood.late, 0, 0.8)
    )
    # Fibres that lie a little differently mirror the light differently: the shimmer of planed wood.
    shimmer = noise(space, 7, f"{salt}/shimmer", 3, 0.6, (1.0, 0.35))
    return colour * (1 + 0.016 * shimmer * contrast)


def _relief(wood: Grain, unit: float, old: float) -> FloatArray:
    """Late wood stands, soft wood is worn away, pores are open; the more so the older."""
    rise = wood.late * np.float32(0.0007 * unit * (0.6 + 1.6 * old))
    rise += wood.fibre * np.float32(0.00022 * unit * (0.7 + 1.3 * old))
    rise -= wood.pores * np.float32(0.0006 * unit)
    return rise + wood.knots * np.float32((0.0003 + 0.001 * min(old, 1)) * unit)


def _age(description: Description) -> float:
    return min(description.amount("weathered", "worn", "rough") * (1 - 0.8 * description.says("plain")), 1.4)


def _greyed(space: Space, colour: FloatArray, old: float, salt: str) -> FloatArray:
    """Old wood turns silver grey, first where the sun reaches it."""
    sun = smoothstep(noise(space, 3, f"{salt}/silver", 5, 0.6), -1.4, 1.2)
    light = (0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2])[None]
    return mix(colour, light * flat((1.04, 1.02, 0.98)), np.clip(sun * 0.62 * old, 0, 0.85))


@family(
    "wood",
    "wood, wooden, timber, wood grain, lumber, plywood, veneer, hardwood, oak wood, pine wood, log, "
    "driftwood, walnut wood, teak, cedar, maple, plank of wood, desk, table top, tabletop, butcher block, mdf, "
    "birch wood, cherry wood, ash wood",
    "polished dark brown wood",
    native=NATIVE,
)
def wood(space: Space, description: Description) -> Surface:
    """One wide board with its grain."""
    unit, old = description.size, _age(description)
    timber = grain(space, "wood", unit, 22, 2)
    tint = scatter(space, "wood", _tint(space, description), 1, 0.01, 0.05, 2)[0]
    colour = _greyed(space, stain(space, timber, tint, "wood", 1.25), old, "wood")
    height = _relief(timber, unit, old) + noise(space, 3, "wood/cup", 2, 0.4, (1, 3)) * np.float32(0.0012)
    roughness = 0.5 + 0.07 * timber.fibre + 0.16 * timber.pores - 0.06 * timber.late + 0.2 * min(old, 1)
    out = surface(space, colour, height, np.clip(roughness, 0.2, 0.95))
    out.fibrous = True
    return out


def _tint(space: Space, description: Description) -> FloatArray:
    own = [c for c in description.colours if c in NATIVE]
    if own and len(own) == len(description.colours):
        return palette(space, description, "wood", _TIMBER, chroma=0.95, lightness=0.03)
    # Under paint, plain timber.
    return palette(space, Description("wood", structure=description.structure), "wood", _TIMBER)


@family(
    "planks",
    "plank, board, floorboard, wood plank, wooden plank, decking, deck, clapboard, siding, fence, "
    "wood floor, wooden floor, hardwood floor, parquet, parquetry, laminate, panelling, barn "
    "wood, barnwood, wood panel, wainscot, wainscoting, wooden wall, wooden fence, wood siding, "
    "vinyl floor, shou sugi ban, yakisugi, wooden deck, ship deck, wood cladding, wooden door, "
    "wooden crate, wooden pallet, wooden pier",
    "weathered turquoise planks",
    layout=True,
    native=NATIVE,
    upright=True,
)
def planks(space: Space, description: Description) -> Surface:
    """Boards side by side, each from another part of another log, nailed near their ends, a gap between."""
    unit, old = description.size, _age(description)
    warp = wobble(space, "planks", 3 / unit, 0.0007 * unit * (0.5 + old), 3)
    blocks = description.says("herringbone") or "parquet" in " ".join(description.understood)
    if description.says("basket"):
        blocks, bond = True, basket(*space.count(10 / unit, 10 / unit, (4, 4)))
    elif blocks:
        bond = herringbone(*space.count(12 / unit, 12 / unit, (8, 8)), 4)
    else:
        nx, ny = space.count(7 / unit, 12 / unit)
        bond = boards(space, "planks", nx, ny, max(2, round(ny * 0.5)), max(3, round(ny * 0.95)))
    pieces = lay(space, bond, 0.0025 * unit, warp)
    index, count = pieces.index, pieces.count
    timber = grain(space, "planks", unit, 34, 2 if blocks else 5)
    place = _turned(space, index, count, bond.wide > bond.tall)
    timber = timber.at(place)
    fray = timber.fibre * np.float32(0.00045 * unit * (0.6 + old))
    edge = pieces.edge + fray
    gap = np.float32((0.0012 if blocks else 0.0028) * unit)
    face = mask_of(edge, gap, space.pixel, 0.0007 * unit)
    inside = np.maximum(edge - gap, 0)
    nails = (
        np.zeros(space.shape, np.float32)
        if blocks
        else _nails(space, pieces.u, pieces.v, pieces.wide, pieces.tall, index, unit)
    )
    inlay = (
        cut_from(space, description, index, count, "planks")
        if description.inlay not in ("wood", None)
        else None
    )
    body = inlay.height if inlay else _relief(timber, unit, old)
    height = bevel(inside, 0.0045 * unit) * np.float32((0.003 if blocks else 0.0065) * unit)
    height += face * (
        body
        + each_in(space, "planks/out", index, count) * np.float32(0.0011 * unit)
        + tilt(space, "planks", index, count, pieces.u, pieces.v * 0.3, 0.014)
        - np.square(pieces.u) * np.float32(0.25 * old / unit)
    )
    height -= nails * np.float32(0.0016 * unit)
    tints = scatter(space, "planks/tint", _tint(space, description), count, 0.03, 0.12, 3.5)
    colour = (
        inlay.colour
        if inlay
        else _greyed(space, stain(space, timber, lookup(tints, index), "planks"), old, "planks")
    )
    colour = mix(flat(rgb("1d1814")), colour, face)
    colour = mix(colour, flat(rgb("3a3431")), nails * 0.9)
    roughness = 0.56 + 0.05 * timber.fibre + 0.15 * timber.pores + 0.22 * min(old, 1)
    roughness += each_in(space, "planks/sheen", index, count) * np.float32(0.04)
    if inlay:
        roughness = inlay.roughness
    roughness = mix(np.full(space.shape, 0.95, np.float32), np.clip(roughness, 0.2, 0.95), face)
    metallic = inlay.metallic * face if inlay else 0.0
    out = surface(space, colour, height, roughness, metallic, 1 - face, inside, index, count)
    out.iron = nails
    out.fibrous = not blocks
    return out


def _turned(space: Space, index: IntArray, count: int, lying: npt.NDArray[np.bool_]) -> IntArray:
    """Where each pixel finds its wood: its board's own stretch of it, turned a quarter where the board lies."""
    place = roam(space, index, count, "planks")
    if not lying.any():
        return place
    rows, columns = space.shape
    row, column = place // columns, place % columns
    return np.where(lying.take(index), (column % rows) * columns + row % columns, place)


def _nails(
    space: Space,
    u: FloatArray,
    v: FloatArray,
    wide: FloatArray,
    tall: FloatArray,
    index: IntArray,
    unit: float,
) -> FloatArray:
    """Two nail heads near both ends of each board."""
    half_wide, half_tall = (wide / 2).take(index), (tall / 2).take(index)
    shake = (space.each("planks/nail", len(wide)) * np.float32(0.006 * unit)).take(index)
    du = np.abs(np.abs(u) - half_wide * np.float32(0.62)) + shake * 0.3
    dv = np.abs(half_tall - np.abs(v) - np.float32(0.02 * unit) - shake)
    return 1 - smoothstep(np.hypot(du, dv), 0.0026 * unit, 0.0026 * unit + max(0.0007 * unit, space.pixel))


@family(
    "bark",
    "bark, tree bark, tree trunk, trunk, oak bark, pine bark, birch bark, tree",
    "mossy tree bark",
)
def bark(space: Space, description: Description) -> Surface:
    """Furrowed bark: plates torn apart lengthwise, flaking in layers."""
    unit = description.size
    wx, wy = wobble(space, "bark", 6 / unit, 0.011 * unit, 5)
    plates = voronoi(space, 8 / unit, "bark", 0.9, (wx, wy), 0.004 * unit, (1.0, 4.2))
    strips = voronoi(space, 17 / unit, "bark/strips", 0.9, (wx, wy), 0.002 * unit, (1.0, 3.2))
    fine = noise(space, 45 / unit, "bark/fine", 4, 0.72, (1, 3.2))
    flakes = noise(space, 13 / unit, "bark/flakes", 5, 0.62, (1, 1.8))
    torn = fine * np.float32(0.0022 * unit) + flakes * np.float32(0.0035 * unit)
    plate = smoothstep(plates.edge + torn, 0.002 * unit, 0.022 * unit)
    strip = smoothstep(strips.edge + torn, 0.0, 0.011 * unit)
    furrow = 1 - plate * (0.45 + 0.55 * strip)
    layers = flakes * 1.3 + each_in(space, "bark/layer", strips.index, strips.count)
    steps = np.floor(layers) + smoothstep(layers - np.floor(layers), 0.7, 1.0)
    ribs = ridges(space, 16 / unit, "bark/ribs", 3, 0.6, (1, 5))
    height = plate * np.float32(0.018 * unit) + plate * strip * np.float32(0.009 * unit)
    height += plate * steps * np.float32(0.0022 * unit) + fine * np.float32(0.0009 * unit)
    height += ribs * np.float32(0.004 * unit)
    base = palette(space, description, "bark", _BARK, chroma=0.7)[0]
    tone = 0.6 + 0.09 * fine + 0.05 * steps + 0.1 * (ribs - 0.5) - 0.34 * furrow
    colour = ramp(tone, gradient(base, -0.19, 0.13, 6, 14))
    colour = mix(
        colour, flat(shade(base, 0.1, 0.45)), smoothstep(noise(space, 4, "bark/lichen", 5), 0.7, 2.2) * 0.5
    )
    return surface(space, colour, height, np.clip(0.88 + 0.04 * fine, 0.6, 1), 0.0, 1 - plate)
