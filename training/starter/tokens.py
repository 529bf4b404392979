# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokenizer: every word that the procedural model knows is one token, and any other word is spelt out."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

from generator import procedural
from generator.procedural import lexicon, registry
from generator.procedural.colours import COLOURS, METALS
from training import phrases
from training.starter.captions import words_of

LENGTH = 48
"""Tokens of a prompt, its two marks included: three times what captions are long."""

START, END = "<|startoftext|>", "<|endoftext|>"
_LAST = "</w>"  # ends the last piece of a word


def vocabulary() -> list[str]:
    """Every word that a caption or an artist who has read the documentation may use, once, in order."""
    texts: list[str] = []
    for info in procedural.families():
        texts += [info.example, *info.words, *(f"{word}s" for word in info.words)]
    for layer in registry.layers():
        texts += layer.words
    for table in (
        lexicon.COMPOUND,
        lexicon.COLOUR_SYNONYMS,
        lexicon.METAL_SYNONYMS,
        lexicon.STRENGTHS,
        COLOURS,
        METALS,
    ):
        texts += table
    texts += [word for words in lexicon.STRUCTURE.values() for word in words]
    texts += [*lexicon.STOP, *lexicon.DENIALS, *phrases.DEGREES, *phrases.COMPOUNDS, *phrases.DENIED]
    texts += [*phrases.OPENINGS, *phrases.PLACES]
    for several in (*phrases.ADJECTIVES.values(), *phrases.WITH.values()):
        texts += several
    for several in (*phrases.STRUCTURES.values(), *phrases.SUBSTANCES.values()):
        texts += several
    return sorted({word for text in texts for word in words_of(text)})


def merges_of(words: list[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, the commonest first, until every word is in one piece (Sennrich et al. 2016).

    As the library `tokenizers` learns them, but the same at every run: there, equals are merged in any order.
    """
    pieces = {word: [*word[:-1], word[-1] + _LAST] for word in words}
    counts: Counter[tuple[str, str]] = Counter()
    places: dict[tuple[str, str], set[str]] = {}

    def enter(word: str) -> None:
        for pair in pairwise(pieces[word]):
            counts[pair] += 1
            places.setdefault(pair, set()).add(word)

    for word in words:
        enter(word)
    merges = []
    while counts:
        count, best = max((count, pair) for pair, count in counts.items())
        del counts[best]
        if count == 0:
            break
        merges.append(best)
        for word in places.pop(best):
            counts.subtract(pair for pair in pairwise(pieces[word]) if pair != best)
            pieces[word] = _merged(pieces[word], best)
            enter(word)
    return merges


def _merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    made: list[str] = []
    for piece in pieces:
        # The piece before is never itself a merge of this pair, which would have to contain itself.
        if made and (made[-1], piece) == pair:
            made[-1] += piece
        else:
            made.append(piece)
    return made


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write a CLIP tokenizer of these words into the folder, and give it as transformers reads it."""
    byte_letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = merges_of(vocabulary())
    # CLIP's order: bytes, bytes that end a word, what is merged of them, and the two marks.
    whole = [before + after for before, after in merges]
    entries = [*byte_letters, *(f"{letter}{_LAST}" for letter in byte_letters), *whole, START, END]
    numbers = {token: place for place, token in enumerate(dict.fromkeys(entries))}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text(
        "\n".join(["#version: 0.2", *map(" ".join, merges), ""]), encoding="utf-8"
    )
    marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    about = {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, **marks}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def numbered(tokenizer: CLIPTokenizer, texts: list[str]) -> npt.NDArray[np.int64]:
    """The texts as tokens ``(N, LENGTH)``, as diffusers' pipelines give them to the text encoder."""
    given = tokenizer(texts, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="np")
    return np.asarray(given["input_ids"], np.int64)
