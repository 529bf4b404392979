# SPDX-License-Identifier: GPL-3.0-or-later
"""Made things of many trades: cork, paper, quilted padding, leaded glass, perforated sheet."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import METALS, rgb, scatter, shade
from generator.procedural.description import Description
from generator.procedural.kinds.common import bevel, each_in, tilt, wobble
from generator.procedural.kinds.metals import NATIVE, skin
from generator.procedural.noise import evened, noise
from generator.procedural.palette import gradient, palette, toned
from generator.procedural.registry import family
from generator.procedural.shaping import flat, lookup, mix, ramp, smoothstep
from generator.procedural.space import Space
from generator.procedural.strokes import Brush, draw
from generator.procedural.surface import Surface, surface
from generator.procedural.voronoi import voronoi

_CORK = ("b98f5f a9804f c79d6c 96703f", "c49b6a b38a58 d1aa7a a17c4c")
_PAPER = ("e4ddcd", "d8cbb0", "ece8de", "c9b48c")
_KRAFT = ("b08a5c", "a98459")
_HIDES = ("6b2f24", "2d2927", "7a5436", "3a4a3c", "cfc3ae", "4a2430")
_PANES = "1f5f8f 8f2a2a 2f7a4a c08a2a 6a3a80 d0c8a8 2a8a8f b8562a"


@family(
    "cork",
    "cork, corkboard, cork board, pinboard, pin board, cork floor, cork tile, bulletin board, chipboard, osb, "
    "particle board",
    "clean cork board",
)
def cork(space: Space, description: Description) -> Surface:
    """Pressed granules of bark in all sizes, dark seams between, pits and splinters of the outer bark."""
    unit = description.size
    warp = wobble(space, "cork", 30 / unit, 0.004 * unit, 4)
    large = voronoi(space, 22 / unit, "cork/large", 0.9, warp)
    fine = voronoi(space, 58 / unit, "cork/fine", 0.9, warp)
    big = (space.each("cork/big", large.count) < 0.55).astype(np.float32).take(large.index)
    bases = palette(space, description, "cork", _CORK, chroma=0.75)
    coarse = lookup(scatter(space, "cork/l", bases, large.count, 0.035, 0.12, 5), large.index)
    small = lookup(scatter(space, "cork/s", bases, fine.count, 0.055, 0.14, 6), fine.index)
    colour = mix(small, coarse, big * 0.85)
    edge = mix(fine.edge, large.edge, big)
    seam = 1 - smoothstep(edge, 0.0002 * unit, 0.0022 * unit)
    grain = noise(space, 60 / unit, "cork/grain", 4, 0.7)
    # Bark grows in years: each granule shows its own direction of fine bands.
    turn = each_in(space, "cork/turn", large.index, large.count, 0.0, float(np.pi))
    bands = np.sin((large.u * np.cos(turn) + large.v * np.sin(turn)) * np.float32(2 * np.pi * 120 / unit))
    colour *= 1 + 0.05 * grain + 0.05 * bands * big
    colour = mix(colour, colour * flat((0.5, 0.42, 0.35)), seam * 0.75)
    chip = (space.each("cork/bark", fine.count) < 0.09).astype(np.float32).take(fine.index)
    chip *= smoothstep(fine.edge, 0.0, 0.002 * unit)
    colour = mix(colour, flat(rgb("4a3323")) * (1 + 0.1 * grain), chip * 0.85)
    pits = smoothstep(noise(space, 95 / unit, "cork/pits", 3, 0.7), 1.4, 2.2)
    colour *= 1 - 0.4 * pits
    height = each_in(space, "cork/out", large.index, large.count) * np.float32(0.0006 * unit)
    height += grain * np.float32(0.0004 * unit) - (seam * 0.0012 + pits * 0.0022 + chip * 0.0006).astype(
        np.float32
    ) * np.float32(unit)
    roughness = 0.82 + 0.05 * grain + 0.08 * seam - 0.06 * big
    return surface(space, colour, height, np.clip(roughness, 0.5, 1))


@family(
    "paper",
    "paper, cardboard, crumpled paper, parchment, kraft paper, wrapping paper, papyrus, creased paper, newspaper, "
    "brown paper, corrugated cardboard, wallpaper, paper bag, scroll, book page, map paper",
    "old crumpled paper",
)
def paper(space: Space, description: Description) -> Surface:
    """Paper that was crumpled and smoothed again: flat facets, sharp folds, fibres, age."""
    unit = description.size
    said = " ".join(description.understood)
    kraft = any(word in said for word in ("kraft", "cardboard", "brown paper", "bag"))
    fluted = "cardboard" in said
    flatness = 0.3 if fluted or description.says("plain") else 1.0
    bend = wobble(space, "paper", 5 / unit, 0.02 * unit, 4)
    facets = np.zeros(space.shape, np.float32)
    creases = np.zeros(space.shape, np.float32)
    for salt, density, slope in (("a", 3.5, 0.11), ("b", 7.5, 0.08), ("c", 17, 0.05)):
        cells = voronoi(space, density / unit, f"paper/{salt}", 0.9, bend)
        lean = tilt(space, f"paper/{salt}", cells.index, cells.count, cells.u, cells.v, slope)
        # Facets meet in folds, not in steps: a slant fades out towards the border.
        inward = smoothstep(cells.edge, 0.0, 0.28 / density * unit)
        facets += lean * inward
        fold = np.exp(-cells.edge / np.float32(0.0022 * unit + 0.5 * space.pixel))
        sign = each_in(space, f"paper/{salt}/sign", (cells.index * 31 + cells.beyond * 31) % 997, 997)
        facets += (
            sign
            * np.exp(-cells.edge / np.float32(0.06 / density * unit))
            * np.float32(0.011 * unit / density * 4)
        )
        creases = np.maximum(creases, fold * np.abs(sign))
    fibre = noise(space, 90 / unit, "paper/fibre", 3, 0.8)
    height = facets * np.float32(flatness) + fibre * np.float32(0.00012 * unit)
    if fluted:
        waves = space.count(46 / unit)[0]
        height = height + np.cos(np.float32(2 * np.pi * waves / space.extent[0]) * space.x) * np.float32(
            0.0009 * unit
        )
    base = palette(space, description, "paper", _KRAFT if kraft else _PAPER, chroma=0.55)[0]
    clouds = noise(space, 3, "paper/clouds", 6, 0.6)
    colour = ramp(0.55 + 0.05 * clouds + 0.04 * fibre, gradient(base, -0.1, 0.06, 5, 5))
    flecks = draw(space, "paper/flecks", 900 if kraft else 260,
                  Brush((0.006 * unit, 0.02 * unit), (0.0006 * unit, 0.0013 * unit), bend=0.6, lift=0.0))  # fmt: skip
    fleck = ((flecks.index >= 0) * (1 - np.abs(flecks.across))).astype(np.float32)
    shaded = (space.each("paper/fleck", 211) < 0.5).astype(np.float32).take(np.maximum(flecks.index, 0) % 211)
    colour *= 1 + fleck * (0.1 - 0.3 * shaded)
    # The size breaks along a fold: fibres stand up, paler on dark paper, and dirt stays in them.
    colour = mix(colour, flat(shade(base, 0.07, 0.7)), creases * 0.45 * flatness)
    age = description.amount("weathered", "worn", "dirty")
    fox = smoothstep(noise(space, 6 / unit, "paper/fox", 6, 0.66), 1.0 - 0.5 * min(age, 1), 2.4)
    colour = mix(colour, colour * flat((0.86, 0.73, 0.55)), np.clip(fox * (0.25 + 0.6 * age), 0, 0.9))
    # All of it yellows, most where light and air came in.
    colour *= 1 - np.float32(min(age, 1.5)) * flat((0.05, 0.1, 0.19)) * (
        0.7 + 0.3 * smoothstep(clouds, -1.0, 1.0)
    )
    roughness = 0.82 + 0.04 * fibre + 0.06 * creases
    return surface(space, colour, height, np.clip(roughness, 0.5, 1))


@family(
    "quilted",
    "quilted, quilt, padded, padding, tufted, tufted leather, chesterfield, diamond tufted, padded wall, quilted "
    "leather, cushion, padded leather, button tufted, duvet, mattress, headboard, puffer",
    "dark red quilted leather",
)
def quilted(space: Space, description: Description) -> Surface:
    """Diamonds of padded hide between stitched seams, a button where they cross, wrinkles drawn towards it."""
    unit = description.size
    across, down = space.extent
    nx, ny = space.count(4.5 / unit, 3.5 / unit, (2, 2))
    bend = wobble(space, "quilt", 3 / unit, 0.003 * unit, 2)
    x = (space.x + bend[0]) * np.float32(nx / across) + np.float32(space.pick("quilt/x"))
    y = (space.y + bend[1]) * np.float32(ny / down) + np.float32(space.pick("quilt/y"))
    p, q = x + y, x - y
    ip, iq = np.floor(p), np.floor(q)
    fp, fq = np.abs(p - ip - np.float32(0.5)) * 2, np.abs(q - iq - np.float32(0.5)) * 2
    number = ((((ip + iq) % (2 * nx)) * (2 * ny)) + (ip - iq) % (2 * ny)).astype(np.int32)
    count = 4 * nx * ny
    soft = np.sqrt(np.maximum((1 - np.square(fp)) * (1 - np.square(fq)), 0))
    size = np.float32(min(across / nx, down / ny))
    edge = (1 - np.maximum(fp, fq)) * size * np.float32(0.35)
    corner_x, corner_y = _to_corner(p, q)
    button_at = np.hypot(corner_x, corner_y) * size * np.float32(0.7)
    # Cloth is gathered towards the button in small radiating folds.
    angle = np.arctan2(corner_y, corner_x)
    folds = np.sin(angle * 9 + 2 * noise(space, 6 / unit, "quilt/fold", 2)) * np.exp(
        -button_at * np.float32(26 / unit)
    )
    button = smoothstep(button_at, 0.0135 * unit, 0.0115 * unit)
    dome = np.sqrt(np.maximum(1 - np.square(button_at / np.float32(0.0135 * unit)), 0))
    height = (0.5 * soft + 0.5 * np.sqrt(soft)) * size * np.float32(0.16) + folds * np.float32(0.0035 * unit)
    puff = each_in(space, "quilt/puff", number, count, 0.9, 1.1)
    height *= puff
    creases = noise(space, 10 / unit, "quilt/crease", 4, 0.6)
    height += creases * soft * np.float32(0.0008 * unit)
    thread = 1 - smoothstep(edge, 0.0, 0.0022 * unit)
    stitch = thread * smoothstep(np.sin((fp + fq) * np.float32(26 * np.pi / 2)), -0.2, 0.4) * (1 - button)
    hide = voronoi(space, 70 / unit, "quilt/hide", 0.9, None, 0.0016 * unit)
    pebble = smoothstep(hide.edge, 0.0, 0.004 * unit)
    height = mix(
        height + pebble * np.float32(0.0007 * unit),
        (0.004 + 0.007 * dome).astype(np.float32) * np.float32(unit),
        button,
    )
    height += stitch * np.float32(0.0012 * unit)
    base = palette(space, description, "quilt", _HIDES, chroma=0.8)[0]
    mottle = noise(space, 7, "quilt/mottle", 5, 0.6)
    tone = 0.52 + 0.1 * (soft - 0.5) + 0.05 * mottle + 0.05 * (pebble - 0.7)
    colour = ramp(tone, gradient(base, -0.12, 0.09, 6, 8))
    colour *= np.clip(0.7 + 0.4 * smoothstep(edge, 0.0, 0.03 * unit), 0, 1)
    colour = mix(colour, flat(shade(base, 0.12, 0.8)), stitch * 0.7)
    colour = mix(colour, flat(shade(base, -0.05)) * (0.75 + 0.3 * dome), button)
    rubbed = smoothstep(soft + 0.12 * mottle, 0.7, 1.1)
    roughness = 0.5 - 0.14 * rubbed + 0.1 * (1 - pebble) + 0.03 * mottle
    return surface(
        space, colour.astype(np.float32), height.astype(np.float32), np.clip(roughness, 0.2, 0.9), 0.0,
        np.maximum(thread, 0) * (1 - button), edge.astype(np.float32), number, count,
    )  # fmt: skip


def _to_corner(p: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """From the nearest crossing of the two sets of seams to each pixel, in cells along x and y."""
    dp, dq = p - np.round(p), q - np.round(q)
    return (dp + dq) / 2, (dp - dq) / 2


@family(
    "stainedglass",
    "stained glass, glass, leaded glass, church window, window glass, glass pane, window pane, cathedral glass, "
    "stained glass window, coloured glass, frosted glass, tiffany glass",
    "old stained glass",
    upright=True,
)
def stained_glass(space: Space, description: Description) -> Surface:
    """Panes of hand-blown glass in lead: seeds and streaks in the glass, solder at the joints, grime along it."""
    unit = description.size
    warp = wobble(space, "glass", 2.5 / unit, 0.012 * unit, 2)
    panes = voronoi(space, 6.5 / unit, "glass/pane", 0.9, warp, 0.003 * unit)
    came = np.float32(0.0075 * unit)
    glass = smoothstep(panes.edge - came, -space.pixel * 0.7, space.pixel * 0.7)
    lead = 1 - glass
    body = np.sqrt(np.maximum(1 - np.square(panes.edge / came), 0)) * lead
    bases = palette(space, description, "glass", (_PANES,), chroma=1.05)
    tints = scatter(space, "glass/tint", bases, panes.count, 0.04, 0.1, 6)
    streaks = noise(space, 5 / unit, "glass/streaks", 4, 0.6, (1.0, 3.5))
    ripple = noise(space, 14 / unit, "glass/ripple", 3, 0.5, (1.0, 2.0))
    colour = lookup(tints, panes.index) * (1 + 0.1 * streaks + 0.03 * ripple)
    seeds = voronoi(space, 52 / unit, "glass/seeds", 0.9)
    radius = space.each("glass/seed", seeds.count) ** 3 * np.float32(0.005 * unit)
    seed = smoothstep(radius.take(seeds.index) - seeds.near, 0.0, 0.0015 * unit)
    colour = mix(colour, np.minimum(colour * np.float32(1.3) + np.float32(0.05), 1), seed * 0.7)
    grime = np.exp(-np.maximum(panes.edge - came, 0) * np.float32(110 / unit)) * smoothstep(
        streaks, -0.9, 1.2
    )
    colour = mix(colour, colour * flat((0.45, 0.42, 0.38)), grime * 0.7)
    pits = noise(space, 40 / unit, "glass/lead", 4, 0.7)
    grey = flat(toned(description, rgb("5c5d60"))) * (1 + 0.1 * pits + 0.12 * body)
    colour = mix(grey, colour, glass)
    slant = tilt(space, "glass/tilt", panes.index, panes.count, panes.u, panes.v, 0.03)
    height = glass * (slant + ripple * np.float32(0.0005 * unit) - seed * np.float32(0.0004 * unit))
    height += lead * np.float32(0.003 * unit) + body * np.float32(0.0042 * unit)
    height += lead * pits * np.float32(0.0004 * unit)
    roughness = mix(0.5 + 0.06 * pits, 0.07 + 0.02 * np.abs(ripple) + 0.35 * grime, glass)
    if any("frosted" in word for word in description.understood):
        roughness = mix(roughness, np.float32(0.55), glass)
    return surface(
        space, np.clip(colour, 0, 1).astype(np.float32), height, np.clip(roughness, 0.04, 0.9), lead * 0.9, lead,
        np.maximum(panes.edge - came, 0), panes.index, panes.count,
    )  # fmt: skip


@family(
    "mesh",
    "perforated metal, perforated, metal mesh, mesh, metal grate, grating, grate, grille, grill, speaker grille, "
    "perforated steel, metal grid, metal grating, vent, perforated sheet, strainer, drain, sieve, colander",
    "worn perforated metal",
    native=NATIVE,
)
def mesh(space: Space, description: Description) -> Surface:
    """Sheet punched with staggered round holes, their rims rolled in, dark behind."""
    unit = description.size
    across, down = space.extent
    nx, ny = space.count(14 / unit, 14 / unit / (np.sqrt(3) / 2), (1, 2))
    x = space.x * np.float32(nx / across) + np.float32(space.pick("mesh/x"))
    y = space.y * np.float32(ny / down) + np.float32(space.pick("mesh/y"))
    row = np.floor(y)
    x = x + np.where(row % 2 == 0, 0, 0.5).astype(np.float32)
    fx = (x - np.floor(x) - np.float32(0.5)) * np.float32(across / nx)
    fy = (y - row - np.float32(0.5)) * np.float32(down / ny)
    long = np.float32(0.009 * unit) if description.says("long") else np.float32(0)
    away = np.hypot(np.maximum(np.abs(fx) - long, 0), fy)
    radius = np.float32(0.0205 * unit)
    outside = (away - radius).astype(np.float32)
    sheet = smoothstep(outside, -space.pixel * 0.7, space.pixel * 0.7)
    named = description.metal or ("steel", "aluminium", "iron")[space.choose("mesh/own", 3)]
    tint = toned(description, shade(rgb(METALS[named]), space.pick("mesh/light", -0.02, 0.02)))
    roughness, relief, tone = skin(space, 0.25)
    rim = 1 - bevel(np.maximum(outside, 0), 0.006 * unit)
    buckle = evened(noise(space, 2.5, "mesh/buckle", 3, 0.5), space)
    height = sheet * (0.012 * unit - rim * 0.0034 * unit).astype(np.float32) + relief * sheet
    height += buckle * np.float32(0.0008)
    burr = np.exp(-np.maximum(outside, 0) * np.float32(300 / unit)) * sheet
    grime = smoothstep(noise(space, 7, "mesh/grime", 5, 0.62) + 0.8 * burr, 0.5, 2.2) * sheet
    colour = flat(tint) * tone * (1 + 0.06 * burr)
    colour = mix(colour, colour * flat((0.6, 0.57, 0.53)), grime * 0.6)
    behind = flat(rgb("171819")) * (1 + 0.15 * noise(space, 9, "mesh/behind", 4))
    colour = mix(behind, colour, sheet)
    roughness = mix(np.full(space.shape, 0.95, np.float32), roughness + 0.25 * grime, sheet)
    out = surface(
        space, colour.astype(np.float32), height, np.clip(roughness, 0.1, 1), sheet * (1 - 0.5 * grime), 1 - sheet,
        np.maximum(outside, 0),
    )  # fmt: skip
    out.void = 1 - sheet
    return out


@family(
    "plastic",
    "plastic, rubber, vinyl, silicone, moulded plastic, molded plastic, acrylic, polymer, pvc, resin, bakelite, "
    "rubber mat, rubber floor, linoleum",
    "worn yellow plastic",
)
def plastic(space: Space, description: Description) -> Surface:
    """Injection-moulded plastic: the eroded grain of the mould, sink marks, rubbed to a shine where it was touched."""
    unit = description.size
    rubber = any(word in text for text in description.understood for word in ("rubber", "silicone"))
    grain = voronoi(
        space, 88 / unit, "plastic/grain", 0.9, wobble(space, "plastic", 60 / unit, 0.003 * unit, 3)
    )
    own = each_in(space, "plastic/own", grain.index, grain.count, 0.4, 1.0)
    pebble = smoothstep(grain.edge, 0.0, 0.005 * unit) * own
    fine = noise(space, 130 / unit, "plastic/fine", 2, 0.8)
    sunk = evened(noise(space, 2.5 / unit, "plastic/sunk", 3, 0.5), space)
    touched = smoothstep(evened(noise(space, 3.2, "plastic/touched", 5, 0.6), space), -0.3, 1.5)
    touched = touched * min(0.35 + 0.5 * description.amount("worn", "weathered"), 0.9)
    depth = (0.0011 if rubber else 0.0008) * unit
    height = pebble * (1 - 0.6 * touched) * np.float32(depth) + fine * np.float32(0.00009 * unit)
    height += sunk * np.float32(0.0003 * unit)
    marks = draw(space, "plastic/scuffs", 240, Brush((0.02, 0.14), (0.0006, 0.0022), bend=0.25, lift=0.0))
    scuff = ((marks.index >= 0) * (1 - np.abs(marks.across))).astype(np.float32) * (0.3 + 0.7 * touched)
    if description.says("plain"):
        scuff *= np.float32(0.15)
    sets = ("2b2b2c", "38393a") if rubber else ("c9a227", "b03a2a", "2f5f9a", "d8d5cc", "3a3c3f", "4a7a4a")
    base = palette(space, description, "plastic", sets, chroma=0.95)[0]
    colour = ramp(0.55 + 0.04 * sunk + 0.05 * (pebble - 0.6) + 0.02 * fine, gradient(base, -0.07, 0.05, 5, 3))
    # Stretched plastic whitens, and dust stays in the grain.
    colour = mix(colour, flat(shade(base, 0.13, 0.7)), scuff * 0.5)
    colour *= 1 - 0.16 * (1 - smoothstep(grain.edge, 0.0, 0.002 * unit)) * (1 - touched)
    roughness = (0.72 if rubber else 0.48) - 0.2 * touched * (0.4 + 0.6 * pebble) + 0.12 * scuff + 0.02 * fine
    return surface(space, colour.astype(np.float32), height, np.clip(roughness, 0.18, 0.95))
