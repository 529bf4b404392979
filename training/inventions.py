# SPDX-License-Identifier: GPL-3.0-or-later
"""Surfaces that no family has: random forms in random colours, of random matter, with random wear.

Whoever has only seen forty kinds of material knows how deep a brick's joint is, and is shy of all that is no brick.
Surfaces that resemble nothing teach what shading says (domain randomisation, Tobin et al. 2017).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from generator import procedural
from generator.material import FloatArray, Material
from generator.procedural import registry
from generator.procedural.colours import METALS, from_oklab, rgb
from generator.procedural.compose import finish
from generator.procedural.noise import blur, noise
from generator.procedural.shaping import flat, lookup, mix, ramp, spread_of
from generator.procedural.space import Space
from generator.procedural.surface import Surface, surface
from training.forms import Form, any_form, between, maybe

FAMILY = "invented"
"""What stands in place of a family's name."""

_WEAR = (
    "cracked",
    "worn",
    "scratched",
    "weathered",
    "rusty",
    "dirty",
    "burnt",
    "mossy",
    "dusty",
    "wet",
    "snowy",
)
_METAL = 0.2
"""How many surfaces have metal in them."""


class Invention(NamedTuple):
    """A material and, in a few words, what it is."""

    material: Material
    told: str


def invent(seed: int, size: int, rng: np.random.Generator) -> Invention:
    """One surface of ``size`` pixels a side, periodic on both axes, with exact maps."""
    space = Space(size, size, seed)
    main = any_form(space, rng, "main")
    height = main.height * np.float32(main.size * between(rng, 0.03, 0.7))
    if maybe(rng, 0.12):
        height = height * np.float32(0.02)  # inlaid, printed, ground flat
    if maybe(rng, 0.35):
        other = any_form(space, rng, "other")
        share = np.float32(1) if main.body is None or maybe(rng, 0.5) else main.body
        height = height + share * other.height * np.float32(other.size * between(rng, 0.02, 0.3))
    broad = between(rng, 1.5, 6)
    height = height + noise(space, broad, "broad", 2) * np.float32(rng.uniform(0, 0.05) / broad)
    grain = noise(space, between(rng, 20, 90), "grain", 3, 0.7)
    height = height + grain * np.float32(between(rng, 1e-4, 4e-3))
    made = surface(
        space,
        _coloured(space, rng, main, height, grain),
        height,
        _rough(space, rng, main, height, grain),
        gap=None if main.body is None else 1 - main.body,
        edge=main.edge,
        index=main.index,
        count=main.count,
    )
    made.upright, made.fibrous = maybe(rng, 0.5), maybe(rng, 0.2)
    metal = maybe(rng, _METAL)
    if metal:
        _cast(made, rng, main, grain)
    told = [FAMILY, "metal" if metal else "matter"]
    if maybe(rng, 0.4):
        told += _worn(made, rng)
    return Invention(finish(made, lambda _stage, _share: None), " ".join(told))


def _even(field: FloatArray) -> FloatArray:
    """The field with mean 0 and standard deviation 1."""
    return (field - field.mean()) * np.float32(1 / spread_of(field))


def _palette(rng: np.random.Generator, count: int) -> FloatArray:
    """``(count, 3)`` colours that go together, as those of one material mostly do."""
    hue, chroma = 2 * np.pi * rng.random(), abs(rng.normal(0, 0.06))
    contrast = between(rng, 0.02, 0.3)
    lab = np.empty((count, 3))
    for row in range(count):
        if row and maybe(rng, 0.15):
            hue, chroma = 2 * np.pi * rng.random(), abs(rng.normal(0, 0.08))
        turned, strength = hue + rng.normal(0, 0.25), chroma * np.exp(rng.normal(0, 0.3))
        lightness = (
            rng.uniform(0.2, 0.95) if row == 0 else np.clip(lab[0, 0] + rng.normal(0, contrast), 0.15, 0.98)
        )
        lab[row] = lightness, strength * np.cos(turned), strength * np.sin(turned)
    return from_oklab(lab)


def _coloured(
    space: Space, rng: np.random.Generator, form: Form, height: FloatArray, grain: FloatArray
) -> FloatArray:
    """Colours that follow height, place and piece, each as far as chance has it."""
    stops = _palette(rng, int(rng.integers(2, 5)))
    stains = noise(
        space, between(rng, 2, 24), "stains", int(rng.integers(1, 6)), float(rng.uniform(0.4, 0.8))
    )
    parts = (_even(height), stains, grain)
    weights = rng.normal(0, 1, len(parts)) * (rng.random(len(parts)) < 0.7)
    field = sum(
        (part * np.float32(weight) for part, weight in zip(parts, weights, strict=True)), np.float32(0)
    )
    spread = float(np.hypot.reduce(weights)) or 1.0
    position = 0.5 + field * np.float32(rng.uniform(0.1, 0.35) / spread) + np.zeros(space.shape, np.float32)
    if form.index is not None and maybe(rng, 0.7):
        own = lookup(space.each("hue", form.count), form.index) - np.float32(0.5)
        position = position + own * np.float32(rng.uniform(0.1, 1.2))
    colour = ramp(np.clip(position, 0, 1), stops)
    if form.body is not None and maybe(rng, 0.6):
        joint = (
            flat(_palette(rng, 1)[0])
            if maybe(rng, 0.4)
            else flat(stops[-1]) * np.float32(rng.uniform(0.4, 1.3))
        )
        share = (1 - form.body) * np.float32(rng.uniform(0.3, 1.0))
        colour = np.stack([mix(plane, tone[0, 0], share) for plane, tone in zip(colour, joint, strict=True)])
    if maybe(rng, 0.4):  # dirt in hollows, or what is rubbed bright
        hollow = blur(height, between(rng, 0.004, 0.03), space.pixel) - height
        deep = np.clip(_even(hollow), -2, 2) * np.float32(rng.normal(0, 0.1))
        colour = colour * (1 - deep)
    return np.clip(colour, 0, 1).astype(np.float32)


def _rough(
    space: Space, rng: np.random.Generator, form: Form, height: FloatArray, grain: FloatArray
) -> FloatArray:
    rough = np.full(space.shape, rng.uniform(0.08, 0.97), np.float32)
    for part in (_even(height), noise(space, between(rng, 2, 20), "sheen", 3), grain):
        if maybe(rng, 0.5):
            rough = rough + part * np.float32(rng.normal(0, 0.06))
    if form.index is not None and maybe(rng, 0.4):
        rough = rough + (lookup(space.each("sheen", form.count), form.index) - 0.5) * np.float32(
            rng.uniform(0, 0.4)
        )
    if form.body is not None and maybe(rng, 0.5):
        rough = mix(rough, np.float32(rng.uniform(0.3, 0.97)), 1 - form.body)
    return np.clip(rough, 0.03, 1).astype(np.float32)


def _cast(made: Surface, rng: np.random.Generator, form: Form, grain: FloatArray) -> None:
    """Metal: all of it, its pieces or what lies between them."""
    where = np.ones(made.space.shape, np.float32)
    if form.body is not None and maybe(rng, 0.5):
        where = form.body if maybe(rng, 0.75) else 1 - form.body
    metal = rgb(METALS[str(rng.choice(list(METALS)))])
    if maybe(rng, 0.3):
        metal = np.full(3, rng.uniform(0.5, 0.9), np.float32)
    own = made.colour.mean(axis=0)
    drawn = 1 + np.float32(rng.uniform(0, 0.3)) * np.clip(_even(own), -2, 2) * np.float32(0.3)
    made.paint(flat(metal) * drawn, where)
    rough = np.clip(rng.uniform(0.08, 0.6) + grain * rng.uniform(0, 0.06), 0.04, 1)
    made.set_roughness(rough.astype(np.float32), where)
    made.set_metallic(1.0, where)


def _worn(made: Surface, rng: np.random.Generator) -> list[str]:
    """One or two of the product's layers over it."""
    names = sorted(rng.choice(_WEAR, int(rng.integers(1, 3)), replace=False), key=_WEAR.index)
    plain = procedural.parse("concrete")
    for name in names:
        registry.apply(name, made, plain, float(rng.uniform(0.3, 1.0)))
    return [str(name) for name in names]
