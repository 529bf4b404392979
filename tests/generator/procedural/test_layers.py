# SPDX-License-Identifier: GPL-3.0-or-later
"""Modifiers go over every family and follow its shape; pictures are kept as far as the strength says."""

from __future__ import annotations

import colorsys
from functools import cache

import numpy as np
import pytest

from generator.material import MAPS, FloatArray, Material
from generator.procedural import Description, families, generate, parse, restyle
from generator.procedural.registry import layers

FAMILIES = [info.name for info in families()]
LAYERS = [info.name for info in layers()]


@cache
def made(family: str, modifiers: tuple[tuple[str, float], ...] = ()) -> Material:
    return generate(Description(family, modifiers=modifiers), 96, 96, 5)


def difference(one: Material, two: Material) -> float:
    fields = [(getattr(one, name), getattr(two, name)) for name in ("basecolor", "roughness", "height")]
    return max(float(np.abs(a - b).mean()) for a, b in fields)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_modifier_changes_every_family(family: str, layer: str) -> None:
    if (family, layer) in {("snow", "snowy"), ("moss", "mossy")}:
        pytest.skip("the material is that already")
    changed = made(family, ((layer, 1.0),))
    assert difference(made(family), changed) > 0.004
    for name in MAPS:
        assert np.isfinite(getattr(changed, name)).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_no_modifier_shows_the_border(layer: str) -> None:
    material = generate(Description("plaster", modifiers=((layer, 1.2),)), 131, 97, 2)
    for field in (material.basecolor, material.height, material.roughness):
        for axis in (0, 1):
            step = np.abs(field - np.roll(field, -1, axis)).mean(
                axis=tuple(a for a in range(field.ndim) if a != axis)
            )
            assert step[-1] <= step[:-1].mean() + 4 * step[:-1].std() + 1e-6


def test_more_of_a_modifier_covers_more() -> None:
    covers = []
    for amount in (0.4, 1.0, 1.6):
        colour = made("brick", (("mossy", amount),)).basecolor
        covers.append(float((colour[..., 1] > colour[..., 0]).mean()))
    assert covers[0] < covers[1] < covers[2]


def test_moss_grows_in_the_joints_rather_than_on_the_faces() -> None:
    bare, grown = made("brick"), made("brick", (("mossy", 0.5),))
    green = grown.basecolor[..., 1] > grown.basecolor[..., 0] * 1.05
    low = bare.height < np.quantile(bare.height, 0.2)
    assert green[low].mean() > 3 * green[~low].mean()


def test_moss_climbs_a_wall_from_the_joints_below() -> None:
    grown = generate(parse("mossy brick"), 192, 192, 5)
    green = (grown.basecolor[..., 1] > grown.basecolor[..., 0] * 1.05).astype(np.float32)
    bare = generate(parse("brick"), 192, 192, 5)
    joint = bare.height < np.quantile(bare.height, 0.2)
    above = np.roll(joint, -4, axis=0) & ~joint
    below = np.roll(joint, 4, axis=0) & ~joint
    assert green[above].mean() > 1.2 * green[below].mean()


@pytest.mark.parametrize("words", ["rusty metal", "snowy cobblestone"])
def test_no_large_mass_of_a_layer_gives_the_repeat_away(words: str) -> None:
    for seed in (1, 2):
        light = generate(parse(words), 128, 128, seed).basecolor.mean(axis=2)
        quarters = light.reshape(2, 64, 2, 64).mean(axis=(1, 3))
        assert np.ptp(quarters) < 0.25 * light.mean()


def test_water_is_dark_smooth_and_lies_low() -> None:
    dry, wet = made("cobblestone"), made("cobblestone", (("wet", 1.0),))
    water = wet.roughness < 0.06
    assert 0.05 < water.mean() < 0.6
    assert dry.height[water].mean() < dry.height[~water].mean() - 0.1
    assert wet.basecolor[water].mean() < dry.basecolor[water].mean()


def test_rust_is_not_metallic() -> None:
    rusty = made("metal", (("rusty", 1.0),))
    orange = rusty.basecolor[..., 0] > rusty.basecolor[..., 2] * 1.8
    assert orange.mean() > 0.15
    assert rusty.metallic[orange].mean() < 0.35
    assert rusty.roughness[orange].mean() > 0.6


def hue_of(colour: FloatArray) -> float:
    red, green, blue = colour.reshape(-1, 3).mean(axis=0)
    return colorsys.rgb_to_hsv(float(red), float(green), float(blue))[0] * 360


@pytest.mark.parametrize(
    ("word", "hue"), [("red", 5), ("blue", 217), ("green", 115), ("turquoise", 177), ("yellow", 45)]
)
@pytest.mark.parametrize(
    "material", ["tiles", "hexagons", "bricks", "planks", "plaster", "metal", "fabric", "leather"]
)
def test_a_named_colour_reaches_the_base_colour(material: str, word: str, hue: float) -> None:
    found = hue_of(generate(parse(f"clean {word} {material}"), 96, 96, 2).basecolor)
    assert abs((found - hue + 180) % 360 - 180) < 30


def test_a_chequerboard_of_marble_has_light_and_dark_tiles() -> None:
    light = generate(parse("checkered marble tiles"), 192, 192, 1).basecolor.mean(axis=2)
    assert (light < 0.35).mean() > 0.25
    assert (light > 0.6).mean() > 0.25


@cache
def picture() -> FloatArray:
    return made("plaster").basecolor


def test_at_strength_0_the_picture_is_itself() -> None:
    """By analysis, which takes no light out; whoever sees it, words add nothing."""
    words = parse("mossy cracked wall")
    assert restyle(picture(), words, 0.0, 1, by="analysis").basecolor.tobytes() == picture().tobytes()
    seen = restyle(picture(), words, 0.0, 1).basecolor
    assert seen.tobytes() == restyle(picture(), parse("wall"), 0.0, 2).basecolor.tobytes()


@pytest.mark.parametrize(
    "words", ["mossy", "cracked", "rusty", "wet", "snow", "dirty", "blue", "painted green"]
)
def test_a_picture_changes_the_more_the_stronger(words: str) -> None:
    moved = [
        float(np.abs(restyle(picture(), parse(words), strength, 1).basecolor - picture()).mean())
        for strength in (0.1, 0.4, 0.7, 1.0)
    ]
    assert moved == sorted(moved)
    assert moved[0] < 0.5 * moved[-1]
    assert moved[-1] > 0.004


@cache
def wall() -> FloatArray:
    return generate(Description("brick"), 256, 256, 4).basecolor


def mortar_of(picture: FloatArray) -> FloatArray:
    return picture.max(axis=2) - picture.min(axis=2) < 0.16


def test_moss_on_a_picture_of_a_wall_keeps_to_the_pale_joints() -> None:
    grown = restyle(wall(), parse("mossy"), 0.5, 1).basecolor
    green = grown[..., 1] > grown[..., 0] * 1.05
    joints = mortar_of(wall())
    assert green.mean() > 0.02
    assert green[joints].mean() > 2 * green[~joints].mean()


def test_a_colour_dyes_the_bricks_more_than_the_mortar() -> None:
    moved = np.abs(restyle(wall(), parse("blue"), 0.8, 1).basecolor - wall()).mean(axis=2)
    joints = mortar_of(wall())
    assert moved[joints].mean() < 0.6 * moved[~joints].mean()


def test_restyling_repeats_by_seed() -> None:
    one, two, other = (restyle(picture(), parse("mossy"), 0.7, seed) for seed in (1, 1, 2))
    assert one.basecolor.tobytes() == two.basecolor.tobytes()
    assert one.basecolor.tobytes() != other.basecolor.tobytes()


@pytest.mark.parametrize("axes", [(True, True), (True, False), (False, True), (False, False)])
def test_a_picture_that_tiles_on_some_axes_keeps_its_size(axes: tuple[bool, bool]) -> None:
    source = picture()[:80, :96]
    material = restyle(source, parse("mossy"), 0.6, 1, axes)
    assert material.basecolor.shape == source.shape
    assert material.height.shape == source.shape[:2]
    assert 0.001 < material.relief < 0.2
