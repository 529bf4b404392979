# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheet metal: brushed, riveted plates, tread plate, corrugated iron, and the panels of a spaceship."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import METALS, rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, each_in, mask_of, tilt, wobble
from generator.procedural.layout import Pieces, ashlar, lay, running
from generator.procedural.noise import noise
from generator.procedural.palette import palette, toned
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


def _skin(space: Space, brushed: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Roughness, fine relief and tone of bare metal: rolling marks, hairlines, smudges, dings."""
    lines = noise(space, 150, "metal/lines", 2, 0.8, (30.0, 1.0)) if brushed else np.zeros(space.shape, np.float32)
    smudge = noise(space, 3, "metal/smudge", 6, 0.62)
    fine = noise(space, 60, "metal/fine", 3, 0.75)
    hair = draw(space, "metal/hair", 420, Brush((0.04, 0.3), (0.0004, 0.0013), bend=0.05, lift=0.0))
    scored = ((hair.index >= 0) * (1 - np.abs(hair.across)) * smoothstep(smudge, -1.0, 0.8)).astype(np.float32)
    roughness = 0.31 + 0.075 * smudge + 0.025 * fine + 0.09 * brushed * (0.4 + 0.5 * lines) + 0.12 * scored
    dings = noise(space, 5, "metal/dings", 3)
    relief = dings * np.float32(0.0009) + lines * np.float32(0.00006 * brushed) - scored * np.float32(0.00022)
    tone = 1 + 0.018 * smudge + 0.02 * lines * brushed + 0.05 * scored
    return np.clip(roughness, 0.12, 0.75), relief, tone


@family("metal", "metal, metallic, sheet metal, metal sheet, brushed metal, metal surface, foil, tarnished metal",
        "scratched rusty metal", native=NATIVE)  # fmt: skip
def metal(space: Space, description: Description) -> Surface:
    """A bare sheet of iron, steel, gold, copper or what is named."""
    tint = _tint(space, description, ("steel", "iron", "aluminium", "steel"))
    roughness, relief, tone = _skin(space, 1.0 if description.says("brushed") or space.pick("metal/brush") > 0.4 else 0.25)
    if description.metal in ("copper", "brass", "bronze", "iron", "lead", "zinc") and not description.says("plain"):
        tarnish = smoothstep(noise(space, 3, "metal/tarnish", 6, 0.62), -0.4, 2.2)
        colour = flat(tint) * tone
        colour = mix(colour, colour * flat((0.74, 0.66, 0.62)), tarnish * 0.75)
        roughness = roughness + 0.16 * tarnish
        greens = description.metal in ("copper", "brass", "bronze")
        crust = noise(space, 3, "metal/verdigris", 7, 0.66) + 0.4 * noise(space, 20, "metal/run", 4, 0.6, (1, 6))
        aged = cover(crust, min(0.55 * description.amount("weathered", "worn"), 0.9), 0.3) * np.float32(greens)
        green = flat(rgb("5f9a86")) * (1 + 0.08 * noise(space, 30, "metal/crust", 4, 0.7))
        colour = mix(colour, green, aged * 0.92)
        metallic = 1 - aged
        return surface(space, colour, relief + aged * np.float32(0.0004), np.clip(roughness + 0.4 * aged, 0, 1), metallic)
    return surface(space, flat(tint) * tone, relief, roughness, 1.0)


def _rivets(pieces: Pieces, inset: float, spacing: float, radius: float, pixel: float) -> FloatArray:
    """Domes 0 to 1 in a row along each plate's border."""
    wide, tall = pieces.wide.take(pieces.index), pieces.tall.take(pieces.index)
    across, down = wide / 2 - inset, tall / 2 - inset
    nx, ny = np.maximum(np.round(2 * across / spacing), 1), np.maximum(np.round(2 * down / spacing), 1)
    sx, sy = 2 * across / nx, 2 * down / ny
    u, v = pieces.u + across, pieces.v + down
    du, dv = u - np.round(u / sx) * sx, v - np.round(v / sy) * sy
    flat_rows = np.hypot(np.where(np.abs(u / sx - nx / 2) <= nx / 2 + 0.3, du, 1), np.abs(np.abs(pieces.v) - down))
    flat_columns = np.hypot(np.abs(np.abs(pieces.u) - across), np.where(np.abs(v / sy - ny / 2) <= ny / 2 + 0.3, dv, 1))
    distance = np.minimum(flat_rows, flat_columns) * np.float32(1 / radius)
    dome = np.sqrt(np.maximum(1 - np.square(distance), 0))
    return np.where(distance < 1, 0.25 + 0.75 * dome, 0).astype(np.float32)


@family("metalplate", "metal plate, steel plate, iron plate, plate, riveted metal, riveted, metal panel, armour, armor, "
        "rivet, hull, ship hull, bulkhead, steel panel", "rusty metal plate", native=NATIVE)  # fmt: skip
def metal_plate(space: Space, description: Description) -> Surface:
    """Overlapping plates with rows of rivets and the buckles of use."""
    unit = description.size
    nx, ny = space.count(2 / unit, 2.6 / unit, (1, 2))
    pieces = lay(space, running(nx * 2, ny, 2, 1), 0.004 * unit, wobble(space, "plate", 3, 0.0006))
    index, count = pieces.index, pieces.count
    tint = _tint(space, description, ("iron", "steel", "steel"))
    roughness, relief, tone = _skin(space, 0.25)
    gap = np.float32(0.0022 * unit)
    face = mask_of(pieces.edge, gap, space.pixel, 0.0006)
    inside = np.maximum(pieces.edge - gap, 0)
    rivets = _rivets(pieces, 0.024 * unit, 0.062 * unit, 0.0082 * unit, space.pixel)
    height = bevel(inside, 0.004 * unit) * np.float32(0.0052 * unit) + rivets * np.float32(0.0052 * unit)
    height += face * (
        relief * 1.8 + tilt(space, "plate", index, count, pieces.u, pieces.v, 0.012)
        + noise(space, 6 / unit, "plate/buckle", 2) * np.float32(0.0009 * unit)
    )
    tints = scatter(space, "plate/tint", tint[None], count, 0.022, 0.3, 4)
    colour = lookup(tints, index) * tone
    grime = np.clip((1 - smoothstep(inside, 0, 0.012 * unit)) * 0.5, 0, 1)
    colour *= 1 - 0.3 * grime
    roughness = roughness + 0.1 + 0.12 * grime + 0.05 * each_in(space, "plate/rolled", index, count)
    return surface(space, mix(flat(rgb("2a2725")), colour, face), height, np.clip(roughness, 0.15, 0.9), face * 1.0, 1 - face,
                   inside, index, count)


@family("treadplate", "diamond plate, tread plate, treadplate, checker plate, chequer plate, diamondplate, checkerplate, "
        "anti slip, metal floor, durbar", "worn diamond plate", native=NATIVE)  # fmt: skip
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
    roughness, relief, tone = _skin(space, 0.3)
    crest = smoothstep(lens + 0.02 * noise(space, 20, "tread/rub", 4), 0.05, 0.11)
    height = dome * np.float32(0.0062 * unit) + relief
    colour = flat(_tint(space, description, ("steel", "aluminium", "iron"))) * tone
    colour *= 1 + 0.05 * crest
    low = 1 - smoothstep(np.abs(lens - 0.0), 0.0, 0.05)
    roughness = roughness + 0.1 * (1 - crest) + 0.1 * low - 0.06 * crest
    colour = colour * (1 - 0.13 * low)
    return surface(space, colour, height, np.clip(roughness, 0.12, 0.8), 1.0)


@family("corrugated", "corrugated, corrugated metal, corrugated iron, corrugated steel, tin roof, metal roof, wavy metal, "
        "shipping container, container, roll up door", "rusty corrugated iron", native=NATIVE)  # fmt: skip
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
    roughness, relief, tone = _skin(space, 0.25)
    spangle = voronoi(space, 42, "wave/spangle", 0.9, wobble(space, "wave", 60, 0.002))
    zinc = each_in(space, "wave/zinc", spangle.index, spangle.count)
    nx = x - np.round(x)
    dx, dy = nx * np.float32(space.extent[0] / waves), (lap - np.float32(0.94)) * np.float32(space.extent[1] / rows)
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
    return surface(space, colour, height, np.clip(roughness, 0.15, 0.85), 1.0, None,
                   np.abs(1 - lap) * np.float32(space.extent[1] / rows) + np.zeros(space.shape, np.float32))


@family("panels", "sci fi, scifi, sci fi panel, scifi panel, spaceship, space ship, panel, tech panel, spacecraft, greeble, "
        "futuristic, cyberpunk, space station, mech, robot", "worn white sci-fi panels", layout=True)  # fmt: skip
def panels(space: Space, description: Description) -> Surface:
    """Painted hull panels of many sizes with recesses, vents, bolts and a few accents; paint gone at the edges."""
    unit = description.size
    nx, ny = space.count(8 / unit)
    pieces = lay(space, ashlar(space, "panel", nx, ny, ((3, 2), (2, 3), (2, 2), (4, 2), (1, 2), (2, 1), (2, 2))), 0.007 * unit)
    index, count = pieces.index, pieces.count
    gap = np.float32(0.0038 * unit)
    inside = np.maximum(pieces.edge - gap, 0)
    face = mask_of(pieces.edge, gap, space.pixel, 0.0004)
    large = ((pieces.wide > 0.2 * unit) & (pieces.tall > 0.2 * unit)).astype(np.float32)
    kind = space.each("panel/kind", count)

    def of(low: float, high: float) -> FloatArray:
        return (((kind >= low) & (kind < high)).astype(np.float32) * large).take(index)

    recess = smoothstep(pieces.edge, 0.03 * unit, 0.033 * unit) * of(0.0, 0.35)
    plateau = smoothstep(pieces.edge, 0.024 * unit, 0.028 * unit) * of(0.35, 0.6)
    slot = np.cos(np.float32(2 * np.pi / (0.022 * unit)) * pieces.v)
    vent = smoothstep(slot, -0.1, 0.45) * smoothstep(pieces.edge, 0.036 * unit, 0.039 * unit) * of(0.6, 0.82)
    groove_at = np.abs(pieces.u - (pieces.wide * 0.18).take(index))
    groove = (1 - smoothstep(groove_at, 0.0012 * unit, 0.0024 * unit)) * of(0.82, 1.01)
    bolts = _bolts(pieces, 0.015 * unit, 0.0048 * unit) * (space.each("panel/bolted", count) < 0.7).astype(np.float32).take(index)

    seams = lay(space, ashlar(space, "panel/fine", nx * 2, ny * 2, ((2, 1), (3, 2), (2, 2), (1, 2), (4, 1))))
    lined = of(0.35, 0.6) * plateau + of(0.82, 1.01)
    seam = (1 - smoothstep(seams.edge, 0.0008 * unit, 0.0008 * unit + max(0.0009 * unit, space.pixel))) * lined * face
    small = ((seams.wide < 0.1 * unit) & (seams.tall < 0.1 * unit)).astype(np.float32) * (
        space.each("panel/box", seams.count) < 0.6)
    boxes = smoothstep(seams.edge, 0.009 * unit, 0.0105 * unit) * small.astype(np.float32).take(seams.index) * lined

    level = each_in(space, "panel/level", index, count, 0.0, 1.0)
    height = face * (np.float32(0.005 * unit) + np.floor(level * 3) * np.float32(0.0026 * unit))
    height += bevel(inside, 0.0035 * unit) * np.float32(0.0022 * unit)
    height += (plateau * 0.0035 - recess * 0.0042 - vent * 0.0062 - groove * 0.0022 + bolts * 0.0022 - seam * 0.0013 + boxes * 0.0048) * np.float32(unit)
    roughness, relief, tone = _skin(space, 0.25)
    height += relief * np.float32(0.35)

    sets = ("b9bcbd a7abad c8cac8 8d9295", "4d5358 42474c 5a6065 363a3e", "c7c1b3 b5afa1 d2ccbf 8f8b82", "6d7a80 5f6c73 7d898e 4a545a")
    bases = palette(space, description, "panel", sets, chroma=0.9)
    colour = lookup(scatter(space, "panel/tint", bases, count, 0.015, 0.08, 2), index)
    accent = np.stack([rgb(t) for t in ("b8672a", "2f6c8f", "a8352c", "b8972f")])[space.choose("panel/accent", 4)]
    marked = (space.each("panel/marked", count) > 0.92).astype(np.float32).take(index)
    colour = mix(colour, flat(accent) * np.ones((3, *space.shape), np.float32), marked)
    colour = colour * (1 + 0.6 * (tone - 1)) * (1 - 0.22 * recess)
    colour *= 1 + 0.035 * each_in(space, "panel/shade", seams.index, seams.count) * lined
    colour = mix(colour, flat(rgb("3c4044")), boxes * 0.8)
    colour = mix(colour, flat(rgb("2b2d2f")), np.maximum(np.maximum(vent, groove), seam * 0.7) * 0.85)
    streaks = noise(space, 30, "panel/streaks", 4, 0.62, (1, 8)) + 0.6 * noise(space, 4, "panel/grime", 5, 0.6)
    grime = smoothstep(streaks - inside * np.float32(26 / unit), 0.3, 2.0) * face
    colour = mix(colour, colour * flat((0.62, 0.6, 0.57)), np.clip(grime * 0.75, 0, 1))
    steel = flat(rgb("a4a6a8"))
    rub = noise(space, 14, "panel/rub", 5, 0.65)
    bare = smoothstep(rub - inside * np.float32(320 / unit), 0.35 - 0.9 * description.amount("worn", "weathered"), 1.0) * face
    bare = np.maximum(bare, bolts)
    colour = mix(colour, steel, bare)
    colour = mix(flat(rgb("26282a")), colour, face)
    paint = 0.46 + 0.4 * (roughness - 0.31) + 0.08 * each_in(space, "panel/sheen", index, count)
    roughness = mix(paint + 0.2 * grime, roughness, bare)
    out = surface(space, colour, height, np.clip(mix(0.7, roughness, face), 0.1, 0.95),
                  np.maximum(bare, (1 - face) * 0.6), 1 - face, inside, index, count)  # fmt: skip
    out.core = rgb("a4a6a8")
    return out


def _bolts(pieces: Pieces, inset: float, radius: float) -> FloatArray:
    """Hexagonal-socket heads in the four corners, 0 to 1."""
    du = np.abs(np.abs(pieces.u) - (pieces.wide / 2 - inset).take(pieces.index))
    dv = np.abs(np.abs(pieces.v) - (pieces.tall / 2 - inset).take(pieces.index))
    distance = np.hypot(du, dv) * np.float32(1 / radius)
    return ((1 - smoothstep(distance, 0.8, 1.0)) * smoothstep(distance, 0.3, 0.5)).astype(np.float32)
