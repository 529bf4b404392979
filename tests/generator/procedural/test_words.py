# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain words are understood in their usual spellings, and what is not understood is said."""

from __future__ import annotations

import pytest

from generator.procedural import parse


@pytest.mark.parametrize(("prompt", "family"), [
    ("mossy red brick wall", "brick"), ("bricks", "brick"), ("hexagon tiles", "hexagons"),
    ("hexagonal tiles", "hexagons"), ("hex tile", "hexagons"), ("wooden planks", "planks"), ("timber", "wood"),
    ("cobbles", "cobblestone"), ("cobble stones", "cobblestone"), ("cracked earth", "dryearth"),
    ("sci-fi panels", "panels"), ("diamond plate", "treadplate"), ("a photo of moss", "moss"),
    ("roof tiles", "rooftiles"), ("stone wall", "stonewall"), ("fallen leaves", "leaves"), ("gold", "metal"),
    ("Rusty, Old METAL plates!", "metalplate"), ("snow", "snow"), ("denim jeans", "fabric"),
])  # fmt: skip
def test_the_material_is_found(prompt: str, family: str) -> None:
    description = parse(prompt)
    assert description.family == family
    assert description.unknown == ()
    assert description.assumed == ()


def test_a_substance_fills_a_layout() -> None:
    for prompt in ("marble hexagon tiles", "hexagonal tiles of white marble"):
        description = parse(prompt)
        assert (description.family, description.inlay) == ("hexagons", "marble")
    assert (parse("gold tiles").family, parse("gold tiles").inlay) == ("tiles", "metal")
    assert (parse("concrete block wall").family, parse("concrete block wall").inlay) == ("brick", "concrete")


def test_moss_is_a_growth_on_a_wall_and_a_material_alone() -> None:
    assert parse("brick wall with moss").amount("mossy") == 1
    assert parse("moss").family == "moss"
    assert parse("moss").amount("mossy") == 0


@pytest.mark.parametrize(("prompt", "family"), [
    ("old oak parquet", "planks"), ("dirty white bathroom tiles", "tiles"), ("dark slate roof", "shingles"),
    ("rusted corrugated iron sheet", "corrugated"), ("japanese gold leaf", "metal"), ("desert sand dunes", "sand"),
    ("snowy cobblestone", "cobblestone"), ("cracked dry mud", "dryearth"), ("black leather", "leather"),
    ("scratched blue painted metal", "metal"), ("terracotta floor", "tiles"), ("volcanic lava rock", "rock"),
    ("rough concrete with cracks", "concrete"), ("pine forest floor with leaves", "leaves"),
    ("weathered corten steel", "metal"), ("sandstone blocks", "stonewall"), ("moroccan zellige tiles", "tiles"),
])  # fmt: skip
def test_what_artists_type_is_understood(prompt: str, family: str) -> None:
    description = parse(prompt)
    assert description.family == family
    assert description.unknown == ()
    assert description.assumed == ()


def test_a_word_can_name_a_material_and_its_colour_or_metal() -> None:
    assert parse("terracotta floor").colours == ("terracotta",)
    assert parse("sandstone cliff").colours == ("sandy",)
    assert parse("gold leaf").metal == "gold"
    assert parse("corten steel").amount("rusty") > 1


def test_words_of_degree_change_the_strength() -> None:
    slight, plain, heavy = (
        parse(f"{word} cracked tiles").amount("cracked") for word in ("slightly", "", "heavily")
    )
    assert 0 < slight < plain < heavy


def test_unknown_words_are_reported_and_small_words_are_not() -> None:
    description = parse("a seamless texture of the flurbed brick wall with zorgs, 4k")
    assert description.unknown == ("flurbed", "zorgs")
    assert description.understood == ("brick",)


def test_both_spellings_of_grey_and_several_colours() -> None:
    assert parse("grey tiles").colours == parse("gray tiles").colours == ("grey",)
    assert parse("blue and white tiles").colours == ("blue", "white")
    assert parse("reddish bricks").colours == ("red",)


@pytest.mark.parametrize(("prompt", "negative"), [
    ("mossy cracked brick", "moss"), ("cracked brick, no moss", ""), ("cracked brick without moss or lichen", ""),
    ("mossy cracked brick without moss", ""),
])  # fmt: skip
def test_refused_modifiers_are_left_out(prompt: str, negative: str) -> None:
    description = parse(prompt, negative)
    assert description.amount("mossy") == 0
    assert description.amount("cracked") == 1


def test_a_refused_colour_is_left_out() -> None:
    assert parse("red and blue tiles", "red").colours == ("blue",)


def test_what_was_assumed_is_said() -> None:
    for prompt in ("", "rusty", "flurb", "red"):
        description = parse(prompt)
        assert description.family
        assert any(description.family in sentence for sentence in description.assumed)
    assert parse("very rusty").family == "metal"


def test_parsing_is_repeatable_and_a_description_can_be_a_key() -> None:
    assert hash(parse("old mossy brick")) == hash(parse("old mossy brick"))
