# SPDX-License-Identifier: GPL-3.0-or-later
"""How does the border compare with the lines inside, and with cuts made on purpose between places inside?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from generator.material import FloatArray
from generator.seams.measures import (
    INVISIBLE,
    ISOLATED,
    JUMP,
    REACH,
    SHARP,
    Float64Array,
    Indices,
    measures,
)

_BANDS = 8  # Parts of a border that are also judged by themselves: a seam need not run from end to end.
_SHORTEST_BAND, _LONGEST_BAND = 16, 64  # Rows; of longer parts a piece is looked at, which says as much.
_WINDOW = 32  # Lines that are looked at together, where not every line is.
_UNIFORM, _LOUDEST = 10, 5  # Windows spread evenly, and windows around the lines that jump most.
_PLACES = 96  # Places at which cuts are made, each time between the place and two to four others: more where
_CUTS, _DRAWS = 480, (2, 4)  # there are fewer lines.
_SHRINKAGE = 0.02
_VOTES = 3
_BLOCK = 8  # Pixels that a latent diffusion model's decoder makes of one latent: its pictures may beat in this step.
_LEAST_BEAT, _SURE = (
    0.04,
    6.0,
)  # How much lines between blocks must differ, as a logarithm and in standard errors.
_LEAST_BLOCKS = 32


@dataclass(frozen=True)
class Figures:
    """Jump and bend at the border over those inside, and the jump in standard deviations of those inside."""

    ratio: float
    z_score: float
    second_difference: float


@dataclass(frozen=True)
class Prominence:
    """How far the border stands out among the lines inside, by several measures: each a pair.

    The first is in standard deviations of the inner lines' upper half, the second the excess, as a logarithm, over
    the highest of all inner lines. ``sharp`` is the mean of the three strongest among the sharpest measures, and
    the excess that three of them reach; ``part`` is the worst part of the border.
    """

    jump: tuple[float, float]
    isolated: tuple[float, float]
    other: tuple[float, float]
    part: tuple[float, float]
    sharp: tuple[float, float]


@dataclass(frozen=True)
class CutLikeness:
    """Where the border lies between the lines inside and cuts made on purpose, along the direction that parts them.

    ``log_ratio``
        Positive where it is more like a cut, as a logarithm of likelihoods (Fisher's discriminant).
    ``from_lines``, ``from_cuts``
        In standard deviations of the one and of the other; positive is more like a cut than their middle.
    ``excess``
        Beyond the second most cut-like of the lines inside, in their standard deviations.
    ``power``
        The distance between both in standard deviations: where it is small, no cut could be told from a line.
    ``share``
        Of the way from the lines' middle to that of the cuts, from -1 over 0, half-way, to 1.
    """

    log_ratio: float
    from_lines: float
    from_cuts: float
    excess: float
    power: float
    share: float


def figures(planes: FloatArray) -> tuple[Figures, Float64Array]:
    """Of the border in X of ``(C, H, W)``, and the mean jump at every line ``(W,)``; line 0 is the border."""
    # Some rows at a time, so that they stay in the cache.
    tops = range(0, planes.shape[1], _LONGEST_BAND)
    bands = [np.ascontiguousarray(planes[:, top : top + _LONGEST_BAND]) for top in tops]
    jumps, bends = np.average(
        [_simple(band) for band in bands], axis=0, weights=[band.shape[1] for band in bands]
    )
    inside = max(float(jumps[1:].mean()), 1e-12)
    return Figures(
        ratio=float(jumps[0]) / inside,
        z_score=(float(jumps[0]) - inside) / max(float(jumps[1:].std()), 1e-6),
        second_difference=float(bends[0]) / max(float(bends[1:].mean()), 1e-6),
    ), jumps


def beat(jumps: Float64Array) -> int:
    """8 where the lines between blocks of 8 columns jump more or less than the others, as decoded latents do; else 1.

    The border is such a line, so that it must be compared with such lines alone.
    """
    if jumps.size % _BLOCK or jumps.size < _BLOCK * _LEAST_BLOCKS:
        return 1
    logs = np.log(np.maximum(jumps, INVISIBLE)).reshape(-1, _BLOCK)
    # Every block against its own inner lines, so that a change from one part of the picture to the next is no noise.
    between = logs[1:, 0] - logs[1:, 1:].mean(axis=1)
    sure = abs(between.mean()) > _SURE * between.std() / np.sqrt(between.size)
    return _BLOCK if sure and abs(between.mean()) > _LEAST_BEAT else 1


def compare(planes: FloatArray, jumps: Float64Array) -> tuple[Prominence, CutLikeness]:
    """The border in X of ``(C, H, W)``, at least 32 columns wide, whose mean ``jumps`` at every line are known."""
    rows, width = planes.shape[1:]
    lines = _lines_to_see(jumps)
    rng = np.random.default_rng(0)
    count = lines.size
    places = np.unique(np.linspace(0, count - 1, _PLACES).astype(int))
    least = max(4, count // 8)
    draws = min(max(_CUTS // count, _DRAWS[0]), _DRAWS[1])
    strangers = [
        lines[(places + rng.integers(least, count - least, places.size)) % count] for _ in range(draws)
    ]
    left = np.concatenate(([width], lines, *[lines[places]] * draws))
    right = np.concatenate(([0], lines, *strangers))
    limits = np.linspace(0, rows, max(1, min(_BANDS, rows // _SHORTEST_BAND)) + 1).astype(int)
    parts = []
    for top, bottom in pairwise(limits):
        band = planes[:, top : min(bottom, top + _LONGEST_BAND)]
        parts.append(np.log(measures(np.ascontiguousarray(band.transpose(2, 0, 1)), left, right) + INVISIBLE))
    logs = np.array(parts)
    whole = np.log(np.average(np.exp(logs), axis=0, weights=np.diff(limits)))
    seen = count + 1
    return _prominence(logs[..., :seen], whole[:, :seen]), _cut_likeness(whole[:, :seen], whole[:, seen:])


def _simple(planes: FloatArray) -> Float64Array:
    """Mean jump and mean bend at every line, ``(2, W)``; line j parts column j - 1 from column j."""
    jump = planes - np.roll(planes, 1, axis=2)
    bend = np.abs(np.roll(jump, -1, axis=2) - jump).mean(axis=(0, 1))
    return np.array((np.abs(jump).mean(axis=(0, 1)), 0.5 * (bend + np.roll(bend, 1))), np.float64)


def _lines_to_see(jumps: Float64Array) -> Indices:
    """Lines inside whose measures do not reach over the border.

    Of wide pictures only some windows are seen: evenly spread ones, and those with the strongest jumps, lest the
    joint of a board be missed. Where a picture is made of blocks, the lines between them are all that is seen.
    """
    first, last = REACH + 1, jumps.size - REACH
    step = beat(jumps)
    if step > 1:
        return np.arange(step, last, step)
    if last - first <= _WINDOW * (_UNIFORM + _LOUDEST):
        return np.arange(first, last)
    whole = (last - first) // _WINDOW
    peaks = jumps[first : first + whole * _WINDOW].reshape(whole, _WINDOW).max(axis=1)
    even = np.linspace(0, whole - 1, _UNIFORM).round().astype(int)
    starts = first + _WINDOW * np.union1d(even, np.argsort(peaks)[-_LOUDEST:])
    return (starts[:, None] + np.arange(_WINDOW)).ravel()


def _prominence(parts: Float64Array, whole: Float64Array) -> Prominence:
    """Of line 0, the border, in logarithms of measures, ``(B, M, L)`` and ``(M, L)``."""
    spread, excess = _standardised(whole, least=0.01)
    scores = spread[:, 0]
    others = np.setdiff1d(np.arange(scores.size), (JUMP, ISOLATED))
    sharp = np.array(SHARP)
    # The worst part of every line is compared with the worst part of the others, so that looking at many parts
    # makes no false alarm.
    worst = np.max([_standardised(part, least=0.01)[0] for part in parts], axis=0)
    worst_scores, worst_excess = _standardised(worst, least=0.3)
    part = int(np.argmax(worst_scores[:, 0]))

    def pair(measure: int) -> tuple[float, float]:
        return float(scores[measure]), float(excess[measure])

    return Prominence(
        jump=pair(JUMP),
        isolated=pair(ISOLATED),
        other=pair(int(others[np.argmax(scores[others])])),
        part=(float(worst_scores[part, 0]), float(worst_excess[part])),
        sharp=(float(np.sort(scores[sharp])[-_VOTES:].mean()), float(np.sort(excess[sharp])[-_VOTES])),
    )


def _standardised(values: Float64Array, least: float) -> tuple[Float64Array, Float64Array]:
    """Values ``(M, L)`` by the upper spread of the inner lines, and the border's excess over the highest of them.

    Upper quantiles instead of a standard deviation: some lines of a wall run along joints and are legitimately
    far above the rest.
    """
    inner = values[:, 1:]
    middle, high, extreme = np.quantile(inner, (0.5, 0.84, 0.99), axis=1)[..., None]
    spread = np.maximum(np.maximum(high - middle, (extreme - middle) / 2.33), least)
    return (values - middle) / spread, values[:, 0] - inner.max(axis=1)


def _cut_likeness(lines: Float64Array, cuts: Float64Array) -> CutLikeness:
    """Of line 0, the border, of ``(M, 1 + L)``; ``cuts`` ``(M, N)``."""
    border, inner = lines[:, 0], lines[:, 1:]
    within = 0.5 * (np.cov(inner) + np.cov(cuts))
    within[np.diag_indices_from(within)] += _SHRINKAGE * np.trace(within) / within.shape[0] + 1e-5
    apart = cuts.mean(axis=1) - inner.mean(axis=1)
    direction = np.linalg.solve(within, apart)
    along, along_cuts = direction @ inner, direction @ cuts
    here, middle, middle_cuts = float(direction @ border), float(along.mean()), float(along_cuts.mean())
    spread, spread_cuts = max(float(along.std()), 1e-6), max(float(along_cuts.std()), 1e-6)
    half_way, distance = 0.5 * (middle + middle_cuts), middle_cuts - middle
    return CutLikeness(
        log_ratio=here - half_way,
        from_lines=(here - middle) / spread,
        from_cuts=(here - middle_cuts) / spread_cuts,
        excess=(here - float(np.sort(along)[-2])) / spread,
        power=distance / (spread + spread_cuts),
        share=float(np.clip((here - half_way) / max(distance, 0.1), -1, 1)),
    )
