# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pointwise functions that every layer uses: blends, steps, ramps, quantiles, roaming samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.procedural.space import IntArray, Space

Scalar = float | np.floating
"""One number, Python's or NumPy's."""

_STRIP = 65536
"""Elements handled at once where a formula needs several passes, so that they stay in the processor's cache."""


def smoothstep(field: FloatArray, low: Scalar | FloatArray, high: Scalar | FloatArray) -> FloatArray:
    """0 below ``low``, 1 above ``high`` (or the reverse where ``high`` is less), smooth between."""
    if np.ndim(low) == 0 and np.ndim(high) == 0 and field.ndim == 2:
        out = np.empty(field.shape, np.float32)
        step = max(1, _STRIP // field.shape[1])
        for top in range(0, field.shape[0], step):
            _smoothstep(
                field[top : top + step], np.float32(low), np.float32(1 / (high - low)), out[top : top + step]
            )
        return out
    out = np.empty(np.broadcast_shapes(field.shape, np.shape(low), np.shape(high)), np.float32)
    return _smoothstep(field, low, np.reciprocal(np.asarray(high - low, np.float32)), out)


def _smoothstep(
    field: FloatArray, low: Scalar | FloatArray, scale: np.float32 | FloatArray, out: FloatArray
) -> FloatArray:
    np.subtract(field, low, out=out)
    out *= scale
    np.clip(out, 0, 1, out=out)
    slope = out * np.float32(-2)
    slope += 3
    out *= out
    out *= slope
    return out


def mix(first: FloatArray, second: FloatArray | Scalar, amount: FloatArray | Scalar) -> FloatArray:
    """``first`` where ``amount`` is 0, ``second`` where it is 1."""
    out = (second - first) * amount
    out += first
    return out


def smooth_maximum(first: FloatArray, second: FloatArray, radius: float) -> FloatArray:
    """The larger of two heights with the crease rounded over ``radius`` (I. Quilez, polynomial smooth maximum)."""
    h = np.maximum(radius - np.abs(first - second), 0) * np.float32(1 / radius)
    return np.maximum(first, second) + h * h * np.float32(radius / 4)


def quantile(field: FloatArray, share: float) -> float:
    """The value below which about ``share`` of the field lies, from a regular sample of it."""
    step = max(1, min(field.shape) // 192)
    return float(np.quantile(field[::step, ::step], min(max(share, 0.0), 1.0)))


def cover(score: FloatArray, share: float, softness: float) -> FloatArray:
    """A mask in [0, 1] over the ``share`` of the texture that scores highest, ``softness`` deviations soft."""
    step = max(1, min(score.shape) // 192)
    spread = float(np.std(score[::step, ::step])) + 1e-9
    level = quantile(score, 1.0 - share)
    return smoothstep(score, level - softness * spread, level + softness * spread)


def spread_of(field: FloatArray) -> float:
    """Standard deviation from a regular sample, never 0."""
    step = max(1, min(field.shape) // 192)
    return float(np.std(field[::step, ::step])) + 1e-9


def ramp(position: FloatArray, stops: FloatArray) -> FloatArray:
    """Colours ``(3, H, W)`` from ``position`` in [0, 1] along equally spaced ``stops`` ``(n, 3)``."""
    size = 1024
    grid = np.linspace(0, len(stops) - 1, size)
    table = np.stack([np.interp(grid, np.arange(len(stops)), stops[:, c]) for c in range(3)]).astype(
        np.float32
    )
    index = np.clip(position * np.float32(size - 1), 0, size - 1).astype(np.int16)
    return np.stack([table[c].take(index) for c in range(3)])


def flat(colour: npt.ArrayLike) -> FloatArray:
    """A colour as ``(3, 1, 1)``, to blend against ``(3, H, W)``."""
    return np.asarray(colour, np.float32).reshape(3, 1, 1)


def lookup(table: FloatArray, index: IntArray) -> FloatArray:
    """``table[index]`` for a table ``(n,)`` or a table of colours ``(n, 3)``, which gives ``(3, H, W)``."""
    if table.ndim == 1:
        return table.take(index)
    return np.stack([np.ascontiguousarray(table[:, c]).take(index) for c in range(3)])


def roam(space: Space, index: IntArray, count: int, salt: str) -> npt.NDArray[np.intp]:
    """Flat pixel indices ``(H, W)`` that let each piece show its own stretch of one periodic texture.

    Every piece gets an offset of its own, so that neighbours cut from one grain do not continue each other.
    """
    rows, columns = space.shape
    dy = (space.each(f"{salt}/roam-y", count) * rows).astype(np.int32)
    dx = (space.each(f"{salt}/roam-x", count) * columns).astype(np.int32)
    y = dy.take(index)
    y += np.arange(rows, dtype=np.int32)[:, None]
    np.subtract(y, rows, out=y, where=y >= rows)
    x = dx.take(index)
    x += np.arange(columns, dtype=np.int32)[None, :]
    np.subtract(x, columns, out=x, where=x >= columns)
    return y.astype(np.intp) * columns + x
