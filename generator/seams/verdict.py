# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict: a weighted sum of the evidence, three cases in which it needs no weighing, and doubt."""

from __future__ import annotations

from math import expm1

from generator.seams.evidence import NAMES
from generator.seams.lines import Float64Array
from generator.seams.weights import INTERCEPT, WEIGHTS

_LEAST_POWER = 0.45
"""Below this no cut, made anywhere in the picture, can be told from a line of it: white noise has no seams."""

_UNMISTAKABLE_SCORE, _UNMISTAKABLE_EXCESS = 6.0, 0.25
"""A border that stands out by so many deviations, and exceeds every line inside by so much (as a logarithm), shows,
whether it is like a cut or not: a line that a model draws by padding with zeros is none."""

_RHYTHM_LOSS, _RHYTHM_DEVIATIONS = 0.4, 4.0
"""A regular pattern whose repeats correlate by so much less across the border than anywhere inside is broken."""

_DOUBT, _FEW = 2.5, 64
"""Log odds that are asked for in a picture of so few lines; less in larger ones, as the cube of their number grows.
A small picture says little of what its lines are like, and a false alarm is worse than a seam that hardly shows."""

_SURE, _SMALL = 2.0, 256
"""Odds of less than seven to one (2 as a logarithm) are no verdict, in a picture of so few lines: they are left
unsaid. In larger ones less is asked for, since the same weights count more lines."""


def score(evidence: Float64Array) -> float:
    """The logarithm of the odds that there is a seam, by the numbers named in ``evidence.NAMES``."""
    return INTERCEPT + float(sum(WEIGHTS[name] * value for name, value in zip(NAMES, evidence, strict=True)))


def shows_seam(evidence: Float64Array, lines: int, guess: bool = False) -> bool | None:
    """Whether the border shows in a picture of so many ``lines``.

    None where the evidence is too even to say, unless a ``guess`` is wanted.
    """
    # Scores are kept as log(1 + s), excesses five times as large, deviations of rhythm a fifth: see ``gather``.
    found = dict(zip(NAMES, evidence, strict=True))
    for measure in ("jump", "isolated", "other", "part"):
        if (
            expm1(found[f"{measure} score"]) > _UNMISTAKABLE_SCORE
            and found[f"{measure} excess"] > 5 * _UNMISTAKABLE_EXCESS
        ):
            return True
    if (
        found["rhythm loss beyond least"] > _RHYTHM_LOSS
        and 5 * found["rhythm loss in deviations"] > _RHYTHM_DEVIATIONS
    ):
        return True
    if expm1(found["cut power"]) < _LEAST_POWER:
        return False
    margin = score(evidence) - _DOUBT * min(1.0, (_FEW / lines) ** 3)
    if not guess and abs(margin) < _SURE * min(1.0, (_SMALL / lines) ** 1.5):
        return None
    return margin > 0
