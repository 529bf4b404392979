# SPDX-License-Identifier: GPL-3.0-or-later
"""Ambient occlusion of a periodic height field, by a horizon scan over a pyramid."""

from __future__ import annotations

import math

import numpy as np

from generator.material import FloatArray
from generator.resample import resize

_DIRECTIONS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
_FINE_STEPS = (1, 2, 3, 4, 5)
_COARSE_STEPS = (3, 4, 5)  # In pixels of their own level: 6, 8, 10, 12, 16, 20, 24 ... of the full size.
_REACH = 3.0  # Horizons are sought up to this many times the height's full range: beyond, none is above 18 degrees.
_BAND = 1 << 16


def occlusion_from_height(height: FloatArray, relief: float) -> FloatArray:
    """How much of the sky each point sees, ``(H, W)`` float32 in [0, 1]; 1 on open ground.

    ``height`` is ``(H, W)`` in [0, 1] and periodic; ``relief`` is its full range as a fraction of the shorter side.
    In each of eight directions the horizon is the steepest rise to any sample on the way; a sky of even
    brightness under Lambert's cosine then loses the share sin^2 of the horizon's elevation (horizon mapping, Max
    1988; the integral as in Bavoil and Sainz 2008). Far samples are taken from smaller copies of the height.
    """
    rows, columns = height.shape
    rise = relief * min(rows, columns)
    if rise <= 0.0:
        return np.ones((rows, columns), np.float32)
    pyramid = _pyramid(np.asarray(height, np.float32) * np.float32(rise), rise)
    lost = np.zeros((rows, columns), np.float32)
    for direction in _DIRECTIONS:
        slope: FloatArray | None = None
        for level in reversed(range(len(pyramid))):
            steps = _COARSE_STEPS if level else _FINE_STEPS
            slope = _steepest(pyramid[level], direction, steps, (rows, columns), slope)
        assert slope is not None  # The pyramid has its full-sized level at least.
        np.square(slope, out=slope)
        slope /= slope + np.float32(1.0)
        lost += slope
    lost *= np.float32(-1.0 / len(_DIRECTIONS))
    lost += np.float32(1.0)
    return lost


def _pyramid(height: FloatArray, rise: float) -> list[FloatArray]:
    """The height in pixels of the full size, halved again and again until one step is as long as the reach."""
    shorter = min(height.shape)
    levels = int(math.log2(max(min(_REACH * rise, shorter / 4) / _COARSE_STEPS[-1], 1.0)) + 0.5)
    pyramid = [height]
    for _ in range(levels):
        last = pyramid[-1]
        if min(last.shape) < 2 * (_COARSE_STEPS[-1] + 1):
            break
        pyramid.append(resize(last, (last.shape[1] + 1) // 2, (last.shape[0] + 1) // 2, kernel="linear"))
    return pyramid


def _steepest(
    height: FloatArray,
    direction: tuple[int, int],
    steps: tuple[int, ...],
    full: tuple[int, int],
    coarser: FloatArray | None,
) -> FloatArray:
    """The steepest rise per pixel of the ``full`` size, over these steps and those of the coarser levels."""
    rows, columns = height.shape
    dx, dy = direction
    if coarser is None:
        result = np.zeros((rows, columns), np.float32)
    else:
        result = resize(coarser, columns, rows, kernel="linear")
    unit = math.hypot(dx * full[1] / columns, dy * full[0] / rows)
    pad = max(steps)
    across = np.arange(-pad, columns + pad) % columns
    band = max(1, _BAND // columns)
    for top in range(0, rows, band):
        out = result[top : top + band]
        count = out.shape[0]
        # Whole padded bands: shifted neighbours are then plain views, and everything stays in the cache.
        near = height[np.arange(top - pad, top + count + pad) % rows][:, across]
        centre = near[pad : pad + count, pad : pad + columns]
        for step in steps:
            y, x = pad + step * dy, pad + step * dx
            rise = near[y : y + count, x : x + columns] - centre
            rise *= np.float32(1.0 / (step * unit))
            np.maximum(out, rise, out=out)
    return result
