# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheet metal: brushed, riveted plates, tread plate, corrugated iron."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import METALS, rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, each_in, mask_of, tilt, wobble
from generator.procedural.layout import Pieces, lay, running
from generator.procedural.noise import noise
from generator.procedural.palette import toned
from generator.procedural.registry import family
from generator.procedural.shaping import cover, flat, lookup, mix, smoothstep
from generator.procedural.space import Space
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

NATIVE = ("silver", "grey", "gold", "golden")


def _tint(space: Space, description: Description, default: tuple[str, ...]) -> FloatArray:
    """The metal's reflectance, ``(3,)``: the named metal's, or one of the family's own by the seed."""
    named = description.metal or {"silver": "aluminium", "gold": "gold", "golden": "gold"}.get(
        next(iter(description.colours), ""), default[space.choose("metal/own", len(default))]
    )
    return toned(description, shade(rgb(METALS[named]), space.pick("metal/light", -0.02, 0.02)))


def skin(space: Space, brushed: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Roughness, fine relief and tone of bare metal: rolling marks, hairlines, smudges, dings."""
    lines = (
        noise(space, 150, "metal/lines", 2, 0.8, (30.0, 1.0))
        if brushed
        else np.zeros(space.shape, np.float32)
    )
    smudge = noise(space, 3, "metal/smudge", 6, 0.62)
    fine = noise(space, 60, "metal/fine", 3, 0.75)
    hair = draw(space, "metal/hair", 420, Brush((0.04, 0.3), (0.0004, 0.0013), bend=0.05, lift=0.0))
    scored = ((hair.index >= 0) * (1 - np.abs(hair.across)) * smoothstep(smudge, -1.0, 0.8)).astype(
        np.float32
    )
    # Somebody has wiped it, and drops have dried on it.
    cloth = draw(space, "metal/wiped", 60, Brush((0.15, 0.45), (0.03, 0.09), bend=0.5, belly=0.5, lift=0.0))
    wiped = (space.each("metal/wipe", 512).take(np.maximum(cloth.index, 0) % 512) - 0.5) * (cloth.index >= 0)
    wiped = (wiped * smoothstep(1 - np.abs(cloth.across), 0.0, 0.5)).astype(np.float32)
    drops = voronoi(space, 15, "metal/drops", 0.95, wobble(space, "metal/drop", 30, 0.003))
    radius = space.each("metal/drop-size", drops.count) ** 2 * np.float32(0.026)
    ring = np.abs(drops.near - radius.take(drops.index)) - np.float32(0.001)
    dried = (1 - smoothstep(ring, 0.0, 0.0035)) * (radius > 0.009).astype(np.float32).take(drops.index)
    pits = smoothstep(noise(space, 130, "metal/pits", 2, 0.8) + 0.5 * smudge, 2.5, 3.1)
    roughness = (
        0.31
        + 0.09 * wiped
        + 0.1 * dried
        + 0.2 * pits
        + 0.075 * smudge
        + 0.025 * fine
        + 0.09 * brushed * (0.4 + 0.5 * lines)
        + 0.12 * scored
    )
    dings = noise(space, 5, "metal/dings", 3)
    relief = dings * np.float32(0.0009) + lines * np.float32(0.00006 * brushed) - scored * np.float32(0.00022)
    relief -= pits * np.float32(0.0004)
    tone = (
        1
        + 0.028 * smudge
        + 0.022 * lines * brushed
        + 0.06 * scored
        + 0.04 * wiped
        - 0.06 * dried
        - 0.28 * pits
    )
    return np.clip(roughness, 0.12, 0.75), relief, tone


@family(
    "metal",
    "metal, metallic, sheet metal, metal sheet, brushed metal, metal surface, foil, tarnished metal, "
    "gold leaf, metal leaf, "
    "gold foil, silver leaf, copper leaf, tin foil, aluminium foil",
    "scratched rusty metal",
    native=NATIVE,
)
def metal(space: Space, description: Description) -> Surface:
    """A bare sheet of iron, steel, gold, copper or what is named."""
    tint = _tint(space, description, ("steel", "iron", "aluminium", "steel"))
    roughness, relief, tone = skin(
        space, 1.0 if description.says("brushed") or space.pick("metal/brush") > 0.4 else 0.25
    )
    if description.metal in ("copper", "brass", "bronze", "iron", "lead", "zinc") and not description.says(
        "plain"
    ):
        tarnish = smoothstep(noise(space, 3, "metal/tarnish", 6, 0.62), -0.4, 2.2)
        colour = flat(tint) * tone
        colour = mix(colour, colour * flat((0.74, 0.66, 0.62)), tarnish * 0.75)
        roughness = roughness + 0.16 * tarnish
        greens = description.metal in ("copper", "brass", "bronze")
        crust = noise(space, 3, "metal/verdigris", 7, 0.66) + 0.4 * noise(
            space, 20, "metal/run", 4, 0.6, (1, 6)
        )
        aged = cover(crust, min(0.55 * description.amount("weathered", "worn"), 0.9), 0.3) * np.float32(
            greens
        )
        green = flat(rgb("5f9a86")) * (1 + 0.08 * noise(space, 30, "metal/crust", 4, 0.7))
        colour = mix(colour, green, aged * 0.92)
        metallic = 1 - aged
        relief = relief + _hammered(space, description)
        return surface(
            space, colour, relief + aged * np.float32(0.0004), np.clip(roughness + 0.4 * aged, 0, 1), metallic
        )
    return surface(space, flat(tint) * tone, relief + _hammered(space, description), roughness, 1.0)


def _hammered(space: Space, description: Description) -> FloatArray:
    """The facets that a round hammer leaves, one blow beside the other; flat where no word asks for them."""
    if not description.says("hammered"):
        return np.zeros(space.shape, np.float32)
    unit = description.size
    blows = voronoi(space, 24 / unit, "metal/blows", 0.8, None, 0.003 * unit)
    hollow = 1 - smoothstep(blows.near, 0.0, 0.03 * unit)
    depth = each_in(space, "metal/depth", blows.index, blows.count, 0.5, 1.0)
    return -hollow * depth * np.float32(0.005 * unit)


def _rivets(pieces: Pieces, inset: float, spacing: float, radius: float, pixel: float) -> FloatArray:
    """Domes 0 to 1 in a row along each plate's border."""
    wide, tall = pieces.wide.take(pieces.index), pieces.tall.take(pieces.index)
    across, down = wide / 2 - inset, tall / 2 - inset
    nx, ny = np.maximum(np.round(2 * across / spacing), 1), np.maximum(np.round(2 * down / spacing), 1)
    sx, sy = 2 * across / nx, 2 * down / ny
    u, v = pieces.u + across, pieces.v + down
    du, dv = u - np.round(u / sx) * sx, v - np.round(v / sy) * sy
    flat_rows = np.hypot(
        np.where(np.abs(u / sx - nx / 2) <= nx / 2 + 0.3, du, 1), np.abs(np.abs(pieces.v) - down)
    )
    flat_columns = np.hypot(
        np.abs(np.abs(pieces.u) - across), np.where(np.abs(v / sy - ny / 2) <= ny / 2 + 0.3, dv, 1)
    )
    distance = np.minimum(flat_rows, flat_columns) * np.float32(1 / radius)
    dome = np.sqrt(np.maximum(1 - np.square(distance), 0))
    return np.where(distance < 1, 0.25 + 0.75 * dome, 0).astype(np.float32)


@family(
    "metalplate",
    "metal plate, steel plate, iron plate, plate, riveted metal, riveted, metal panel, armour, "
    "armor, rivet, hull, ship hull, bulkhead, steel panel, bolted metal, bolt, bolted, metal tank, plating",
    "rusty metal plate",
    native=NATIVE,
    upright=True,
)
def metal_plate(space: Space, description: Description) -> Surface:
    """Overlapping plates with rows of rivets and the buckles of use."""
    unit = description.size
    nx, ny = space.count(2 / unit, 2.6 / unit, (1, 2))
    pieces = lay(space, running(nx * 2, ny, 2, 1), 0.004 * unit, wobble(space, "plate", 3, 0.0006))
    index, count = pieces.index, pieces.count
    tint = _tint(space, description, ("iron", "steel", "steel"))
    roughness, relief, tone = skin(space, 0.25)
    gap = np.float32(0.0022 * unit)
    face = mask_of(pieces.edge, gap, space.pixel, 0.0006)
    inside = np.maximum(pieces.edge - gap, 0)
    rivets = _rivets(pieces, 0.024 * unit, 0.062 * unit, 0.0082 * unit, space.pixel)
    height = bevel(inside, 0.004 * unit) * np.float32(0.0052 * unit) + rivets * np.float32(0.0052 * unit)
    height += face * (
        relief * 1.8
        + tilt(space, "plate", index, count, pieces.u, pieces.v, 0.012)
        + noise(space, 6 / unit, "plate/buckle", 2) * np.float32(0.0009 * unit)
    )
    tints = scatter(space, "plate/tint", tint[None], count, 0.022, 0.3, 4)
    colour = lookup(tints, index) * tone
    grime = np.clip((1 - smoothstep(inside, 0, 0.012 * unit)) * 0.5, 0, 1)
    colour *= 1 - 0.3 * grime
    roughness = roughness + 0.1 + 0.12 * grime + 0.05 * each_in(space, "plate/rolled", index, count)
    out = surface(
        space,
        mix(flat(rgb("2a2725")), colour, face),
        height,
        np.clip(roughness, 0.15, 0.9),
        face * 1.0,
        1 - face,
        inside,
        index,
        count,
    )
    out.iron = rivets
    return out


@family(
    "treadplate",
    "diamond plate, tread plate, treadplate, checker plate, chequer plate, diamondplate, "
    "checkerplate, anti slip, metal floor, durbar, treaded, metal ramp, five bar",
    "worn diamond plate",
    native=NATIVE,
)
def tread_plate(space: Space, description: Description) -> Surface:
    """Raised lozenges that point to both sides in turn, their crests bright from boots."""
    unit = description.size
    nx, ny = space.count(13 / unit, 13 / unit, (2, 2))
    x = space.x * np.float32(nx / space.extent[0]) + np.float32(space.pick("tread/x"))
    y = space.y * np.float32(ny / space.extent[1]) + np.float32(space.pick("tread/y"))
    ix, iy = np.floor(x), np.floor(y)
    fx, fy = x - ix - 0.5, y - iy - 0.5
    lean = np.where((ix + iy) % 2 == 0, 1.0, -1.0).astype(np.float32)
    along, across = (fx + lean * fy) * np.float32(np.sqrt(0.5)), (fx * -lean + fy) * np.float32(np.sqrt(0.5))
    half = np.float32(0.135) * (1 - np.square(along / 0.56))
    lens = half - np.abs(across)
    dome = smoothstep(lens, -0.01, 0.1)
    roughness, relief, tone = skin(space, 0.3)
    used = (
        0.0 if description.says("plain") else min(0.55 + 0.6 * description.amount("worn", "weathered"), 1.3)
    )
    rub = noise(space, 20, "tread/rub", 4) + 0.8 * noise(space, 4.5, "tread/walked", 2)
    crest = smoothstep(lens + 0.012 * rub, 0.062, 0.088)
    # Boots grind the ridges flat and bright; what they carry stays round their feet.
    flats = np.minimum(dome, np.float32(1 - 0.24 * used) + 0.04 * rub) if used else dome
    scuffs = draw(space, "tread/scuffs", 500, Brush((0.02, 0.09), (0.0008, 0.002), bend=0.1, lift=0.0))
    scuffed = (
        ((scuffs.index >= 0) * (1 - np.abs(scuffs.across))).astype(np.float32) * crest * np.float32(used)
    )
    height = flats * np.float32(0.0066 * unit) + relief - scuffed * np.float32(0.0003)
    colour = flat(_tint(space, description, ("steel", "aluminium", "iron"))) * tone
    low = 1 - smoothstep(np.abs(lens), 0.0, 0.06)
    soil = smoothstep(low + 0.35 * noise(space, 9, "tread/soil", 5, 0.65), 0.25, 1.3) * np.float32(
        min(used, 1.0)
    )
    colour = colour * (1 - np.float32(0.14 + 0.16 * used) * (1 - crest)) * (1 + 0.1 * crest + 0.06 * scuffed)
    colour = mix(colour, flat(rgb("3a322b")), soil * 0.55)
    roughness = roughness + 0.14 * (1 - crest) + 0.3 * soil - 0.09 * crest * used + 0.08 * scuffed
    return surface(space, colour, height, np.clip(roughness, 0.12, 0.85), 1 - 0.5 * soil * (soil > 0.3))


@family(
    "corrugated",
    "corrugated, corrugated metal, corrugated iron, corrugated steel, tin roof, metal roof, wavy "
    "metal, shipping container, container, roll up door, "
    "corrugated roof, iron roof, roller shutter, garage door, metal siding",
    "rusty corrugated iron",
    native=NATIVE,
    upright=True,
)
def corrugated(space: Space, description: Description) -> Surface:
    """Galvanised waves with zinc spangle, lapped sheets, screws on the crests."""
    unit = description.size
    waves, rows = space.count(13 / unit, 1.6 / unit)
    bend = noise(space, 3, "wave/bend", 3) * np.float32(0.035)
    x = space.x * np.float32(waves / space.extent[0]) + bend
    y = space.y * np.float32(rows / space.extent[1]) + np.float32(space.pick("wave/lap"))
    wave = np.cos(np.float32(2 * np.pi) * x)
    lap = y - np.floor(y)
    number = ((np.floor(y) % rows) * 97).astype(np.int32) + np.zeros(space.shape, np.int32)
    roughness, relief, tone = skin(space, 0.25)
    spangle = voronoi(space, 42, "wave/spangle", 0.9, wobble(space, "wave", 60, 0.002))
    zinc = each_in(space, "wave/zinc", spangle.index, spangle.count)
    nx = x - np.round(x)
    dx, dy = (
        nx * np.float32(space.extent[0] / waves),
        (lap - np.float32(0.94)) * np.float32(space.extent[1] / rows),
    )
    third = np.mod(np.round(x), 3) == space.choose("wave/third", 3)
    distance = np.hypot(dx, dy) * np.float32(1 / (0.0082 * unit)) + np.where(third, 0, 9).astype(np.float32)
    screw = np.sqrt(np.maximum(1 - np.square(distance), 0))
    washer = 1 - smoothstep(distance, 1.5, 1.7)
    edge_line = smoothstep(lap, 1 - 2.5 * rows * space.pixel, 1.0)
    height = (wave + 0.12 * np.cos(np.float32(4 * np.pi) * x)) * np.float32(0.0135 * unit)
    height += lap * np.float32(0.0045 * unit) + relief * 1.5 + screw * np.float32(0.004 * unit)
    height += washer * np.float32(0.0012 * unit)
    colour = flat(_tint(space, description, ("zinc", "steel", "aluminium"))) * tone * (1 + 0.03 * zinc)
    colour = colour * (1 - 0.05 * each_in(space, "wave/sheet", number, 97 * rows + 1)) * (1 - 0.5 * edge_line)
    roughness = roughness + 0.06 + 0.05 * zinc
    out = surface(
        space,
        colour,
        height,
        np.clip(roughness, 0.15, 0.85),
        1.0,
        None,
        np.abs(1 - lap) * np.float32(space.extent[1] / rows) + np.zeros(space.shape, np.float32),
    )
    out.iron = np.maximum(screw, edge_line * 0.6).astype(np.float32)
    return out
