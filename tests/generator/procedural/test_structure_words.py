# SPDX-License-Identifier: GPL-3.0-or-later
"""Words on size, tone, finish and bond visibly act, in every family where they mean something."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from generator.material import FloatArray, Material
from generator.procedural import Description, families, generate, parse

NAMES = [info.name for info in families()]


@cache
def made(family: str, *structure: str, modifiers: tuple[tuple[str, float], ...] = ()) -> Material:
    return generate(Description(family, structure=structure, modifiers=modifiers), 128, 128, 2)


def fineness(field: FloatArray) -> float:
    """The mean spatial frequency of a field, weighed by its power."""
    field = field - field.mean()
    power = np.abs(np.fft.rfft2(field)) ** 2
    rows = np.fft.fftfreq(field.shape[0]) * field.shape[0]
    columns = np.fft.rfftfreq(field.shape[1]) * field.shape[1]
    return float((power * np.hypot(rows[:, None], columns)).sum() / power.sum())


@pytest.mark.parametrize("family", NAMES)
def test_tiny_is_finer_than_huge(family: str) -> None:
    # A plain sheet of metal has no parts, but the blows on a hammered one have a size.
    words = ("hammered",) if family == "metal" else ()
    # The grain of plastic and the pores of concrete are too fine for a small picture.
    side = 320 if family in ("plastic", "concrete") else 128
    tiny, huge = (
        generate(Description(family, structure=(*words, word)), side, side, 2) for word in ("tiny", "huge")
    )
    ratios = [
        fineness(getattr(tiny, name).reshape(side, side, -1).mean(axis=2))
        / fineness(getattr(huge, name).reshape(side, side, -1).mean(axis=2))
        for name in ("height", "basecolor", "roughness")
    ]
    assert max(ratios) > 1.25


@pytest.mark.parametrize("family", NAMES)
def test_dark_is_darker_than_light(family: str) -> None:
    # The darkest crusts already lie at the lowest brightness that real matter has.
    least = 0.015 if family == "lava" else 0.04
    if family == "snow":
        pytest.skip("snow is white")
    assert made(family, "light").basecolor.mean() - made(family, "dark").basecolor.mean() > least


@pytest.mark.parametrize("family", NAMES)
def test_polished_is_smoother_than_rough(family: str) -> None:
    polished, rough = (made(family, modifiers=((name, 1.0),)) for name in ("polished", "rough"))
    assert rough.roughness.mean() - polished.roughness.mean() > 0.2


@pytest.mark.parametrize("family", NAMES)
def test_old_differs_from_new(family: str) -> None:
    old, new = (
        generate(parse(f"{word} {words[0]}"), 96, 96, 2)
        for word in ("very old", "clean new")
        for words in [next(info.words for info in families() if info.name == family)]
    )
    moved = [np.abs(getattr(old, name) - getattr(new, name)).mean() for name in ("basecolor", "roughness")]
    assert max(moved) > 0.015


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("brick", ("herringbone", "basket", "stacked", "long")),
        ("tiles", ("herringbone", "basket", "running", "random")),
        ("planks", ("herringbone", "basket")),
        ("cobblestone", ("square", "random")),
        ("flagstone", ("square",)),
        ("stonewall", ("random",)),
        ("metal", ("hammered",)),
        ("mesh", ("long",)),
        ("grass", ("short", "dry")),
        ("fabric", ("twill",)),
        ("carpet", ("thick",)),
        ("fur", ("short",)),
    ],
)
def test_words_of_bond_and_shape_change_the_shape(family: str, words: tuple[str, ...]) -> None:
    plain = made(family)
    for word in words:
        other = made(family, word)
        moved = np.abs(other.height - plain.height).mean() + np.abs(other.basecolor - plain.basecolor).mean()
        assert moved > 0.03, word


def test_vivid_is_more_colourful_than_muted() -> None:
    for family in ("tiles", "plaster", "carpet", "rock", "grass"):
        vivid, muted = (np.ptp(made(family, word).basecolor, axis=2).mean() for word in ("vivid", "muted"))
        assert vivid > 1.2 * muted, family
