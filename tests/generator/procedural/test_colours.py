# SPDX-License-Identifier: GPL-3.0-or-later
"""A colour word stands for a region of colours, drawn from by the seed, that all deserve the word."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from generator.procedural import generate, parse
from generator.procedural.colours import COLOURS, from_oklab, oklab, rgb, sampled, swatches
from generator.procedural.space import Space

SEEDS = range(60)


def drawn(name: str) -> np.ndarray:
    """OKLab colours of many seeds, ``(n, 3)``."""
    return oklab(np.concatenate([sampled(Space(16, 16, seed), "test", (name,)) for seed in SEEDS]))


def hues(lab: np.ndarray) -> np.ndarray:
    return np.rad2deg(np.arctan2(lab[:, 2], lab[:, 1]))


@pytest.mark.parametrize("name", sorted(COLOURS))
def test_a_colour_word_gives_a_spread_that_the_eye_sees_and_stays_near_its_swatch(name: str) -> None:
    lab = drawn(name)
    # 0.02 in OKLab is a difference that anybody notices side by side.
    assert np.linalg.norm(lab - lab.mean(axis=0), axis=1).mean() > 0.02
    own = oklab(swatches((name,)))
    distance = np.linalg.norm(lab[:, None] - own[None], axis=2).min(axis=1)
    assert distance.max() < 0.13


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("red", -15, 20), ("yellow", 36, 60), ("green", 85, 150), ("blue", 205, 235), ("teal", 165, 195)],
)  # fmt: skip
def test_every_draw_is_still_of_that_colour(name: str, low: float, high: float) -> None:
    for colour in from_oklab(drawn(name)):
        hue = colorsys.rgb_to_hsv(*map(float, colour))[0] * 360
        assert low <= (hue + 90) % 360 - 90 <= high


def test_black_stays_dark_white_stays_light_and_grey_stays_grey() -> None:
    assert drawn("black")[:, 0].max() < 0.36
    assert drawn("white")[:, 0].min() > 0.82
    assert np.hypot(*drawn("grey")[:, 1:].T).max() < 0.02


def test_red_never_becomes_orange() -> None:
    red, orange = oklab(rgb("a82a22")), oklab(rgb("c8681e"))
    lab = drawn("red")
    assert (np.linalg.norm(lab - red, axis=1) < np.linalg.norm(lab - orange, axis=1)).all()


def test_the_same_seed_draws_the_same_colours() -> None:
    one, two, other = (sampled(Space(16, 16, seed), "test", ("blue", "red")) for seed in (1, 1, 2))
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize("material", ["tiles", "plaster", "leather", "fabric", "carpet"])
def test_two_seeds_of_one_prompt_differ_in_colour_but_not_in_kind(material: str) -> None:
    means = [
        oklab(generate(parse(f"clean blue {material}"), 64, 64, seed).basecolor.mean(axis=(0, 1)))
        for seed in range(6)
    ]
    assert np.ptp(np.stack(means), axis=0).max() > 0.015
    assert all(-140 < hue < -60 for hue in hues(np.stack(means)))
