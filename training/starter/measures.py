# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a finished model: is it right, varied, seamless, steered by its strength, and fast?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from generator import seams
from training.starter.asking import Asked, Maker, in_pairs, procedural_picture, spread, tell
from training.starter.judges import Judge

STRENGTHS = (0.2, 0.4, 0.6, 0.8)
_SEEDS = 4

FAMILY, COLOUR, DIVERSITY, SEAM, SECONDS = 0.8, 0.85, 0.5, 0.05, 15.0
"""What is wanted: shares that are right, the spread between seeds over the data's, how far the seam ratio may be from
1, and seconds for one picture on two processor cores in float32."""


@dataclass(frozen=True)
class Figures:
    """What was measured of the model on ``count`` prompts at ``size`` pixels a side, and of the procedural model.

    Shares are in [0, 1]. ``diversity`` is the model's spread between seeds over the procedural model's; ``seam`` the
    mean ratio of the jump across the border to the jumps inside. ``left`` and ``reached`` are, for each of `STRENGTHS`,
    how far pictures are from their source and how sure the judges are of the prompt. ``seconds`` is for one picture of
    ``timed`` pixels a side.
    """

    count: int
    size: int
    family: float
    colour: float
    family_of_data: float
    colour_of_data: float
    seam: float
    diversity: float
    left: tuple[float, ...]
    reached: tuple[float, ...]
    timed: int
    seconds: float

    @property
    def short(self) -> list[str]:
        """The names of the figures that are not what they have to be, for the model to be more than an experiment."""
        met = {
            "family": self.family >= FAMILY,
            "colour": self.colour >= COLOUR,
            "diversity": self.diversity >= DIVERSITY,
            "seam": abs(self.seam - 1) <= SEAM,
            "from a picture": self.moves,
            "seconds": self.seconds <= SECONDS,
        }
        return [name for name, is_met in met.items() if not is_met]

    @property
    def moves(self) -> bool:
        """Whether more strength always means farther from the source and nearer to the prompt."""
        return all(
            before < after for values in (self.left, self.reached) for before, after in pairwise(values)
        )


def measure(maker: Maker, judge: Judge, asked: Sequence[Asked], size: int, timed: int, few: int) -> Figures:
    """All figures; ``few`` of the prompts are asked for many pictures each."""
    shares = right(maker, judge, asked, size)
    some = asked[:: max(1, len(asked) // few)][:few]
    varied, (left, reached) = diversity(maker, judge, some, size), moved(maker, judge, some, size)
    return Figures(len(asked), size, *shares, varied, left, reached, timed, maker.seconds(timed))


def right(
    maker: Maker, judge: Judge, asked: Sequence[Asked], size: int
) -> tuple[float, float, float, float, float]:
    """Shares of families and colours that are right, the model's and the procedural one's, and the mean seam ratio."""
    told, ratios = [], []
    for number, ((_, family, group), made, true) in enumerate(in_pairs(maker, asked, size)):
        of_model, of_data = tell(judge, made, family, group), tell(judge, true, family, group)
        told.append((of_model.family, of_model.colour, of_data.family, of_data.colour))
        report = seams.measure(made)
        ratios += [report.x.ratio, report.y.ratio]
        if (number + 1) % 25 == 0:
            print(f"{number + 1} of {len(asked)} prompts", file=sys.stderr, flush=True)
    family, colour, family_of_data, colour_of_data = (float(share) for share in np.mean(told, axis=0))
    return family, colour, family_of_data, colour_of_data, float(np.mean(ratios))


def diversity(maker: Maker, judge: Judge, asked: Sequence[Asked], size: int) -> float:
    """How different the seeds of a prompt are, over how different they are for the procedural model."""
    model, data = 0.0, 0.0
    for prompt, _, _ in asked:
        model += spread(judge, [maker.make(prompt, size, seed) for seed in range(_SEEDS)])
        data += spread(judge, [procedural_picture(prompt, size, seed) for seed in range(_SEEDS)])
    return model / data


def moved(
    maker: Maker, judge: Judge, asked: Sequence[Asked], size: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """From a picture of another material towards the prompt: distance left behind, and certainty, by strength."""
    left, reached = np.zeros(len(STRENGTHS)), np.zeros(len(STRENGTHS))
    for number, (prompt, family, group) in enumerate(asked):
        source = procedural_picture(asked[(number + 1) % len(asked)][0], size, number)
        for place, strength in enumerate(STRENGTHS):
            made = maker.make(prompt, size, number, source, strength)
            told = tell(judge, made, family, group)
            left[place] += float(np.abs(made - source).mean())
            reached[place] += (told.family_share + told.colour_share) / 2
    return tuple((left / len(asked)).tolist()), tuple((reached / len(asked)).tolist())
