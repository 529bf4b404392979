# SPDX-License-Identifier: GPL-3.0-or-later
"""What settles on a surface or eats into its colour: dirt, dust, rust, soot, weather, paint."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, sampled, scatter
from generator.procedural.description import Description
from generator.procedural.noise import evened, noise, runoff
from generator.procedural.palette import toned
from generator.procedural.registry import layer
from generator.procedural.shaping import cover, flat, ramp, smoothstep, spread_of
from generator.procedural.surface import Surface

_UNDERCOATS = ("b7ada0", "8a5a4a", "9c9a94", "c9bfa6", "7d8a86")
_RUST = ("2e1a12", "4a2616", "6e3517", "8f4a1c", "b0682a", "a5763f")


def _stops(texts: tuple[str, ...]) -> FloatArray:
    return np.stack([rgb(text) for text in texts])


def _luminance(colour: FloatArray) -> FloatArray:
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


@layer(
    "painted",
    "painted, paint, peeling, peeled, flaking, flaky, paint peeling, lacquer, whitewashed, "
    "peeling paint, flaking paint, chipped paint, enamel, enamelled, powder coated, repainted, blistered",
    order=10,
)
def painted(surface: Surface, description: Description, amount: float) -> None:
    """A coat of paint that has lost its hold on crests and edges and stands up where it has torn."""
    space = surface.space
    lost = 0.05 + 0.2 * description.amount("worn") + 0.16 * description.amount("weathered")
    lost += 0.2 * description.amount("rusty") + 0.12 * description.amount("scratched")
    lost += 0.13 * any(word in text for text in description.understood for word in ("peel", "flak", "chip"))
    lost = min(lost, 0.65) if not description.says("plain") else 0.0
    flakes = noise(space, 9, "paint/flakes", 6, 0.66)
    along = noise(space, 14, "paint/along", 4, 0.6)
    score = flakes + 0.4 * along - 0.55 * surface.cavity(0.006) - 0.3 * surface.cavity(0.03)
    score += 0.7 * noise(space, 2.2, "paint/where", 2)
    if surface.edge is not None:
        score += 0.9 * (1 - smoothstep(surface.edge, 0.0, 0.015))
    score = evened(score, space)
    coat = 1 - cover(score, lost, 0.05)
    # Below the last coat an older one holds on for a little longer.
    older = (1 - cover(score + 0.25 * along, lost * 0.66, 0.05)) * (1 - coat)
    lip = cover(score, lost * 1.25 + 0.012, 0.1) * coat
    names = description.colours or (
        ("white", "teal", "red", "green", "cream", "azure")[space.choose("paint/own", 6)],
    )
    tone = toned(
        description, scatter(space, "paint/tone", sampled(space, "paint", tuple(names)), 1, 0.005, 0.03, 1)
    )[0]
    paint = flat(tone) * (1 + 0.022 * noise(space, 3, "paint/fade", 4) + 0.015 * along)
    if surface.index is not None and surface.count > 1:
        paint *= 1 + 0.05 * (space.each("paint/piece", surface.count) - 0.5).take(surface.index)
    paint = paint * (1 + 0.02 * np.clip(-surface.cavity(0.006), -2, 1))
    undercoat = rgb(_UNDERCOATS[space.choose("paint/undercoat", len(_UNDERCOATS))])
    surface.paint((flat(undercoat) * (1 + 0.05 * flakes)).astype(np.float32), older * 0.92)
    surface.set_roughness(0.7 + 0.05 * along, older)
    surface.set_metallic(0.0, older)
    surface.height += older * np.float32(0.0005)
    surface.paint(paint.astype(np.float32), coat)
    surface.paint(surface.colour * 1.07, lip * 0.5)
    surface.height += coat * np.float32(0.0011) + lip * np.float32(0.0007)
    surface.set_roughness(0.42 + 0.05 * along + 0.04 * flakes, coat)
    surface.set_metallic(0.0, coat)


@layer(
    "rusty",
    "rusty, rust, rusted, rusting, corrosion, rust stained, rust stain, rust streak, rebar, corroding",
    order=40,
)
def rusty(surface: Surface, description: Description, amount: float) -> None:
    """On metal, scale that eats in from edges and hollows; on anything else, stains that ran down."""
    space = surface.space
    broad = noise(space, 3.5, "rust/broad", 6, 0.64)
    fine = noise(space, 28, "rust/fine", 5, 0.72)
    score = broad + 0.35 * fine + 0.35 * surface.cavity(0.01)
    if surface.edge is not None:
        score += 0.8 * (1 - smoothstep(surface.edge, 0.0, 0.03))
    score = evened(score, space)
    score *= np.float32(1 / spread_of(score))
    bare = float(surface.metallic[::8, ::8].mean()) > 0.02
    share = min(0.2 + 0.32 * amount, 0.92) if bare else min(0.05 + 0.1 * amount, 0.5)
    mask = cover(score, share, 0.22)
    heavy = cover(score, share * 0.55, 0.5)
    streaks = noise(space, 34, "rust/streaks", 4, 0.6, stretch=(1.0, 9.0))
    tone = 0.52 + 0.16 * fine - 0.22 * heavy + 0.13 * noise(space, 9, "rust/tone", 4) + 0.07 * streaks
    rust = ramp(tone, _stops(_RUST))
    halo = cover(score + 0.35 * streaks, min(share * 1.5 + 0.05, 0.97), 0.8)
    _run_down(surface, heavy if bare else mask, amount)
    surface.paint(surface.colour * flat((0.86, 0.62, 0.42)), halo * (0.6 if bare else 0.75))
    blisters = smoothstep(noise(space, 46, "rust/blisters", 3, 0.65), 0.4, 1.8)
    if bare:
        surface.paint(rust, mask)
        surface.height += mask * np.float32(0.0006) + heavy * (fine * 0.0007 + blisters * 0.0014)
        surface.set_metallic(0.0, np.maximum(mask, halo * 0.35))
        surface.set_roughness(0.84 + 0.05 * fine, mask)
        surface.set_roughness(0.6, halo * (1 - mask) * 0.6)
    else:
        surface.paint(rust, mask * 0.75)
        surface.height += mask * blisters * np.float32(0.0005)
        surface.set_roughness(0.88, mask * 0.8)


def _run_down(surface: Surface, rusted: FloatArray, amount: float) -> None:
    """Streaks of rust below nails, rivets, scratches and heavy patches, thin and uneven as water runs."""
    space = surface.space
    source = 0.12 * rusted
    if surface.iron is not None:
        source = source + 1.6 * surface.iron
    lanes = smoothstep(noise(space, 60, "rust/lanes", 2, 0.7, stretch=(1.0, 14.0)), -0.6, 1.4)
    flow = runoff(source * (0.2 + lanes), 0.09 * min(amount, 1.5) + 0.02, space.pixel)
    flow = np.clip(flow * (0.45 + 0.55 * lanes) * np.float32(1 / 0.35), 0, 1)
    if not surface.upright:
        flow *= np.float32(0.35)
    # Rust water is a glaze over the colour below, darkest where it starts.
    stain = surface.colour * flat((0.78, 0.5, 0.3)) + flat((0.07, 0.03, 0.01))
    surface.paint(stain.astype(np.float32), flow * np.float32(min(0.75 * amount, 0.9)))
    surface.set_roughness(0.75, flow * 0.5)
    surface.set_metallic(0.0, flow * 0.4)
    if surface.iron is not None:
        iron = np.clip(surface.iron, 0, 1) * np.float32(min(amount, 1.0))
        surface.paint(np.broadcast_to(flat(rgb("5c2c17")), surface.colour.shape), iron * 0.85)
        surface.set_roughness(0.85, iron)
        surface.set_metallic(0.0, iron * 0.9)


@layer(
    "weathered", "weathered, weathering, sunbleached, timeworn, patina, patinated, ageing, aging", order=36
)
def weathered(surface: Surface, description: Description, amount: float) -> None:
    """Sun takes the colour, rain leaves streaks, grime stays in the pores."""
    space = surface.space
    sun = smoothstep(noise(space, 2.2, "weather/sun", 5, 0.6), -1.2, 1.6)
    grey = _luminance(surface.colour) * np.float32(0.94) + np.float32(0.06)
    share = np.clip((0.18 + 0.4 * sun) * np.float32(0.8 * amount), 0, 0.75) * (1 - surface.metallic)
    surface.paint(np.broadcast_to(grey, surface.colour.shape) * flat((1.02, 1.0, 0.96)), share)
    if surface.upright:
        _rained(surface, amount)
    grime = smoothstep(surface.cavity(0.006) + 0.5 * noise(space, 18, "weather/grime", 4), 0.4, 2.4)
    surface.paint(
        surface.colour * flat((0.62, 0.6, 0.56)),
        np.clip(grime * 0.55 * amount, 0, 0.8) * (1 - 0.6 * surface.metallic),
    )
    _tarnished(surface, amount)
    erode = noise(space, 40, "weather/erode", 4, 0.65)
    worn_away = np.float32(0.0006 * min(amount, 1.5)) * (1 - 0.8 * surface.metallic)
    surface.height += np.minimum(erode, 0.3) * worn_away
    surface.set_roughness(
        0.85, np.clip((0.35 + 0.2 * sun) * np.float32(amount), 0, 0.8) * (1 - 0.6 * surface.metallic)
    )


def _tarnished(surface: Surface, amount: float) -> None:
    """Bare metal grows a dull, darker skin, in clouds, from the hollows."""
    if float(surface.metallic[::8, ::8].mean()) < 0.02:
        return
    space = surface.space
    clouds = evened(noise(space, 4, "weather/tarnish", 6, 0.64), space) + 0.4 * surface.cavity(0.012)
    skin = (
        smoothstep(clouds + 0.25 * noise(space, 45, "weather/specks", 3, 0.7), -0.7, 1.5) * surface.metallic
    )
    skin *= np.float32(min(0.75 * amount, 0.95))
    surface.paint(surface.colour * flat((0.6, 0.57, 0.53)), skin * 0.8)
    surface.set_roughness(0.62, skin * 0.8)


def _rained(surface: Surface, amount: float) -> None:
    """Dark runs of soot below ledges, joints and pits, where the rain leaves a wall's face."""
    space = surface.space
    ledge = smoothstep(surface.cavity(0.008) + 0.6 * noise(space, 30, "weather/ledge", 3, 0.6), 0.9, 2.2)
    lanes = smoothstep(noise(space, 42, "weather/lanes", 3, 0.65, stretch=(1.0, 7.0)), -0.4, 1.6)
    where = smoothstep(evened(noise(space, 4, "weather/run", 4, 0.6), space), -0.5, 1.1)
    runs = runoff(ledge * lanes * where, 0.07, space.pixel)
    runs *= np.float32(1 / max(2.5 * spread_of(runs), 1e-6))
    runs = np.clip(runs * (0.3 + 0.7 * lanes), 0, 1)
    surface.paint(
        surface.colour * flat((0.68, 0.67, 0.64)), np.clip(runs * np.float32(0.75 * amount), 0, 0.8)
    )


@layer(
    "dirty",
    "dirty, dirt, grimy, grime, muddy, mud stained, soiled, stained, stain, smudged, oily, greasy, "
    "oil, oil stain, oil stained, unwashed, sooted, mucky, discoloured, discolored, leaking, sludge, "
    "polluted, smeared",
    order=50,
)
def dirty(surface: Surface, description: Description, amount: float) -> None:
    """Soil in the hollows and joints, smeared over the faces."""
    space = surface.space
    smear = noise(space, 4, "dirt/smear", 6, 0.64)
    score = 0.9 * surface.cavity(0.01) + 0.6 * surface.cavity(0.04) + 0.8 * smear
    if surface.gap is not None:
        score += 0.7 * surface.gap
    soil = smoothstep(score, 1.2 - 1.1 * amount, 3.0 - 0.7 * amount)
    haze = smoothstep(smear, -1.0, 2.0) * min(0.32 * amount, 0.6)
    tone = ramp(
        0.5 + 0.18 * noise(space, 40, "dirt/tone", 4, 0.7) + 0.1 * smear,
        _stops(("2b221a", "43362a", "5a4a39", "6f5d48")),
    )
    surface.paint(tone, np.clip(np.maximum(soil * 0.85, haze), 0, 0.93))
    surface.height += soil * np.float32(0.0009)
    surface.set_roughness(0.93, np.clip(np.maximum(soil, haze * 1.3), 0, 1))
    surface.set_metallic(0.0, np.clip(soil * 0.9, 0, 1))


@layer(
    "dusty", "dusty, dust, sandy dust, chalky, cobweb, powdery, sand covered, sandblown, cobwebbed", order=78
)
def dusty(surface: Surface, description: Description, amount: float) -> None:
    """A pale veil on everything that lies flat, thicker in the lee of edges."""
    space = surface.space
    lee = smoothstep(surface.cavity(0.012) + 0.7 * noise(space, 3, "dust/lee", 5, 0.6), -0.8, 2.2)
    lee *= 1 - 0.5 * smoothstep(surface.steepness(0.006), 0.8, 2.5)
    veil = np.clip((0.18 + 0.6 * lee) * np.float32(min(amount, 1.5)), 0, 0.9)
    fine = noise(space, 110, "dust/fine", 3, 0.8)
    surface.paint(ramp(0.5 + 0.14 * fine, _stops(("8d8270", "a3977f", "b8ac95"))), veil)
    surface.height += veil * np.float32(0.0005)
    surface.set_roughness(0.95, veil)
    surface.set_metallic(0.0, veil * 0.8)


@layer(
    "burnt",
    "burnt, burned, scorched, scorch, sooty, soot, fire damaged, singed, smoky, ash, blackened, "
    "burning, char",
    order=55,
)
def burnt(surface: Surface, description: Description, amount: float) -> None:
    """Scorch that darkens from brown to char, with ash on the crests."""
    space = surface.space
    heat = noise(space, 1.8, "burn/heat", 6, 0.6) + 0.25 * surface.cavity(0.02)
    heat = evened(heat, space, 0.16, 0.5)
    share = min(0.3 + 0.3 * amount, 0.97)
    singed, char = cover(heat, min(share * 1.35, 0.99), 0.8), cover(heat, share * 0.75, 0.45)
    fine = noise(space, 36, "burn/fine", 5, 0.7)
    surface.paint(surface.colour * flat((0.6, 0.48, 0.38)), singed * 0.85)
    surface.paint(ramp(0.4 + 0.18 * fine, _stops(("17140f", "242020", "35302d"))), char * 0.94)
    ash = smoothstep(fine - surface.cavity(0.006), 1.2, 3.0) * char
    surface.paint(np.broadcast_to(flat(rgb("99948c")), surface.colour.shape), ash * 0.6)
    surface.height += char * fine * np.float32(0.0008)
    surface.set_roughness(0.9, char)
    surface.set_metallic(0.0, char * 0.7)
