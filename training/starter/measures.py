# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a finished model: is it right, varied, seamless, steered by its strength, and fast?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from generator import seams
from generator.diffusion.hardware import cpu_has_bf16
from training.starter.asking import Asked, Maker, in_pairs, procedural_picture, spread, tell
from training.starter.judges import Judge

BoolArray = npt.NDArray[np.bool_]

STRENGTHS = (0.2, 0.4, 0.6, 0.8)
_SEEDS = 4

_FAST = 8

FAMILY, COLOUR, DIVERSITY, SEAM = 0.8, 0.85, 0.5, 0.05
"""What is wanted: shares that are right, the spread between seeds over the data's, and how far the seam ratio may be
from 1."""

SECONDS = {"fp32": 15.0, "bf16": 6.0}
"""What one picture may take on two processor cores, in all steps; bfloat16 where the processor computes it."""

FAST_SECONDS = 3.0
"""The same in few steps, in the faster of the two."""


@dataclass(frozen=True)
class Timing:
    """How long one picture took, in ``steps`` of the sampler, and how long it may take."""

    precision: str
    steps: int
    seconds: float
    wanted: float


@dataclass(frozen=True)
class Fast:
    """What is right in few steps: shares of ``count`` prompts, and of the same ones in all steps."""

    count: int
    steps: int
    family: float
    colour: float
    family_of_all: float
    colour_of_all: float


@dataclass(frozen=True)
class Figures:
    """What was measured of the model on ``count`` prompts at ``size`` pixels a side, and of the procedural model.

    Shares are in [0, 1]. ``diversity`` is the model's spread between seeds over the procedural model's; ``seam`` the
    mean ratio of the jump across the border to the jumps inside. ``left`` and ``reached`` are, for each of `STRENGTHS`,
    how far pictures are from their source and how sure the judges are of the prompt. ``times`` are of pictures of
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
    fast: Fast
    timed: int
    times: tuple[Timing, ...]

    @property
    def short(self) -> list[str]:
        """The names of the figures that are not what they have to be, for the model to be more than an experiment."""
        met = {
            "family": self.family >= FAMILY,
            "colour": self.colour >= COLOUR,
            "diversity": self.diversity >= DIVERSITY,
            "seam": abs(self.seam - 1) <= SEAM,
            "from a picture": self.moves,
            "seconds": all(timing.seconds <= timing.wanted for timing in self.times),
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
    told, seam = right(maker, judge, asked, size)
    some = asked[:: max(1, len(asked) // few)][:few]
    varied, (left, reached) = diversity(maker, judge, some, size), moved(maker, judge, some, size)
    quick = fast(maker, judge, asked[: 8 * few], told[: 8 * few], size)
    family, colour, family_of_data, colour_of_data = (float(share) for share in told.mean(0))
    return Figures(
        len(asked), size, family, colour, family_of_data, colour_of_data, seam, varied, left, reached,
        quick, timed, times(maker, timed),
    )  # fmt: skip


def right(maker: Maker, judge: Judge, asked: Sequence[Asked], size: int) -> tuple[BoolArray, float]:
    """What is right ``(N, 4)``: the model's family and colour, the procedural one's; and the mean seam ratio."""
    told, ratios = [], []
    for number, ((_, family, group), made, true) in enumerate(in_pairs(maker, asked, size)):
        of_model, of_data = tell(judge, made, family, group), tell(judge, true, family, group)
        told.append((of_model.family, of_model.colour, of_data.family, of_data.colour))
        report = seams.measure(made)
        ratios += [report.x.ratio, report.y.ratio]
        if (number + 1) % 25 == 0:
            print(f"{number + 1} of {len(asked)} prompts", file=sys.stderr, flush=True)
    return np.array(told), float(np.mean(ratios))


def fast(maker: Maker, judge: Judge, asked: Sequence[Asked], told: BoolArray, size: int) -> Fast:
    """What is right in few steps, of prompts of which `right` has ``told`` what is right in all."""
    made = [maker.make(prompt, size, number, steps=_FAST) for number, (prompt, _, _) in enumerate(asked)]
    of_fast = [tell(judge, one, *wanted[1:]) for one, wanted in zip(made, asked, strict=True)]
    shares = np.mean([(one.family, one.colour) for one in of_fast], axis=0)
    return Fast(len(asked), _FAST, *map(float, shares), *map(float, told[:, :2].mean(0)))


def times(maker: Maker, size: int) -> tuple[Timing, ...]:
    """How long one picture takes in each number format that the processor computes, and in few steps in the last."""
    found = []
    for precision in ("fp32", *(("bf16",) if cpu_has_bf16() else ())):
        one = maker.on_the_processor(precision)
        found.append(Timing(precision, one.steps, one.seconds(size), SECONDS[precision]))
        if precision == "bf16" or not cpu_has_bf16():
            found.append(Timing(precision, _FAST, one.seconds(size, _FAST), FAST_SECONDS))
        one.close()
    return tuple(found)


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
