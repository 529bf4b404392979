# SPDX-License-Identifier: GPL-3.0-or-later
"""Wear follows the shape: rust runs down from iron, snow slides off slopes, old paint shows under new."""

from __future__ import annotations

import numpy as np
import pytest

from generator.procedural import Description, generate, parse
from generator.procedural.noise import runoff
from generator.procedural.pieces import pieces_between
from generator.procedural.registry import apply, build
from generator.procedural.space import Space
from generator.procedural.surface import Surface, surface

SIZE = 96


def flat_wall(upright: bool = True) -> Surface:
    space = Space(SIZE, SIZE, 3)
    out = surface(space, np.full((3, 1, 1), 0.7, np.float32), np.zeros((1, 1), np.float32), 0.6)
    out.upright = upright
    return out


def with_nails(upright: bool) -> Surface:
    out = flat_wall(upright)
    out.iron = np.zeros(out.space.shape, np.float32)
    out.iron[30:34, 30:66:6] = 1
    return out


def redness(of: Surface) -> np.ndarray:
    return of.colour[0] - of.colour[2]


@pytest.mark.parametrize("upright", [True, False])
def test_rust_runs_down_from_nails_and_much_less_where_it_lies(upright: bool) -> None:
    bare, nailed = flat_wall(upright), with_nails(upright)
    for each in (bare, nailed):
        apply("rusty", each, Description("plaster"), 1.0)
    gained = redness(nailed) - redness(bare)
    below, above = gained[34:44, 30:66:6].mean(), gained[18:28, 30:66:6].mean()
    assert below > above + (0.03 if upright else 0.0)
    assert abs(gained[:, :24]).max() < 0.05


def test_what_runs_off_goes_round_the_torus_and_only_downwards() -> None:
    source = np.zeros((64, 16), np.float32)
    source[60, 5] = 1
    trail = runoff(source, 0.1, 1 / 64)
    assert trail[62, 5] > trail[3, 5] > trail[20, 5]
    assert trail[58, 5] < 0.05 * trail[60, 5]
    assert np.abs(trail[:, 6]).max() < 1e-6


def test_scratches_and_fixings_are_iron() -> None:
    space = Space(SIZE, SIZE, 2)
    for family in ("metalplate", "panels", "planks", "corrugated"):
        iron = build(family, space, Description(family)).iron
        assert iron is not None
        assert 0.0005 < (iron > 0.5).mean() < 0.2
    metal = build("metal", space, Description("metal"))
    apply("scratched", metal, Description("metal"), 1.0)
    assert metal.iron is not None
    assert metal.iron.max() > 0.3


def test_snow_slides_off_what_is_steep() -> None:
    space = Space(SIZE, SIZE, 4)
    rock = build("rock", space, Description("rock"))
    steep = rock.steepness(0.008)
    apply("snowy", rock, Description("rock"), 0.6)
    white = rock.colour.min(axis=0) > 0.7
    assert 0.1 < white.mean() < 0.7
    assert steep[white].mean() < 0.8 * steep[~white].mean()


def test_an_older_coat_shows_where_paint_has_peeled() -> None:
    bare = generate(Description("plaster"), SIZE, SIZE, 2).basecolor
    seen = generate(parse("peeling blue paint on plaster"), SIZE, SIZE, 2).basecolor
    blue = seen[..., 2] - seen[..., 0] > 0.1
    substrate = np.abs(seen - bare).max(axis=2) < 0.05
    between = ~blue & ~substrate
    assert blue.mean() > 0.5
    assert between.mean() > 0.01


def test_rain_marks_what_stands_and_not_what_lies() -> None:
    standing, lying = flat_wall(True), flat_wall(False)
    for each in (standing, lying):
        apply("weathered", each, Description("plaster"), 1.0)
    assert standing.colour.mean() < lying.colour.mean() - 0.002


def test_the_bricks_of_a_picture_are_told_apart() -> None:
    space = Space(192, 192, 1)
    wall = build("brick", space, Description("brick"))
    assert wall.gap is not None
    assert wall.index is not None
    found = pieces_between(wall.gap)
    assert found is not None
    index, count = found
    assert index.shape == wall.gap.shape
    assert 0.7 * wall.count <= count <= 1.2 * wall.count
    # Inside one brick there is one number.
    for piece in range(0, wall.count, 7):
        inside = index[(wall.index == piece) & (wall.gap < 0.05)]
        if inside.size > 30:
            assert np.bincount(inside).max() > 0.9 * inside.size


def test_a_picture_without_joints_has_no_pieces() -> None:
    assert pieces_between(np.zeros((64, 64), np.float32)) is None
    assert pieces_between(np.ones((64, 64), np.float32)) is None


@pytest.mark.parametrize("layer", ["rusty", "snowy", "painted", "mossy"])
def test_nothing_lies_in_a_hole(layer: str) -> None:
    space = Space(SIZE, SIZE, 2)
    sheet = build("mesh", space, Description("mesh"))
    assert sheet.void is not None
    hole = sheet.void == 1
    before = sheet.colour.copy()
    apply(layer, sheet, Description("mesh"), 1.2)
    assert hole.mean() > 0.1
    assert np.abs(sheet.colour - before)[:, hole].max() < 1e-5
    assert np.abs(sheet.colour - before)[:, ~hole].mean() > 0.02
