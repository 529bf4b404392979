# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions in varied plain English for the procedural materials, of words that ``builtin:procedural`` understands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generator.procedural import lexicon
from generator.procedural.colours import COLOURS, METALS
from generator.procedural.registry import FamilyInfo, families, family_info
from generator.procedural.words import parse
from training.phrases import (
    ADJECTIVES,
    COMPOUNDS,
    DEGREES,
    DENIED,
    GROUPS,
    METALLIC,
    OPENINGS,
    PLACES,
    STRUCTURES,
    SUBSTANCES,
    WITH,
)

_TRIES = 12
"""A caption whose words happen to form the name of another material is thrown again so often."""

_HINTS = ("metallic", "wooden", "mossy")
"""Adjectives that name a family by themselves and need a noun to stand before."""

_COUNTED = (
    "brick", "block", "tile", "stone", "slab", "plank", "board", "panel", "hexagon", "cobble", "sett", "pebble",
    "shingle", "plate", "paver", "scale", "dune", "leaf litter", "floor", "pantile",
)  # fmt: skip
"""Last words of names that people use in the plural."""


def family_names() -> tuple[str, ...]:
    """All families that captions can be asked for, by name."""
    return tuple(info.name for info in families())


def caption(family: str, rng: np.random.Generator) -> str:
    """A description of some material of that family; ``generator.procedural.words.parse`` finds the same family.

    Draws on ``rng`` alone, so that equal states give equal captions. Raises ``KeyError`` for an unknown family.
    """
    info = family_info(family)
    for _ in range(_TRIES):
        text = _compose(info, rng)
        if parse(text).family == family:
            return text
    return info.example


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _compose(info: FamilyInfo, rng: np.random.Generator) -> str:
    group = GROUPS[info.name] if info.name in GROUPS else GROUPS["any"]
    noun = _noun(info, rng)
    before, after = _wear(group.layers, rng)
    words = [*before, *_structure(info, rng), *_colours(info, group.colours, rng)]
    # Structure before wear as often as behind it: English has an order of adjectives, people have not.
    if rng.random() < 0.35:
        rng.shuffle(words)
    body = " ".join([*words, *_substance(info, rng), noun])
    if rng.random() < 0.1 and before:
        body = f"{' '.join([*words[len(before) :], noun])}, {', '.join(before)}"
    for phrase in after:
        body += phrase if phrase.startswith(",") else f" {phrase}"
    return _dressed(body, rng)


def _noun(info: FamilyInfo, rng: np.random.Generator) -> str:
    """A name of the family: the plainest one more often than the others, in the plural where that reads well."""
    noun = info.words[0] if rng.random() < 0.4 else _one(rng, info.words)
    if noun in _HINTS:
        return f"{noun} surface"
    if rng.random() < 0.5 and noun.endswith(_COUNTED):
        noun += "s"
    return noun


def _wear(layers: Sequence[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Words on wear, weather and growth: adjectives, and phrases that follow the noun."""
    count = int(rng.choice(4, p=(0.3, 0.38, 0.22, 0.1)))
    chosen = [layers[int(k)] for k in np.argsort(rng.random(len(layers)))[:count]]
    before: list[str] = []
    after: list[str] = []
    for layer in chosen:
        draw = rng.random()
        if layer in WITH and draw < 0.35:
            after.append(_one(rng, WITH[layer]))
            continue
        word = _one(rng, ADJECTIVES[layer])
        before.append(f"{_one(rng, DEGREES)} {word}" if rng.random() < 0.25 else word)
    if rng.random() < 0.18:
        before.insert(0, _one(rng, COMPOUNDS))
    elif not chosen and rng.random() < 0.4:
        before.append(_one(rng, ("clean", "new", "pristine", "fresh", "plain", "immaculate")))
    if rng.random() < 0.04:
        after.append(_one(rng, DENIED))
    return before, after[:2]


def _structure(info: FamilyInfo, rng: np.random.Generator) -> list[str]:
    words: list[str] = []
    if rng.random() < 0.28:
        words.append(_one(rng, ("large", "big", "small", "tiny", "huge", "wide", "fine", "giant", "narrow")))
    own = STRUCTURES.get(info.name, ())
    if own and rng.random() < 0.35:
        words.append(_one(rng, own))
    return words


def _colours(info: FamilyInfo, allowed: Sequence[str], rng: np.random.Generator) -> list[str]:
    """A colour or two, with words on their tone; a metal's name for metals."""
    if info.name in METALLIC and rng.random() < 0.6:
        return [_one(rng, (*METALS, *lexicon.METAL_SYNONYMS))]
    draw = rng.random()
    if draw < 0.42:
        return []
    names = allowed or (*COLOURS, *(w for w in lexicon.COLOUR_SYNONYMS if _only_a_colour(w)))
    first = _one(rng, names)
    if draw < 0.55:
        first = f"{_one(rng, ('dark', 'light', 'pale', 'deep', 'vivid', 'muted', 'dull', 'bright'))} {first}"
    elif draw > 0.9:
        first = f"{first} and {_one(rng, names)}"
    return [first]


def _only_a_colour(word: str) -> bool:
    """Whether the word names nothing but a colour ("sandstone" is a rock as well)."""
    read = parse(word)
    return bool(read.colours) and bool(read.assumed) and not read.modifiers


def _substance(info: FamilyInfo, rng: np.random.Generator) -> list[str]:
    """What the pieces of a layout are cut from, now and then."""
    options = SUBSTANCES.get(info.name, ())
    return [_one(rng, options)] if options and rng.random() < 0.22 else []


def _dressed(body: str, rng: np.random.Generator) -> str:
    """The bare words with an opening or a place, as people write them."""
    draw = rng.random()
    if draw < 0.3:
        opening = _one(rng, OPENINGS)
        article = opening == "a" and body[0].lower() in "aeiou"
        body = f"{'an' if article else opening} {body}"
    if rng.random() < 0.15:
        body = f"{body} {_one(rng, PLACES)}"
    return body[0].upper() + body[1:] if rng.random() < 0.12 else body
