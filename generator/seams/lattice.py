# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular patterns: does the rhythm of bricks or tiles go on across the border?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray
from generator.resample import blur, resize

_SIDE = 256  # The longer side of the copy on which a rhythm is sought.
_LIGHT = 16  # What is wider than a sixteenth of it is no part of a pattern.


@dataclass(frozen=True)
class Rhythm:
    """Correlations from one repeat to the next: across the border, and the mean, least and spread of those inside."""

    across: float
    mean: float
    least: float
    spread: float


def rhythm(luminance: FloatArray) -> Rhythm | None:
    """How well the repeats of a regular picture, ``(H, W)``, match across the border in X; None if it has none.

    The step from one repeat to the next is the highest true peak of the autocorrelation, up or down by any amount,
    which finds running bonds and hexagons as well. Pairs of points one step apart that lie on both sides of the
    border are then correlated, and compared with pairs inside. This sees what no look at the border's two columns
    can: a wall cut in the middle of its bricks, where hard joints inside drown the faint jump.
    """
    rows, columns = luminance.shape
    factor = min(1.0, _SIDE / max(rows, columns))
    small = resize(
        luminance, max(16, round(columns * factor)), max(16, round(rows * factor)), False, False, "linear"
    )
    small = small - blur(small, max(small.shape) / _LIGHT, wrap_x=False, wrap_y=False)
    spread = float(small.std())
    if spread < 1e-3:
        return None
    pattern = np.clip(small / np.float32(spread), -3, 3)
    step = _step(pattern)
    if step is None:
        return None
    across, inside = _correlations(pattern, *step)
    return Rhythm(across, float(inside.mean()), float(inside.min()), float(inside.std()))


def _step(pattern: FloatArray) -> tuple[int, int] | None:
    """From one repeat to the next one to the right: columns, and rows of either sign."""
    rows, columns = pattern.shape
    # Twice the size in zeros: what wraps around then meets nothing, so that no border is presupposed.
    spectrum = np.fft.rfft2(pattern, (2 * rows, 2 * columns))
    correlation = np.fft.irfft2(np.abs(spectrum) ** 2, (2 * rows, 2 * columns))
    down = np.arange(-(rows // 3), rows // 3 + 1)
    right = np.arange(max(4, columns // 20), columns // 2)
    pairs = (rows - np.abs(down))[:, None] * (columns - right)[None, :]
    correlation = correlation[down % (2 * rows)][:, right] / pairs
    row, column = np.unravel_index(int(correlation.argmax()), correlation.shape)
    # At the shortest step it is no peak but the slope of the central one: a picture that is merely smooth.
    return None if column == 0 else (int(right[column]), int(down[row]))


def _correlations(pattern: FloatArray, right: int, down: int) -> tuple[float, FloatArray]:
    """The correlation of pairs that straddle the border, and that of as many pairs at each of several places inside."""
    rows, columns = pattern.shape
    upper, lower = max(0, -down), max(0, down)
    here = pattern[upper : rows - lower]
    there = np.roll(pattern, -right, axis=1)[lower : rows - upper]
    product, here2, there2 = ((a * b).sum(axis=0) for a, b in ((here, there), (here, here), (there, there)))

    def over(start: int) -> float:
        window = slice(start, start + right)
        return float(product[window].sum() / np.sqrt(here2[window].sum() * there2[window].sum() + 1e-9))

    starts = range(0, max(columns - 2 * right, 0) + 1, max(1, right // 4))
    return over(columns - right), np.array([over(start) for start in starts], np.float32)
