# SPDX-License-Identifier: GPL-3.0-or-later
"""From plain words to a ``Description``; what is not understood is reported, never dropped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import generator.procedural.kinds
import generator.procedural.layers  # noqa: F401  (both enter themselves in the registry)
from generator.procedural import lexicon, registry
from generator.procedural.colours import COLOURS, METALS
from generator.procedural.description import Description

_LONGEST_PHRASE = 3


@dataclass(frozen=True)
class _Meaning:
    """All that a word can mean: a bit of each role, since "moss" is both a material and a growth on another."""

    family: str | None = None
    modifiers: tuple[tuple[str, float], ...] = ()
    colour: str | None = None
    metal: str | None = None
    structure: str | None = None


@cache
def _meanings() -> dict[str, _Meaning]:
    table: dict[str, dict[str, object]] = {}

    def add(word: str, **roles: object) -> None:
        table.setdefault(word, {}).update(roles)

    for info in registry.families():
        for word in info.words:
            add(word, family=info.name)
    for layer in registry.layers():
        for word in layer.words:
            add(word, modifiers=((layer.name, 1.0),))
    for word, parts in lexicon.COMPOUND.items():
        add(word, modifiers=parts)
    for colour in COLOURS:
        if colour not in table:
            add(colour, colour=colour)
    for word, colour in lexicon.COLOUR_SYNONYMS.items():
        add(word, colour=colour)
    for metal in METALS:
        add(metal, metal=metal)
    for word, metal in lexicon.METAL_SYNONYMS.items():
        add(word, metal=metal)
    for structure, words in lexicon.STRUCTURE.items():
        for word in words:
            add(word, structure=structure)
    return {word: _Meaning(**roles) for word, roles in table.items()}  # type: ignore[arg-type]


def _singulars(word: str) -> list[str]:
    """The word and what it may be the plural of."""
    forms = [word]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("ves"):
        forms += [word[:-3] + "f", word[:-3] + "fe"]
    if word.endswith("es"):
        forms.append(word[:-2])
    if word.endswith("s") and not word.endswith("ss"):
        forms.append(word[:-1])
    return forms


def _find(words: list[str]) -> _Meaning | None:
    """The meaning of a phrase, in any of its spellings."""
    table = _meanings()
    last = words[-1]
    for form in _singulars(last):
        phrase = " ".join([*(_singulars(word)[-1] for word in words[:-1]), form])
        exact = " ".join([*words[:-1], form])
        for candidate in (exact, phrase, phrase.replace(" ", "")):
            if candidate in table:
                return table[candidate]
    if len(words) == 1 and last.endswith("ish"):
        stem = last[:-3]
        for form in (stem, stem[:-1], stem + "e"):
            if form in table and table[form].colour:
                return table[form]
    return None


@dataclass(frozen=True)
class _Word:
    text: str
    meaning: _Meaning
    strength: float
    denied: bool


def _read(prompt: str) -> tuple[list[_Word], list[str]]:
    """The understood words in order with their strengths, and the words that were not understood."""
    known: list[_Word] = []
    unknown: list[str] = []
    for clause in re.split(r"[,;.:()\n]+", prompt.lower()):
        tokens = [t for t in re.findall(r"[^\W_]+(?:'[^\W_]+)?", clause) if t]
        strength, denied, place = 1.0, False, 0
        while place < len(tokens):
            for length in range(min(_LONGEST_PHRASE, len(tokens) - place), 0, -1):
                phrase = tokens[place : place + length]
                meaning = _find(phrase)
                if meaning:
                    known.append(_Word(" ".join(phrase), meaning, strength, denied))
                    strength = 1.0
                    break
            else:
                length, word = 1, tokens[place]
                if word in lexicon.STRENGTHS:
                    strength *= lexicon.STRENGTHS[word]
                elif word in lexicon.DENIALS:
                    denied = True
                elif word in ("with", "but"):
                    denied = False
                elif word not in lexicon.STOP and not word.isdigit() and not re.fullmatch(r"\d+k|s|t", word):
                    unknown.append(word)
            place += length
    return known, unknown


def parse(prompt: str, negative: str = "") -> Description:
    """Read a prompt of plain words; words in ``negative``, and after "no" or "without", take modifiers away."""
    words, unknown = _read(prompt)
    refused, _ = _read(negative)
    banned = {name for w in refused for name, _ in w.meaning.modifiers}
    banned |= {name for w in words if w.denied for name, _ in w.meaning.modifiers}
    banned_colours = {w.meaning.colour for w in [*refused, *(w for w in words if w.denied)]} - {None}
    words = [w for w in words if not w.denied]
    family, inlay, spent = _choose_family(words)
    assumed: list[str] = []
    modifiers: dict[str, float] = {}
    for w in words:
        if w in spent and w.meaning.family:
            continue
        for name, share in w.meaning.modifiers:
            if name not in banned:
                modifiers[name] = min(max(modifiers.get(name, 0.0), share * w.strength), 2.0)
    metal = next((w.meaning.metal for w in words if w.meaning.metal), None)
    if family is None:
        family = _default_family(modifiers, metal)
        if metal is None:
            assumed.append(f"No material was named; {family} was assumed.")
    elif metal and family != "metal" and registry.family_info(family).layout and inlay is None:
        inlay = "metal"
    colours = dict.fromkeys(w.meaning.colour for w in words if w.meaning.colour and not w.meaning.metal)
    return Description(
        family=family,
        inlay=inlay,
        colours=tuple(c for c in colours if c and c not in banned_colours),
        metal=metal,
        modifiers=tuple(sorted(modifiers.items())),
        structure=tuple(dict.fromkeys(w.meaning.structure for w in words if w.meaning.structure)),
        understood=tuple(dict.fromkeys(w.text for w in words)),
        unknown=tuple(dict.fromkeys(unknown)),
        assumed=tuple(assumed),
    )


def _choose_family(words: list[_Word]) -> tuple[str | None, str | None, list[_Word]]:
    """The family, the one that fills its pieces, and the words that were used up for naming them.

    A layout outranks a substance; among equals the last named is the noun ("stone brick"), except that a word
    which is also a modifier ("moss") only names the family when nothing else does.
    """
    named = [w for w in words if w.meaning.family]
    plain = [w for w in named if not w.meaning.modifiers] or named[-1:]
    layouts = [w for w in plain if registry.family_info(str(w.meaning.family)).layout]
    if not plain:
        return None, None, []
    head = (layouts or plain)[-1]
    fillings = [
        w for w in plain
        if w.meaning.family != head.meaning.family and not registry.family_info(str(w.meaning.family)).layout
    ]  # fmt: skip
    if not layouts or not fillings:
        return head.meaning.family, None, [head]
    return head.meaning.family, fillings[-1].meaning.family, [head, fillings[-1]]


def _default_family(modifiers: dict[str, float], metal: str | None) -> str:
    """The material that the other words suggest."""
    if metal or modifiers.get("rusty") or modifiers.get("scratched"):
        return "metal"
    if modifiers.get("painted") or modifiers.get("peeling"):
        return "plaster"
    if modifiers.get("polished"):
        return "marble"
    if modifiers.get("cracked"):
        return "concrete"
    return "rock"
