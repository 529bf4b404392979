# SPDX-License-Identifier: GPL-3.0-or-later
"""Would these two sides be neighbours in this picture? Learned from the picture itself, then asked of its border.

Every line through a picture joins what lies left of it with what lies right of it. Left and right sides of different
lines, put together at random, are cuts. A small classifier learns to tell joined pieces from cut ones: in a wall,
that stone does not meet stone without a joint; in a sky, that brightness goes on. What it says of the border, and what
it says of lines that it has not learned from, is then compared. Nothing is known beforehand about any kind of texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray

REACH = 4  # Columns on each side of a line.
LEVELS = 2  # The picture itself, and halved as often as this says, less one.
_HEIGHT = 4  # Rows of a piece.
_LINES, _FEWEST_LINES = 112, 32
_PLACES = 40  # Pieces along a line, evenly spread.
_RANDOM = 128  # Random ramps beside the linear features: corners and joints are no linear matter.
_FOLDS = 6  # Parts of the picture: lines are judged by what was learned from the other parts.
_RIDGE = 2e-3
_CUTS, _MOST_DRAWS = 480, 4  # Cuts to make in all, and how often at most at one line.
_LOUDEST = 1.5  # One piece says no more than this, where 1 is "joined" and -1 is "cut".
_SECOND_PLANE = 0.15  # Share of the contrast that a second direction of colour must have to be looked at.
Indices = npt.NDArray[np.intp]
Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Likeness:
    """What the classifier says, on average over the pieces of a line: about 1 for joined, about -1 for cut.

    ``border`` is said of the border, ``joined`` ``(N,)`` of lines inside, ``cut`` ``(K,)`` of sides that do not
    belong together; the latter two by what was learned elsewhere in the picture.
    """

    border: float
    joined: Float64Array
    cut: Float64Array


def pyramid(planes: FloatArray) -> list[FloatArray]:
    """Of ``(C, H, W)``: its one or two strongest directions of colour, in full, halved, and halved again.

    Two by two pixels become one. Where a side is odd, the line in its middle is left out, so that the border parts
    whole pixels in every size, as all other lines do.
    """
    levels = [_principal(planes)]
    while len(levels) < LEVELS:
        last = levels[-1]
        for axis in (1, 2):
            if last.shape[axis] % 2:
                last = np.delete(last, last.shape[axis] // 2, axis=axis)
        if min(last.shape[1:]) < 4:
            break
        quarters = last[:, ::2, ::2] + last[:, 1::2, ::2] + last[:, ::2, 1::2] + last[:, 1::2, 1::2]
        levels.append(quarters * np.float32(0.25))
    return levels


def _principal(planes: FloatArray) -> FloatArray:
    if planes.shape[0] == 1 or planes[0].size < 2:
        return planes[:1]
    sample = planes[:, :: max(1, planes.shape[1] // 256), :: max(1, planes.shape[2] // 256)]
    variances, directions = np.linalg.eigh(np.cov(sample.reshape(planes.shape[0], -1)))
    wanted = 2 if variances[-2] > _SECOND_PLANE**2 * variances[-1] else 1
    towards = directions[:, ::-1][:, :wanted].T.astype(np.float32)
    return np.tensordot(towards, planes, axes=1)


def likeness(planes: FloatArray, step: int = 1) -> Likeness | None:
    """Judges the border in X of ``(P, H, W)``, or gives None where the picture is too small to learn from.

    Of the lines inside every ``step``-th is seen, where these are the ones that the border is like.
    """
    rows, columns = planes.shape[1:]
    lines = np.arange(-(-REACH // step) * step, columns - REACH + 1, step)
    # In the middle a line may have been left out.
    lines = lines[np.abs(lines - columns // 2) >= REACH]
    if lines.size < _FEWEST_LINES or rows < _HEIGHT + 2:
        return None
    lines = _spread(lines, _LINES)
    spread = planes.std(axis=(1, 2), keepdims=True)
    places = _spread(np.arange(0, rows - _HEIGHT + 1, _HEIGHT // 2), _PLACES)[:, None] + np.arange(_HEIGHT)
    even = planes / (spread + 1e-6)
    left = _pieces(even, np.concatenate(([columns], lines)) - REACH, places)
    right = _pieces(even, np.concatenate(([0], lines)), places)
    rng = np.random.default_rng(0)
    count = lines.size + 1
    least = max(4, count // 8)
    # Small pictures have few lines to learn from, but no fewer cuts can be made of them.
    draws = max(1, min(_MOST_DRAWS, _CUTS // count))
    joined = [np.concatenate((left, right), axis=2)]
    for _ in range(draws):
        strangers = (np.arange(count) + rng.integers(least, count - least, count)) % count
        joined.append(np.concatenate((left, right[strangers]), axis=2))
    features = _features(np.concatenate(joined), rng)
    return _cross_judged(features.reshape(1 + draws, count, *features.shape[1:]))


def _spread(values: Indices, most: int) -> Indices:
    return values if values.size <= most else values[np.linspace(0, values.size - 1, most).astype(int)]


def _pieces(planes: FloatArray, starts: Indices, places: Indices) -> FloatArray:
    """``(N, M, D)``: the pixels of ``REACH`` columns from each start, at each of M places."""
    columns = starts[:, None] + np.arange(REACH)
    found = planes[:, places][..., columns]
    return np.ascontiguousarray(found.transpose(3, 1, 0, 2, 4)).reshape(starts.size, places.shape[0], -1)


def _features(pieces: FloatArray, rng: np.random.Generator) -> FloatArray:
    """``(N, M, F)``: principal components of equal weight, their sizes, and random ramps over them."""
    flat = pieces.reshape(-1, pieces.shape[2]).astype(np.float32)
    flat = flat - flat.mean(axis=0)
    variances, directions = np.linalg.eigh((flat.T @ flat).astype(np.float64) / flat.shape[0])
    kept = variances > 2e-4 * variances[-1] + 1e-6
    components = np.clip(flat @ (directions[:, kept] / np.sqrt(variances[kept])).astype(np.float32), -6, 6)
    number = max(1, components.shape[1])
    mixing = rng.standard_normal((components.shape[1], _RANDOM)) * (1.5 / np.sqrt(number))
    offsets = rng.uniform(-1, 1, _RANDOM)
    ramps = np.maximum(components @ mixing.astype(np.float32) + offsets.astype(np.float32), 0)
    constant = np.ones((flat.shape[0], 1), np.float32)
    features = np.concatenate((components, np.abs(components), ramps, constant), axis=1)
    return features.reshape(*pieces.shape[:2], -1)


def _cross_judged(features: FloatArray) -> Likeness:
    """Ridge regression to 1 for joined and -1 for cut pieces, each part of the picture judged by the others.

    ``features`` ``(1 + D, 1 + N, M, F)``: the border and N lines as they are, then D times with strange right sides.
    """
    draws, lines, size = features.shape[0] - 1, features.shape[1] - 1, features.shape[3]
    parts = [np.flatnonzero(np.arange(lines) * _FOLDS // lines == part) + 1 for part in range(_FOLDS)]
    products, sums = [], []
    # The border itself is never shown as joined; as cut it is, like every other line.
    for joined, cut in ((parts[0][:0], np.array([0])), *((part, part) for part in parts)):
        yes, no = features[0, joined].reshape(-1, size), features[1:, cut].reshape(-1, size)
        products.append((yes.T @ yes).astype(np.float64) + (no.T @ no).astype(np.float64) / draws)
        sums.append(yes.sum(axis=0, dtype=np.float64) - no.sum(axis=0, dtype=np.float64) / draws)
    product, total = np.sum(products, axis=0), np.sum(sums, axis=0)
    product[np.diag_indices(size)] += _RIDGE * np.trace(product) / size
    said = np.zeros((1 + draws, 1 + lines))
    border = []
    for number, part in enumerate(parts, start=1):
        weights = np.linalg.solve(product - products[number], total - sums[number]).astype(np.float32)
        said[:, part] = np.clip(features[:, part] @ weights, -_LOUDEST, _LOUDEST).mean(axis=-1)
        border.append(np.clip(features[0, 0] @ weights, -_LOUDEST, _LOUDEST).mean())
    return Likeness(float(np.mean(border)), said[0, 1:], said[1:, 1:].ravel())
