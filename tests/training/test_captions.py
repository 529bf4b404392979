# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions are varied, repeat by seed, and say what the procedural model understands."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from generator.procedural import families, parse
from generator.procedural.registry import family_info, layers
from training.captions import caption, family_names
from training.phrases import (
    ADJECTIVES,
    COMPOUNDS,
    DENIED,
    GROUPS,
    OPENINGS,
    PLACES,
    STRUCTURES,
    SUBSTANCES,
    WITH,
)

FAMILIES = [info.name for info in families()]
EACH = 200


@cache
def captions(family: str) -> tuple[str, ...]:
    rng = np.random.default_rng(7)
    return tuple(caption(family, rng) for _ in range(EACH))


def test_every_family_can_be_asked_for() -> None:
    assert list(family_names()) == FAMILIES
    with pytest.raises(KeyError):
        caption("flurb", np.random.default_rng(1))


@pytest.mark.parametrize("family", FAMILIES)
def test_captions_name_their_family_in_words_that_are_understood(family: str) -> None:
    read = [parse(text) for text in captions(family)]
    assert {description.family for description in read} == {family}
    assert not any(description.assumed for description in read)
    unknown = Counter(word for description in read for word in description.unknown)
    assert sum(unknown.values()) <= EACH // 50, unknown


@pytest.mark.parametrize("family", FAMILIES)
def test_captions_are_varied(family: str) -> None:
    assert len(set(captions(family))) > 0.8 * EACH
    read = [parse(text) for text in captions(family)]
    assert len({description.modifiers for description in read}) > 40
    assert len({(*description.colours, description.metal) for description in read}) > 5
    assert len({description.size for description in read}) >= 4
    plain = sum(not description.modifiers for description in read)
    assert 0.1 * EACH < plain < 0.6 * EACH


def test_together_they_use_every_modifier_and_family_word() -> None:
    read = [parse(text) for family in FAMILIES for text in captions(family)]
    used = Counter(name for description in read for name, _ in description.modifiers)
    assert {info.name for info in layers()} == set(used)
    assert min(used.values()) > 60
    assert any(description.inlay for description in read)


def test_the_same_state_gives_the_same_captions() -> None:
    one, two, other = (
        [caption("brick", rng) for _ in range(20)] for rng in (np.random.default_rng(s) for s in (3, 3, 4))
    )
    assert one == two
    assert one != other


@pytest.mark.parametrize("layer", [info.name for info in layers()])
def test_words_for_a_modifier_mean_that_modifier(layer: str) -> None:
    for phrase in (*ADJECTIVES[layer], *WITH[layer]):
        description = parse(f"brick {phrase}")
        assert description.amount(layer) > 0, phrase
        assert description.family == "brick", phrase
        assert description.unknown == (), phrase


def test_the_stock_of_words_is_understood_and_belongs_to_families_that_exist() -> None:
    for phrase in (*OPENINGS, *PLACES, *COMPOUNDS, *DENIED):
        description = parse(f"brick {phrase}")
        assert description.unknown == (), phrase
        assert description.family == "brick", phrase
    assert set(GROUPS) - {"any"} <= set(FAMILIES)
    for table in (STRUCTURES, SUBSTANCES):
        assert set(table) <= set(FAMILIES)
    for family, options in STRUCTURES.items():
        for word in options:
            assert parse(f"{word} brick").structure, (family, word)
    for family, options in SUBSTANCES.items():
        for word in options:
            assert parse(f"{word} {family_info(family).words[0]}").inlay, (family, word)
