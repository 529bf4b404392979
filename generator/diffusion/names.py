# SPDX-License-Identifier: GPL-3.0-or-later
"""What the names of models and LoRAs tell about how few steps they were made for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_MOST_STEPS = 16
"""Larger numbers before ``steps`` in a name are those of a training."""


class FewSteps(Enum):
    """Ways to make a few steps enough, by the word that names of models use."""

    HYPER = "hyper"
    LIGHTNING = "lightning"
    DMD = "dmd"
    TCD = "tcd"
    LCM = "lcm"
    TURBO = "turbo"


@dataclass(frozen=True)
class Named:
    """What a name tells: the number of steps where it says one, and whether guidance was kept (``CFG``)."""

    kind: FewSteps
    steps: int | None = None
    guided: bool = False


def in_model(names: Iterable[str]) -> Named | None:
    """What the first of a model's ``names`` that tells anything says; None where none does."""
    return next((found for name in names if (found := _read(_words(name)))), None)


def in_lora(names: Iterable[str]) -> Named | None:
    """As `in_model`, for a LoRA, whose name is often that of its subject, or of the model that it is meant for."""
    for name in names:
        words = _words(name)
        found = _read(words)
        if found is None:
            continue
        if found.kind is FewSteps.LIGHTNING and found.steps is None:
            continue  # the bolts in the sky
        if found.kind is FewSteps.TURBO and found.steps is None and not _is_turbo_itself(words):
            continue
        return found
    return None


def _words(name: str) -> list[str]:
    """``Hyper-SD15-8steps`` as ``[hyper, sd, 15, 8, steps]``."""
    return [word.lower() for word in _WORDS.findall(name)]


def _read(words: list[str]) -> Named | None:
    steps = next(
        (
            int(number)
            for number, unit in itertools.pairwise(words)
            if unit in ("step", "steps") and number.isdigit() and 1 <= int(number) <= _MOST_STEPS
        ),
        None,
    )
    for kind in FewSteps:
        told = _is_hyper(words, steps) if kind is FewSteps.HYPER else kind.value in words
        if told:
            return Named(kind, steps, "cfg" in words)
    return None


def _is_hyper(words: list[str], steps: int | None) -> bool:
    """Hyper-SD and Hyper-Flux, and not something hyper-realistic."""
    if any(word.startswith(("hypersd", "hyperflux")) for word in words):
        return True
    after = {second for first, second in itertools.pairwise(words) if first == "hyper"}
    return bool(after) and (steps is not None or any(word.startswith(("sd", "flux")) for word in after))


def _is_turbo_itself(words: list[str]) -> bool:
    """Whether a LoRA gives speed: ``sd_xl_turbo_lora``, ``FLUX.1-Turbo-Alpha``; many others are named for a model."""
    return words[:4] == ["sd", "xl", "turbo", "lora"] or "alpha" in words[words.index("turbo") + 1 :][:1]
