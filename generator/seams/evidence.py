# SPDX-License-Identifier: GPL-3.0-or-later
"""All that speaks for or against a seam at one border, as the numbers that the verdict weighs."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.seams import lattice, lines, pairs

NAMES = (
    *(f"{name} {what}" for name in ("jump", "isolated", "other", "part", "sharp") for what in ("score", "excess")),
    "rhythm loss beyond least", "rhythm loss in deviations", "rhythm loss",
    "cut log ratio", "cut from lines", "cut from cuts", "cut excess", "cut power", "cut from lines by power",
    "cut share by power",
    *(f"pairs {level} {what}" for level in ("full", "half") for what in ("border", "loss", "deviations", "excess",
                                                                       "power", "deviations by power")),
)  # fmt: skip


def gather(levels: list[FloatArray], jumps: lines.Float64Array, luminance: FloatArray) -> lines.Float64Array:
    """The numbers named in ``NAMES`` for the border in X.

    ``levels`` ``(P, H, W)`` are the strongest directions of colour in full and halved, ``luminance`` ``(H, W)``,
    and ``jumps`` ``(W,)`` the mean jump at every line. Zero says nothing either way.
    """
    prominence, cut = lines.compare(levels[0], jumps)
    found = []
    for score, excess in (
        prominence.jump, prominence.isolated, prominence.other, prominence.part, prominence.sharp
    ):  # fmt: skip
        found += [_compressed(score), float(np.clip(5 * excess, -2.5, 2.5))]
    found += _of_rhythm(lattice.rhythm(luminance))
    found += [
        _compressed(cut.log_ratio),
        _compressed(cut.from_lines),
        _compressed(cut.from_cuts),
        float(np.clip(cut.excess / 3, -1.5, 3)),
        _compressed(cut.power),
        float(np.tanh(cut.power)) * _compressed(cut.from_lines),
        3 * float(np.tanh(cut.power / 2)) * cut.share,
    ]
    for number in range(2):
        step = max(1, lines.beat(jumps) >> number)
        found += _of_pairs(pairs.likeness(levels[number], step) if number < len(levels) else None)
    return np.array(found)


def _compressed(score: float) -> float:
    """Beyond some deviations more of them say little more."""
    return float(np.sign(score) * np.log1p(abs(score)))


def _of_rhythm(rhythm: lattice.Rhythm | None) -> list[float]:
    if rhythm is None:
        return [0.0] * 3
    regular = float(np.clip((rhythm.mean - 0.2) / 0.3, 0, 1))
    loss = rhythm.mean - rhythm.across
    return [
        regular * float(np.clip(rhythm.least - rhythm.across, -0.5, 1.5)),
        regular * float(np.clip(loss / max(rhythm.spread, 0.03), -2, 15)) / 5,
        regular * loss,
    ]


def _of_pairs(likeness: pairs.Likeness | None) -> list[float]:
    if likeness is None:
        return [0.0] * 6
    middle, spread = float(likeness.joined.mean()), max(float(likeness.joined.std()), 0.03)
    loss = middle - likeness.border
    power = max(middle - float(likeness.cut.mean()), 0.0) / (spread + max(float(likeness.cut.std()), 0.03))
    return [
        -likeness.border,
        float(np.clip(loss, -0.3, 2)),
        _compressed(loss / spread),
        float(np.clip((float(np.sort(likeness.joined)[1]) - likeness.border) / spread, -4, 10)) / 3,
        _compressed(power),
        float(np.tanh(power)) * _compressed(loss / spread),
    ]
