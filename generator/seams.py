# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures whether a finished picture tiles: does its border look like any other line through it?

Axis x means the border between the right and the left edge, which shows when the picture is repeated in X; axis y
that between bottom and top. Everything is judged against the same measure taken at every inner line of the same
picture, because a seamless rough texture jumps more at its border than a broken smooth one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from generator.lattice import breaks_pattern
from generator.material import FloatArray

_SMALLEST = 32  # Fewer lines than this are no distribution to compare a border with.
_INVISIBLE = 1.0 / 1024.0  # Differences of this size are rounding, on the scale where white is 1.
_REACH = 4  # Columns on each side of a line that its measures look at.
_BANDS = 8  # Parts of a border that are also judged by themselves: a seam need not run from end to end.
_SHORTEST_BAND = 16
_WINDOW = 32  # Lines that are looked at together, where not every line is.
_UNIFORM, _LOUDEST = 12, 6  # Windows spread evenly, and windows around the lines that jump most.

_LIMITS = {"jump": 3.2, "isolated": 3.6, "other": 4.5, "part": 5.5}
"""Standard deviations by which a border must stand out in one measure, and exceed every inner line as well."""
_VOTES, _VOTING_LIMIT, _VOTING_MARGIN = 3, 1.2, 0.06
"""Or: in so many of the sharpest measures it exceeds every inner line by this margin (as a logarithm), and stands
out by so much on average. Walls and floors need this rule: their joints widen the spread of the inner lines."""
_MARGIN = 0.04
Float64Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class AxisReport:
    """One axis: how its border compares with the lines inside.

    ``ratio``
        Mean absolute jump across the border over the mean jump inside: about 1 when the picture tiles.
    ``z_score``
        That jump against the distribution over the inner lines, in standard deviations.
    ``second_difference``
        As ``ratio`` but for second differences, which show kinks where no jump is.
    ``tiles``
        The verdict. It rests on more than these three figures: several scales, parts of the border, and whether a
        regular pattern keeps its rhythm across. None when it cannot be said: too small a picture, or one that is
        constant along the axis.
    """

    ratio: float
    z_score: float
    second_difference: float
    tiles: bool | None


@dataclass(frozen=True)
class SeamReport:
    """Both axes of a picture."""

    x: AxisReport
    y: AxisReport

    def to_json(self) -> dict[str, dict[str, float | bool | None]]:
        """Plain numbers, rounded to what they are worth."""
        return {
            axis: {
                key: round(value, 4) if isinstance(value, float) else value for key, value in report.items()
            }
            for axis, report in asdict(self).items()
        }


def measure(image: FloatArray) -> SeamReport:
    """Reports on the borders of a picture, ``(H, W)`` or ``(H, W, C)``, float in [0, 1].

    The verdict's limits were chosen on textures whose answer is known: ``benchmarks/seam_verdict.py``.
    Raises ``ValueError`` for any other shape.
    """
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"A picture of shape (H, W) or (H, W, C) is needed, not {image.shape}.")
    planes = np.moveaxis(np.atleast_3d(np.asarray(image, np.float32)), 2, 0)
    return SeamReport(x=_axis(planes), y=_axis(planes.swapaxes(1, 2)))


def _axis(planes: FloatArray) -> AxisReport:
    """The border between the last and the first column of ``(C, H, W)``."""
    rows, columns = planes.shape[1:]
    if columns < _SMALLEST or rows < 2:
        return AxisReport(1.0, 0.0, 1.0, None)
    limits = np.linspace(0, rows, max(1, min(_BANDS, rows // _SHORTEST_BAND)) + 1).astype(int)
    bands = [slice(top, bottom) for top, bottom in pairwise(limits)]
    weights = np.diff(limits)
    simple = np.average(
        [_simple(np.ascontiguousarray(planes[:, band])) for band in bands], axis=0, weights=weights
    )
    jumps, bends = simple
    inside = float(jumps[1:].mean())
    if inside < 1e-6:
        return AxisReport(1.0, 0.0, 1.0, None)
    needed, lines = _lines_to_see(jumps)
    parts = np.array([_measures(planes[:, band][..., needed])[:, lines] for band in bands])
    return AxisReport(
        ratio=float(jumps[0]) / inside,
        z_score=(float(jumps[0]) - inside) / max(float(jumps[1:].std()), 1e-6),
        second_difference=float(bends[0]) / max(float(bends[1:].mean()), 1e-6),
        tiles=not (
            _stands_out(parts, np.average(parts, axis=0, weights=weights))
            or breaks_pattern(planes.mean(axis=0))
        ),
    )


def _simple(planes: FloatArray) -> Float64Array:
    """Mean jump and mean bend at every line, ``(2, W)``; line j parts column j - 1 from column j."""
    before, after = np.roll(planes, 1, axis=2), np.roll(planes, -1, axis=2)
    jump = np.abs(planes - before).mean(axis=(0, 1))
    bend = np.abs(after - 2 * planes + before).mean(axis=(0, 1))
    return np.array((jump, 0.5 * (bend + np.roll(bend, 1))), np.float64)


def _lines_to_see(jumps: Float64Array) -> tuple[Indices, Indices]:
    """Columns to look at, border first, and where among them the lines are whose neighbours are all there.

    Lines whose measures would reach over the border are left out, the border excepted. Of wide pictures only some
    windows are seen: evenly spread ones, and those with the strongest jumps, lest the joint of a board be missed.
    """
    columns = jumps.size
    around_border = np.arange(-_REACH, _REACH)
    first, last = _REACH + 1, columns - _REACH
    if last - first <= _WINDOW * (_UNIFORM + _LOUDEST):
        starts, length = np.array([first]), last - first
    else:
        length = _WINDOW
        whole = (last - first) // length
        peaks = jumps[first : first + whole * length].reshape(whole, length).max(axis=1)
        even = np.linspace(0, whole - 1, _UNIFORM).round().astype(int)
        starts = first + length * np.union1d(even, np.argsort(peaks)[-_LOUDEST:])
    windows = [np.arange(start - _REACH, start + length + _REACH - 1) for start in starts]
    needed = np.concatenate([around_border, *windows])
    ends = np.cumsum([around_border.size] + [window.size for window in windows])
    inside = [np.arange(end + _REACH, end + _REACH + length) for end in ends[:-1]]
    return needed, np.concatenate([[_REACH], *inside])


_JUMP, _BEND, _ISOLATED = 0, 1, 2
_SHARP = (_JUMP, _BEND, _ISOLATED, 9, 10)  # The last two are the steps between straight continuations.


def _measures(planes: FloatArray) -> Float64Array:
    """``(M, W)`` for ``(C, h, W)``: M measures of each line, good where ``_REACH`` columns lie on either side of it.

    Jump, bend and isolation come first; then jumps between boxes of some columns and rows, which see a seam under
    noise; steps between the straight continuations of both sides; and a change of slope.
    """
    columns = planes.shape[2]
    around = np.concatenate((planes[..., -_REACH:], planes, planes[..., :_REACH]), axis=2)

    def at(offset: int) -> FloatArray:
        return around[..., _REACH + offset : _REACH + offset + columns]

    jump = at(0) - at(-1)
    bend = np.abs(at(1) - 2 * at(0) + at(-1))
    bend = 0.5 * (bend + np.roll(bend, 1, axis=2))
    pairs = 0.5 * (at(0) + at(1) - at(-1) - at(-2))
    fours = 0.5 * pairs + 0.25 * (at(2) + at(3) - at(-3) - at(-4))
    step = 1.5 * jump - 0.5 * (at(1) - at(-2))
    slope = at(3) - at(0) - at(-1) + at(-4)
    boxes = (
        (jump, 4),
        (jump, 16),
        (pairs, 2),
        (pairs, 8),
        (fours, 4),
        (fours, 16),
        (step, 1),
        (step, 8),
        (slope, 4),
    )
    size = np.abs(jump).mean(axis=0)
    measures = [size.mean(axis=0), bend.mean(axis=(0, 1)), _isolation(size)]
    measures += [_box_mean(field, rows) for field, rows in boxes]
    return np.array(measures, np.float64)


def _isolation(size: FloatArray) -> FloatArray:
    """A drawn edge is some pixels soft, so that its neighbours jump as well; a cut is one pixel wide."""
    near = sum(np.roll(size, offset, axis=1) for offset in (-3, -2, -1, 1, 2, 3)) / np.float32(6)
    return (size / (near + np.float32(0.25) * size + np.float32(2 * _INVISIBLE))).mean(axis=0)


def _box_mean(field: FloatArray, rows: int) -> FloatArray:
    """Mean over the absolute values of averages over ``rows`` rows, ``(W,)``."""
    channels, height, columns = field.shape
    rows = min(rows, height)
    whole = height // rows * rows
    boxes = field[:, :whole].reshape(channels, whole // rows, rows, columns).mean(axis=2)
    return np.abs(boxes).mean(axis=(0, 1))


def _stands_out(parts: Float64Array, whole: Float64Array) -> bool:
    """Whether line 0, the border, exceeds all that the others show; ``(B, M, L)`` and ``(M, L)``."""
    limits = np.full(whole.shape[0], _LIMITS["other"])
    limits[_JUMP], limits[_ISOLATED] = _LIMITS["jump"], _LIMITS["isolated"]
    scores, excess = _scores(whole)
    if np.any((scores[:, 0] > limits) & (excess > _MARGIN)):
        return True
    sharp = np.array(_SHARP)
    strongest = np.sort(scores[sharp, 0])[-_VOTES:]
    if np.sum(excess[sharp] > _VOTING_MARGIN) >= _VOTES and strongest.mean() > _VOTING_LIMIT:
        return True
    # The worst part of every line is compared with the worst part of the others, so that looking at many parts
    # makes no false alarm.
    worst = np.max([_scores(part)[0] for part in parts], axis=0)
    scores, excess = _standardised(worst, least=0.3)
    return bool(np.any((scores[:, 0] > _LIMITS["part"]) & (excess > _MARGIN)))


def _scores(measures: Float64Array) -> tuple[Float64Array, Float64Array]:
    return _standardised(np.log(measures + _INVISIBLE), least=0.01)


def _standardised(values: Float64Array, least: float) -> tuple[Float64Array, Float64Array]:
    """Values ``(M, L)`` by the upper spread of the inner lines, and the border's excess over the highest of them.

    Upper quantiles instead of a standard deviation: some lines of a wall run along joints and are legitimately
    far above the rest.
    """
    inner = values[:, 1:]
    middle = np.median(inner, axis=1, keepdims=True)
    high, extreme, top = (np.quantile(inner, q, axis=1)[:, None] for q in (0.84, 0.99, 1.0))
    spread = np.maximum(np.maximum(high - middle, (extreme - middle) / 2.33), least)
    return (values - middle) / spread, values[:, 0] - top[:, 0]
