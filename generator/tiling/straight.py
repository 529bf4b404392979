# SPDX-License-Identifier: GPL-3.0-or-later
"""Straightens a wall or floor that was photographed askew, so that its rows can meet across the border.

Lines that are parallel on the surface form a pencil in the photograph. For both families, the upright one and the
level one, the pencil is sought along which most edges gather into lines; four lines of the two then bound the part of
the picture that becomes the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.resample import blur, resize
from generator.tiling.light import grey as grey_of

_SIDE = 256  # The longer side of the copy on which edges are sought.
_POINTS = 6000  # So many of the strongest edge points vote.
_MOST = 0.34  # How far a line at the picture's side may lean, as a share of the other side.
_STEPS = 17  # Slopes that are tried on either side, first coarsely and then around the best.
_BIN = 2.0  # Pixels of that copy within which edges count as one line.
_GATHERED = 1.7  # By which factor edges must gather into lines better than at an arbitrary slope ...
_BETTER = (
    1.12  # ... and better than without straightening. Walls reach 2.4; rust, cracks and veins reach 1.3.
)
_STRIP = 256  # Rows that are straightened together, so that the memory for it stays small.
_SQUARE = 1.35  # No part that is so much wider than high, against the picture, is worth its distortion.
_LEAST = 0.008  # Slopes below this change nothing that could be seen.
_SLANT = 0.06  # So far two families may lean against each other.
Float64Array = npt.NDArray[np.float64]
Slopes = tuple[float, float]


@dataclass(frozen=True)
class Quad:
    """The part of a picture that is straightened to the whole: corners ``(x, y)`` as shares of the sides.

    In the order top left, top right, bottom right, bottom left.
    """

    corners: tuple[tuple[float, float], ...]

    @property
    def shares(self) -> tuple[float, float]:
        """The mean width and the mean height."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.corners
        return 0.5 * (bx - ax + cx - dx), 0.5 * (dy - ay + cy - by)


def find_quad(image: FloatArray) -> Quad | None:
    """The part of ``(H, W, C)`` whose lines are upright and level once it is straightened; None if they are already.

    A picture without straight lines, gravel or grass, has none either.
    """
    rows, columns = image.shape[:2]
    factor = min(1.0, _SIDE / max(rows, columns))
    width, height = (max(2, round(size * factor)) for size in (columns, rows))
    if min(width, height) < 48:
        return None
    grey = blur(resize(grey_of(image), width, height, False, False), 1.0, False, False)
    upright, level = _turned_alike(
        _pencil(grey), _pencil(np.ascontiguousarray(grey.T)), (columns / rows) ** 2
    )
    if max(map(abs, (*upright, *level))) < _LEAST:
        return None
    left, right = _inside(upright)
    top, bottom = _inside(level)
    ends = (left, top), (right, top), (right, bottom), (left, bottom)
    quad = Quad(tuple(_crossing(side, end) for side, end in ends))
    wide, high = quad.shares
    return quad if 1 / _SQUARE < wide / high < _SQUARE else None


def straighten(image: FloatArray, quad: Quad) -> FloatArray:
    """The quad's content at the size of the picture, ``(H, W, C)`` float32 in the range that it had."""
    rows, columns = image.shape[:2]
    source = np.array(quad.corners) * (columns, rows)
    target = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float64)
    equations = []
    for (u, v), (x, y) in zip(target, source, strict=True):
        equations.append([u, v, 1, 0, 0, 0, -x * u, -x * v])
        equations.append([0, 0, 0, u, v, 1, -y * u, -y * v])
    coefficients = np.linalg.solve(np.array(equations), source.ravel())
    result = np.empty(image.shape, np.float32)
    for top in range(0, rows, _STRIP):
        v, u = np.mgrid[top : min(top + _STRIP, rows), 0:columns] + 0.5
        a, b, c, d, e, f, g, h = coefficients
        depth = g * u + h * v + 1
        x, y = (a * u + b * v + c) / depth - 0.5, (d * u + e * v + f) / depth - 0.5
        result[top : top + _STRIP] = _bicubic(image, x.astype(np.float32), y.astype(np.float32))
    return np.clip(result, image.min(), image.max())


def _bicubic(image: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """``(H, W, C)`` at columns ``x`` and rows ``y``, by cubic convolution (Keys 1981); borders are continued."""
    rows, columns = image.shape[:2]
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    across, down = _keys(x - left), _keys(y - top)
    result = np.zeros((*x.shape, image.shape[2]), np.float32)
    for j, weight_y in enumerate(down):
        row = np.clip(top + j - 1, 0, rows - 1)
        for i, weight_x in enumerate(across):
            column = np.clip(left + i - 1, 0, columns - 1)
            result += (weight_x * weight_y)[..., None] * image[row, column]
    return result


def _keys(t: FloatArray) -> tuple[FloatArray, ...]:
    """The weights of the four neighbours of a place that lies ``t`` behind the second of them."""
    return (
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )


def _turned_alike(upright: Slopes | None, level: Slopes | None, square: float) -> tuple[Slopes, Slopes]:
    """Both families, where a camera can have seen them so: what turns the one turns the other.

    A family that shows no lines is turned along, a little. Lines that lean while those across them do not are slanted
    on the surface itself, italics or herringbone, and stay so. ``square`` is the squared proportion of width to height.
    """
    nothing = (0.0, 0.0)
    if upright is None and level is None:
        return nothing, nothing
    if upright is None or level is None:
        found = upright or level or nothing
        turn = -0.5 * (found[0] + found[1]) * (square if upright else 1 / square)
        if abs(turn) > _SLANT:
            return nothing, nothing
        return (upright, (turn, turn)) if upright else ((turn, turn), found)
    lean = 0.5 * (upright[0] + upright[1]) + 0.5 * (level[0] + level[1]) / square
    return (upright, level) if abs(lean) < _SLANT else (nothing, nothing)


def _pencil(grey: FloatArray) -> Slopes | None:
    """How far the upright lines lean at the left and at the right side: columns from top to bottom, as a share.

    None where there are no lines.
    """
    jumps = grey[:, 1:] - grey[:, :-1]
    across = np.abs(np.diff(grey, axis=0))
    # Edges of the other family would vote for any slope alike.
    weights = np.maximum(np.abs(jumps[:-1]) - across[:, :-1], 0)
    strongest = np.argsort(weights, axis=None, kind="stable")[-_POINTS:]
    rows, columns = np.unravel_index(strongest, weights.shape)
    votes = np.minimum(weights[rows, columns], np.quantile(weights[rows, columns], 0.9)).astype(np.float64)
    if votes.sum() <= 0:
        return None
    x = (columns + 1.0) / grey.shape[1]
    y = (rows + 0.5) / grey.shape[0] - 0.5
    bins = max(8, int(grey.shape[1] / _BIN))
    best, reach = (0.0, 0.0), _MOST
    plain = _gathered(x, y, votes, 0.0, 0.0, bins)
    found = plain
    arbitrary: list[float] = []
    for turn in range(3):
        offsets = np.linspace(-reach, reach, _STEPS)
        centre = best
        for left in centre[0] + offsets:
            for right in centre[1] + offsets:
                if max(abs(left), abs(right)) <= _MOST:
                    gathered = _gathered(x, y, votes, left, right, bins) - 0.05 * (abs(left) + abs(right))
                    if turn == 0:
                        arbitrary.append(gathered)
                    if gathered > found:
                        best, found = (float(left), float(right)), gathered
        reach /= 6
    if found <= _GATHERED * float(np.median(arbitrary)):
        return None
    worth = found > _BETTER * plain and _LEAST < max(map(abs, best)) < 0.95 * _MOST
    return best if worth else (0.0, 0.0)


def _gathered(
    x: Float64Array, y: Float64Array, votes: Float64Array, left: float, right: float, bins: int
) -> float:
    """How unevenly the points lie over the lines of a pencil: 1 when evenly, more when they gather into lines."""
    start = left * y
    place = (x - start) / (1 + right * y - start)
    inside = (place >= 0) & (place < 1)
    counts = np.bincount((place[inside] * bins).astype(np.intp), votes[inside], bins)
    # Half a bin further, too, lest it matter where the bins begin.
    counts = 0.5 * (counts[:-1] + counts[1:])
    return float((counts**2).mean() / max(float(counts.mean()) ** 2, 1e-12))


def _inside(slopes: Slopes) -> tuple[tuple[float, float], tuple[float, float]]:
    """The outermost lines of a pencil that stay within the picture: where each is in the middle, and its slope."""
    left, right = slopes

    def line(place: float) -> tuple[float, float]:
        return place, left + place * (right - left)

    low = next(
        place for place in np.linspace(0, 0.5, 501) if line(place)[0] - abs(line(place)[1]) / 2 >= -1e-9
    )
    high = next(
        place for place in np.linspace(1, 0.5, 501) if line(place)[0] + abs(line(place)[1]) / 2 <= 1 + 1e-9
    )
    return line(float(low)), line(float(high))


def _crossing(upright: tuple[float, float], level: tuple[float, float]) -> tuple[float, float]:
    """Where ``x = a + b (y - 1/2)`` meets ``y = c + d (x - 1/2)``."""
    a, b = upright
    c, d = level
    x = (a + b * (c - 0.5 - 0.5 * d)) / (1 - b * d)
    return x, c + d * (x - 0.5)
