# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions for the starter: those of all training, plain ones in every colour, and the same words said otherwise.

Artists write words in any order, and words that no material has. So the same picture is shown under its words as they
were, in another order, and with strangers among them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from generator import procedural
from generator.procedural.colours import METALS
from generator.procedural.description import Description
from generator.procedural.registry import family_info
from training.captions import caption
from training.phrases import ADJECTIVES, STRUCTURES
from training.starter.combinations import GROUPS, PLAINEST, held_pairs, is_held_out

_TRIES = 100
_PLAIN = 0.5
"""How many captions are a few plain words, with any colour there is; the others are those of `training.captions`."""

_SYLLABLES = (
    "ba",
    "dor",
    "el",
    "fi",
    "gra",
    "ho",
    "in",
    "ka",
    "lum",
    "mo",
    "ne",
    "or",
    "pra",
    "sti",
    "tu",
    "vel",
    "xi",
    "zo",
)


def compose(family: str, rng: np.random.Generator, held_out: bool = False) -> str:
    """A caption that leads to ``family``; one of a combination that is held out only where that is allowed.

    Depends on the state of ``rng`` alone. Raises ``ValueError`` where no caption is found.
    """
    for _ in range(_TRIES):
        text = _plain(family, rng) if rng.random() < _PLAIN else caption(family, rng)
        if procedural.parse(text).family == family and (held_out or not is_held_out(text)):
            return text
    raise ValueError(f"None of {_TRIES} captions leads to {family}.")


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _plain(family: str, rng: np.random.Generator) -> str:
    """A few words: wear, size, bond, a colour, the noun."""
    info = family_info(family)
    words: list[str] = []
    if rng.random() < 0.3:
        words.append(_one(rng, ADJECTIVES[_one(rng, tuple(ADJECTIVES))]))
    if rng.random() < 0.15:
        words.append(_one(rng, ("large", "small", "tiny", "huge")))
    if family in STRUCTURES and rng.random() < 0.4:
        words.append(_one(rng, STRUCTURES[family]))
    if rng.random() < 0.9:
        words.append(_one(rng, GROUPS[_one(rng, tuple(GROUPS))]))
    noun = info.words[0] if rng.random() < 0.6 else _one(rng, info.words)
    return " ".join([*words, noun])


def varied(text: str, rng: np.random.Generator) -> str:
    """The same said otherwise: in another order, in fewer words, or with words that mean nothing. Half of them stay.

    Never a combination that is held out, unless ``text`` is one.
    """
    draw = rng.random()
    if draw < 0.5:
        return text
    said = list(procedural.parse(text).understood)
    if draw < 0.7:
        rng.shuffle(said)
        other = " ".join(said)
    elif draw < 0.8:
        other = ", ".join(said)
    else:
        other = _with_strangers(text, rng)
    read, meant = procedural.parse(other), procedural.parse(text)
    # Another order may make another noun the material ("stone brick"): then it would be a lie.
    return other if _sense(read) == _sense(meant) else text


def _sense(read: Description) -> tuple[object, ...]:
    """All that a picture depends on."""
    named = dict(read.modifiers), set(read.structure)
    return (read.family, read.inlay, read.metal, read.colours, *named)


def _with_strangers(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    for _ in range(int(rng.integers(1, 4))):
        words.insert(int(rng.integers(len(words) + 1)), stranger(rng))
    return " ".join(words)


def stranger(rng: np.random.Generator) -> str:
    """A word that nobody knows."""
    while True:
        word = "".join(_one(rng, _SYLLABLES) for _ in range(int(rng.integers(2, 4))))
        if word in procedural.parse(word).unknown:
            return word


def held_out_prompts(count: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """``(prompt, family, group)`` of combinations that are never trained on, all pairs in turns.

    The prompt names the colour by a word that is no other group's, and now and then a bond or some wear that leaves
    colours as they are.
    """
    rng = np.random.default_rng([seed, 71])
    pairs = [held_pairs()[int(k)] for k in rng.permutation(len(held_pairs()))]
    prompts = []
    for number in range(count):
        family, group = pairs[number % len(pairs)]
        prompts.append((_asking(family, group, rng), family, group))
    return prompts


def _asking(family: str, group: str, rng: np.random.Generator) -> str:
    info = family_info(family)
    for _ in range(_TRIES):
        words = [_one(rng, PLAINEST[group])]
        if family in STRUCTURES and rng.random() < 0.4:
            words.insert(int(rng.integers(2)), _one(rng, STRUCTURES[family]))
        if rng.random() < 0.3:
            words.insert(0, _one(rng, ("worn", "old", "cracked", "large", "small", "clean")))
        noun = info.words[0] if rng.random() < 0.7 else _one(rng, info.words[:4])
        text = " ".join([*words, noun])
        read = procedural.parse(text)
        only = len(read.colours) == 1 and read.inlay is None and not (set(METALS) & set(read.understood))
        if read.family == family and only and is_held_out(text):
            return text
    return f"{PLAINEST[group][0]} {info.words[0]}"


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, as the tokenizer parts them."""
    return re.findall(r"[a-z]+|\d|[^\s\w]", text.lower())
