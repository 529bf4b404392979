# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops a picture to whole repeats of its pattern, and joins both ends where that shows least.

Image quilting (Efros and Freeman 2001) of a picture with itself: what lies beyond the period is laid over the other
end, up to the line of least difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray
from generator.resample import blur, resize
from generator.tiling import light
from generator.tiling.cuts import Costs, cheapest_path
from generator.tiling.patches import Wraps

SHORTEST = 0.66
"""A period shorter than this share of the picture would throw too much of it away."""
MOST_STRETCH = 1.25
"""So much more may one axis be enlarged than the other."""
_LEAST_OVERLAP = 0.05
_SEARCH = 192  # Columns of the copy on which periods are compared.
_PRICE = 0.7  # What losing all of the picture would cost, where 1 is a cut through unrelated pixels.
_STRETCH_PRICE = 1.2  # The same for stretching one axis against the other by a factor of e.
_BEAT_PRICE = 2.0  # The same for breaking a pattern that is perfectly regular.
_FINE = 384  # Columns of the copy on which a rhythm is sought.
_LIGHT = 16  # What is wider than a sixteenth of it is no part of a pattern.
_REGULAR = 0.25  # Correlation from one repeat to the next, below which there is no rhythm to keep.
_FEATHER = 1.5  # Pixels: as soft as a drawn edge, no softer, or fine grain would fade along the cut.


@dataclass(frozen=True)
class Periods:
    """A part of a picture, in pixels, that repeats; ``off_beat`` is how far it breaks a regular pattern, 0 to 1."""

    columns: int
    rows: int
    off_beat: float


@dataclass(frozen=True)
class Rhythm:
    """A regular pattern along one axis: its step as a share of the side, and the correlation from step to step.

    ``curve`` is the autocorrelation at multiples of ``spacing``, itself a share of the side.
    """

    step: float
    strength: float
    curve: FloatArray
    spacing: float

    def off_beat(self, period: FloatArray) -> FloatArray:
        """What a repeat of ``period``, a share of the side, does to the pattern: 0 nothing, 1 all is lost."""
        beats = np.maximum(np.rint(period / self.step), 1)
        away = np.abs(period - beats * self.step)
        kept = np.interp(away / self.spacing, np.arange(self.curve.size), self.curve)
        return self.strength * np.clip(1 - kept, 0, 1)


def rhythm(image: FloatArray) -> Rhythm | None:
    """The regular pattern of ``(H, W, C)`` along X; None where there is none."""
    rows, columns = image.shape[:2]
    factor = min(1.0, _FINE / columns)
    width, height = max(16, round(columns * factor)), max(2, min(rows, round(rows * factor)))
    small = resize(light.grey(image), width, height, False, False)
    small = small - blur(small, max(width, height) / _LIGHT, wrap_x=False, wrap_y=False)
    spread = float(small.std())
    if spread < 1e-3:
        return None
    small = np.clip(small / np.float32(spread), -3, 3)
    # Twice the width in zeros: what wraps around then meets nothing, so that no border is presupposed.
    spectrum = np.fft.rfft(small, 2 * width, axis=1)
    products = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=0), 2 * width)[:width]
    correlation = products / (np.arange(width, 0, -1) * height)
    correlation = correlation / max(float(correlation[0]), 1e-9)
    lags = np.arange(max(4, width // 24), width // 2)
    middle = correlation[lags]
    peaks = (middle >= correlation[lags - 1]) & (middle > correlation[lags + 1])
    if not peaks.any() or middle[peaks].max() < _REGULAR:
        return None
    # The shortest of the best steps leaves most choice.
    lag = int(lags[peaks & (middle > 0.85 * middle[peaks].max())][0])
    step = _true_step(correlation, lag)
    return Rhythm(step / width, float(correlation[lag]), correlation[: max(2, lag // 2 + 2)], 1 / width)


def _true_step(correlation: FloatArray, lag: int) -> float:
    """The step to a fraction of a pixel, from the last of its multiples that still stands out."""
    step = float(lag)
    for beats in range(1, int(0.7 * correlation.size / lag) + 1):
        place = round(beats * step)
        reach = max(1, lag // 8)
        window = np.arange(max(1, place - reach), min(correlation.size - 2, place + reach) + 1)
        if window.size < 3:
            break
        peak = int(window[correlation[window].argmax()])
        if correlation[peak] < 0.5 * correlation[lag]:
            break
        before, here, after = (float(value) for value in correlation[peak - 1 : peak + 2])
        bend = before - 2 * here + after
        step = (peak + (0.5 * (before - after) / bend if bend < 0 else 0.0)) / beats
    return step


def best_periods(
    image: FloatArray, asked: Wraps, kept: Wraps, rhythms: tuple[Rhythm | None, Rhythm | None], overlap: bool
) -> Periods:
    """The part of ``(H, W, C)`` that can be joined best along the axes asked for, weighed against what is lost.

    Stretched back to the whole size, one axis may be enlarged more than the other by a quarter at most. An axis that
    is not asked for is cropped along, to keep the proportions, unless it is ``kept``. With ``overlap`` something must
    be left over to find a cut in; ``rhythms`` are those in X and in Y.
    """
    turned = np.ascontiguousarray(image.swapaxes(0, 1))
    rows, columns = image.shape[:2]
    along_x = _prices(image, rhythms[0], overlap) if asked.x else _free(columns, kept.x)
    along_y = _prices(turned, rhythms[1], overlap) if asked.y else _free(rows, kept.y)
    stretch = np.abs(np.log(along_x[0] / columns)[:, None] - np.log(along_y[0] / rows)[None, :])
    lost = 1 - (along_x[0] / columns)[:, None] * (along_y[0] / rows)[None, :]
    total = along_x[1][:, None] + along_y[1][None, :] + _PRICE * lost + _STRETCH_PRICE * stretch
    total[stretch > np.log(MOST_STRETCH)] = np.inf
    i, j = np.unravel_index(int(total.argmin()), total.shape)
    width, height = round(float(along_x[0][i])), round(float(along_y[0][j]))
    if asked.x and overlap:
        width = _refined(image, width)
    if asked.y and overlap:
        height = _refined(turned, height)
    return Periods(width, height, off_beat((width / columns, height / rows), asked, rhythms))


def off_beat(
    shares: tuple[float, float], asked: Wraps, rhythms: tuple[Rhythm | None, Rhythm | None]
) -> float:
    """How far repeating so much of the width and of the height breaks the pattern, on the worse axis."""
    worst = 0.0
    for share, wanted, found in zip(shares, (asked.x, asked.y), rhythms, strict=True):
        if wanted and found is not None:
            worst = max(worst, float(found.off_beat(np.array([share]))[0]))
    return worst


def join_columns(image: FloatArray, period: int, wrap_y: bool, check: Callable[[], None]) -> FloatArray:
    """``(H, W, C)`` cropped to ``(H, period, C)`` that tiles in X; where it wraps in Y, so does the cut."""
    overlap = image.shape[1] - period
    leaving, arriving = image[:, period:], image[:, :overlap]
    check()
    path = cheapest_path(_difference(leaving, arriving)[None], wrap_y)[1][0]
    check()
    # Left of the cut what follows the right end, right of it the picture's own beginning.
    share = np.clip((np.arange(overlap)[None, :] - path[:, None]) / (2 * _FEATHER) + 0.5, 0, 1)
    share[:, 0], share[:, -1] = 0.0, 1.0
    joined = image[:, :period].copy()
    joined[:, :overlap] = leaving + (arriving - leaving) * share[..., None].astype(np.float32)
    return joined


def _free(size: int, kept: bool) -> tuple[FloatArray, FloatArray]:
    """Any part of an axis that need not tile costs nothing but what is lost."""
    sizes = np.array([size]) if kept else np.arange(int(np.ceil(SHORTEST * size)), size + 1)
    return sizes.astype(np.float64), np.zeros(len(sizes))


def _prices(image: FloatArray, found: Rhythm | None, overlap: bool) -> tuple[FloatArray, FloatArray]:
    """Periods in X, in pixels, and how badly the ends would meet for each."""
    columns = image.shape[1]
    periods, unlike = _curve(image)
    if not overlap:
        whole = np.linspace(periods[-1], columns, 12)[1:]
        periods, unlike = np.append(periods, whole), np.append(unlike, np.full(11, np.median(unlike)))
    if found is not None:
        unlike = 0.3 * unlike + _BEAT_PRICE * found.off_beat(periods / columns)
    return periods, unlike


def _curve(image: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Periods in X, in pixels, and how unlike the ends are for each: 0 when equal, about 1 when unrelated."""
    rows, columns = image.shape[:2]
    factor = min(1.0, _SEARCH / columns)
    width = max(8, round(columns * factor))
    small = resize(image, width, min(rows, max(8, round(rows * factor))), False, False)
    longest = max(int((1 - _LEAST_OVERLAP) * width), int(SHORTEST * width) + 1)
    periods = range(int(SHORTEST * width), min(longest, width - 1) + 1)
    widest = width - periods[0]
    stack = np.full((len(periods), small.shape[0], widest), np.float32(1e3))
    unrelated = float(_difference(small, np.roll(small, width // 3, axis=1)).mean()) + 1e-6
    whole = np.empty(len(periods))
    for index, period in enumerate(periods):
        overlap = width - period
        stack[index, :, widest - overlap :] = _difference(small[:, period:], small[:, :overlap])
        whole[index] = stack[index, :, widest - overlap :].mean()
    # A cut through plain colour is cheap wherever the joints lie: only a whole overlap that fits shows a period.
    unlike = 0.5 * (cheapest_path(stack, closed=False)[0] / small.shape[0] + whole) / unrelated
    return np.array(periods) * (columns / width), unlike


def _refined(image: FloatArray, period: int) -> int:
    """The pixel at which the ends fit best, near a period found on a copy."""
    rows, columns = image.shape[:2]
    reach = int(np.ceil(columns / _SEARCH))
    lowest, highest = int(SHORTEST * columns), int((1 - 0.5 * _LEAST_OVERLAP) * columns)
    nearby = range(max(lowest, period - reach), max(lowest, min(highest, columns - 1, period + reach)) + 1)
    sample = image[:: max(1, rows // 128)]  # Some hundred rows say as well as all which pixel fits best.
    errors = [float(_difference(sample[:, p:], sample[:, : columns - p]).mean()) for p in nearby]
    return nearby[int(np.argmin(errors))]


def _difference(a: FloatArray, b: FloatArray) -> Costs:
    difference = np.abs(a - b)
    total = sum((difference[..., c] for c in range(1, a.shape[2])), difference[..., 0])
    return total * np.float32(1 / a.shape[2])
