# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures whether a finished picture tiles: does its border look like any other line through it?

Axis x means the border between the right and the left edge, which shows when the picture is repeated in X; axis y
that between bottom and top. Everything is judged against the same picture: against the lines inside it, because a
seamless rough texture jumps more at its border than a broken smooth one, and against cuts made on purpose between
its places, because that is what a seam would look like in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from generator.material import FloatArray
from generator.seams import lines, pairs
from generator.seams.evidence import gather
from generator.seams.verdict import shows_seam

__all__ = ["AxisReport", "SeamReport", "evidence_of", "measure"]

_SMALLEST = 32  # Fewer lines than this are no distribution to compare a border with.
_NOTHING = 1e-6  # Mean jump inside, where white is 1, below which nothing varies.


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
        The verdict. It rests on more than these three figures: several scales, parts of the border, whether a
        regular pattern keeps its rhythm across, and whether pieces of the picture meet there as they do inside.
        None when it cannot be said: too small a picture, one that is constant along the axis, or evidence that is
        nearly even, which happens below 500 pixels.
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


def measure(image: FloatArray, guess: bool = False) -> SeamReport:
    """Reports on the borders of a picture, ``(H, W)`` or ``(H, W, C)``, float in [0, 1].

    With ``guess`` the verdict says what is more likely, where it would else not be sure enough to say anything: for
    those who must decide whether to mend a picture. How often the verdict errs, and on what, is in
    ``docs/seam-verdict.md``.
    Raises ``ValueError`` for any other shape.
    """
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"A picture of shape (H, W) or (H, W, C) is needed, not {image.shape}.")
    planes = np.moveaxis(np.atleast_3d(np.asarray(image, np.float32)), 2, 0)
    levels = pairs.pyramid(planes)
    turned = [level.swapaxes(1, 2) for level in levels]
    return SeamReport(x=_axis(planes, levels, guess), y=_axis(planes.swapaxes(1, 2), turned, guess))


def evidence_of(image: FloatArray) -> tuple[FloatArray | None, FloatArray | None]:
    """The numbers that the verdict weighs, for x and y; None where it is None."""
    planes = np.moveaxis(np.atleast_3d(np.asarray(image, np.float32)), 2, 0)
    levels = pairs.pyramid(planes)
    found = []
    for along, sizes in (
        (planes, levels),
        (planes.swapaxes(1, 2), [level.swapaxes(1, 2) for level in levels]),
    ):
        measured = _measured(along)
        found.append(None if measured is None else gather(sizes, measured[1], along.mean(axis=0)))
    return found[0], found[1]


def _measured(planes: FloatArray) -> tuple[lines.Figures, lines.Float64Array] | None:
    rows, columns = planes.shape[1:]
    if columns < _SMALLEST or rows < 2:
        return None
    figures, jumps = lines.figures(planes)
    return None if float(jumps[1:].mean()) < _NOTHING else (figures, jumps)


def _axis(planes: FloatArray, levels: list[FloatArray], guess: bool) -> AxisReport:
    """The border between the last and the first column of ``(C, H, W)``."""
    measured = _measured(planes)
    if measured is None:
        return AxisReport(1.0, 0.0, 1.0, None)
    figures, jumps = measured
    shows = shows_seam(gather(levels, jumps, planes.mean(axis=0)), planes.shape[2], guess)
    return AxisReport(
        figures.ratio,
        figures.z_score,
        figures.second_difference,
        tiles=None if shows is None else not shows,
    )
