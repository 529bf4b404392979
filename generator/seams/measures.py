# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured at a line between two columns: jumps, bends, steps and slopes, on several scales."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray

REACH = 4  # Columns on each side of a line that its measures look at.
INVISIBLE = 1.0 / 1024.0  # Differences of this size are rounding, on the scale where white is 1.
JUMP, BEND, ISOLATED = 0, 1, 2
SHARP = (JUMP, BEND, ISOLATED, 9, 10)  # The last two are the steps between straight continuations.
Float64Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def measures(columns: FloatArray, left: Indices, right: Indices) -> Float64Array:
    """``(M, L)`` of the L lines that part column ``left - 1`` from column ``right``, of a picture ``(W, C, h)``.

    Where both are the same number it is a line of the picture, else a cut made between two of its places. Jump,
    bend and isolation come first; then jumps between boxes of some columns and rows, which see a seam under noise;
    steps between the straight continuations of both sides; and a change of slope.
    """
    at = {k: columns[(left if k < 0 else right) + k] for k in range(-REACH, REACH)}
    jumps = {k: at[k] - at[k - 1] for k in range(1 - REACH, REACH)}
    jump = jumps[0]
    bend = 0.5 * (np.abs(jumps[1] - jump) + np.abs(jump - jumps[-1]))
    pairs = 0.5 * (at[0] + at[1] - at[-1] - at[-2])
    fours = 0.5 * pairs + 0.25 * (at[2] + at[3] - at[-3] - at[-4])
    step = 1.5 * jump - 0.5 * (at[1] - at[-2])
    slope = at[3] - at[0] - at[-1] + at[-4]
    sizes = {k: np.abs(value).mean(axis=1) for k, value in jumps.items()}
    measured = [sizes[0].mean(axis=1), bend.mean(axis=(1, 2)), _isolation(sizes)]
    for field, heights in (
        (jump, (4, 16)),
        (pairs, (2, 8)),
        (fours, (4, 16)),
        (step, (1, 8)),
        (slope, (4,)),
    ):
        measured += _box_means(field, heights)
    return np.array(measured, np.float64)


def _isolation(sizes: dict[int, FloatArray]) -> FloatArray:
    """A drawn edge is some pixels soft, so that its neighbours jump as well; a cut is one pixel wide."""
    near = sum(size for k, size in sizes.items() if k != 0) / np.float32(len(sizes) - 1)
    return (sizes[0] / (near + np.float32(0.25) * sizes[0] + np.float32(2 * INVISIBLE))).mean(axis=1)


def _box_means(field: FloatArray, heights: tuple[int, ...]) -> list[FloatArray]:
    """Mean over the absolute values of averages over so many rows, each ``(L,)``; ascending powers of two."""
    means, height = [], 1
    for wanted in heights:
        while height < wanted and field.shape[2] >= 2:
            even = field.shape[2] // 2 * 2
            field = np.float32(0.5) * (field[..., 0:even:2] + field[..., 1:even:2])
            height *= 2
        means.append(np.abs(field).mean(axis=(1, 2)))
    return means
