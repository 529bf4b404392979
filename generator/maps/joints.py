# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the joints of a wall, a floor or a net of cracks: thin structures that hang together all over the torus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.resample import blur, resize

_WORKING = (
    384  # The shorter side at which joints are sought; finer ones than a pixel of it are cracks, not joints.
)
_LEAST_SIDE = 48  # Pixels; on less, joints and grain are of one size.
_NETWORK = 128  # The side at which it is seen whether they hang together.
_WIDEST = (1 / 24, 1 / 10)  # Widths, by the shorter side, up to which a structure counts as thin.
_AREA = (0.02, 0.42)
_LEAST_CONTRAST = 0.035
_PLAIN_CONTRAST = 0.08  # From here on a network is no more credible for being stronger.
_LEAST_SCORE = 0.35
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Joints:
    """``mask`` ``(H, W)`` float32 in [0, 1], 1 in the joints; ``width`` of a joint by the picture's shorter side."""

    mask: FloatArray
    width: float
    score: float


def find_joints(luminance: FloatArray, saturation: FloatArray) -> Joints | None:
    """The most convincing network of thin lines in a periodic picture, or None when there is none.

    Candidates are what a top-hat keeps: lines darker, brighter, greyer or more coloured than what they part
    (dark joints, white grout, mortar between red bricks, moss between grey stones). Each is cut in two classes
    by Otsu's threshold (1979) and judged by whether the lines form *one* connected thing that goes round the torus
    both ways and leaves the rest in pieces: joints enclose stones, whereas grain and scratches enclose nothing.
    """
    shorter = min(luminance.shape)
    if shorter < _LEAST_SIDE:
        return None
    factor = min(1.0, _WORKING / shorter)
    rows, columns = (round(n * factor) for n in luminance.shape)
    best: Joints | None = None
    for feature, preferences in ((luminance, (1.2, 1.0)), (saturation, (1.1, 0.8))):
        # Half a per cent of blur takes the grain out, which a top-hat would take for structure.
        small = blur(resize(feature, columns, rows), 0.003 * min(rows, columns))
        for sign, preference in zip((1.0, -1.0), preferences, strict=True):
            for widest in _WIDEST:
                found = _candidate(
                    small * np.float32(sign), max(3, round(widest * min(rows, columns))), preference
                )
                if found is not None and (best is None or found.score > best.score):
                    best = found
    if best is None:
        return None
    mask = resize(best.mask, luminance.shape[1], luminance.shape[0], kernel="linear")
    return Joints(mask, best.width, best.score)


def _candidate(feature: FloatArray, size: int, preference: float) -> Joints | None:
    """The thin lows of the feature, at the working size, when they are a network."""
    hat = _slide(_slide(feature, size, np.maximum), size, np.minimum) - feature
    threshold, contrast, separation = _otsu(hat)
    inside = hat > threshold
    area = float(inside.mean())
    if not _AREA[0] < area < _AREA[1] or contrast < _LEAST_CONTRAST:
        return None
    # Grain has one broad distribution, of which the best cut still explains six tenths.
    parted = min(max((separation - 0.6) / 0.2, 0.0), 1.0)
    score = preference * parted * _connectedness(inside) * min(1.0, contrast / _PLAIN_CONTRAST)
    if score < _LEAST_SCORE:
        return None
    width = float(2.0 * inside.sum() / max(_perimeter(inside), 1.0))
    mask = np.clip((hat - np.float32(0.5 * threshold)) / np.float32(threshold), 0, 1)
    return Joints(mask, width / min(feature.shape), score)


def _slide(image: FloatArray, size: int, better: np.ufunc) -> FloatArray:
    """The best of a square window of ``size`` around each pixel, modulo the image, in about log2(size) steps."""
    for axis in (0, 1):
        reach = min(size, image.shape[axis])
        covered = 1
        while covered < reach:
            step = min(covered, reach - covered)
            image = better(image, np.roll(image, -step, axis=axis))
            covered += step
        # An even window would move the picture by half a pixel; dilation and erosion cancel this between them.
        image = np.roll(image, reach // 2 if better is np.maximum else (reach - 1) // 2, axis=axis)
    return image


def _otsu(field: FloatArray) -> tuple[float, float, float]:
    """Otsu's threshold, the distance of the two classes' means, and the share of variance that parting explains."""
    low, high = float(field.min()), float(field.max())
    if high - low < 1e-4:
        return high, 0.0, 0.0
    counts, edges = np.histogram(field, bins=128, range=(low, high))
    values = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts) / field.size
    sums = np.cumsum(counts * values) / field.size
    mean = sums[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.where((below > 0) & (below < 1), (mean * below - sums) ** 2 / (below * (1 - below)), 0.0)
    at = int(between.argmax())
    contrast = (mean - sums[at]) / max(1 - below[at], 1e-9) - sums[at] / max(below[at], 1e-9)
    variance = float(np.sum(counts * (values - mean) ** 2) / field.size)
    return float(edges[at + 1]), float(contrast), float(between[at]) / max(variance, 1e-12)


def _perimeter(inside: BoolArray) -> float:
    across = np.count_nonzero(inside != np.roll(inside, 1, axis=1))
    down = np.count_nonzero(inside != np.roll(inside, 1, axis=0))
    # Counted along the grid an oblique edge is too long, by 4/pi on average; walls mostly follow the grid.
    return (across + down) / 1.1


def _connectedness(inside: BoolArray) -> float:
    """Which share of the network is one piece, nought unless that piece goes round the torus and encloses others."""
    rows, columns = inside.shape
    height, width = min(_NETWORK, rows), min(_NETWORK, columns)
    # Any touched cell counts: a joint may be thinner than a cell and still must not break.
    small = resize(inside.astype(np.float32), width, height, kernel="linear") > 0.3
    if not small.any() or small.all():
        return 0.0
    piece = _largest_piece(small)
    ways = int(piece.any(axis=0).mean() > 0.97) + int(piece.any(axis=1).mean() > 0.97)
    if ways == 0:
        return 0.0
    enclosed = ~piece
    largest_stone = _largest_piece(enclosed, diagonal=False).sum() / max(enclosed.sum(), 1)
    # Boards lie between lines that run one way; those are as many pieces as boards, and weaker evidence.
    share = float(piece.sum() / small.sum()) if ways == 2 else 0.7
    return share * float(np.clip(1.4 - 1.4 * largest_stone, 0.0, 1.0))


def connected_parts(inside: BoolArray, diagonal: bool = True) -> npt.NDArray[np.signedinteger]:
    """A number of its own, above 0, on each connected part on the torus, 0 outside: the greatest label spreads."""
    labels = np.where(inside, np.arange(1, inside.size + 1).reshape(inside.shape), 0)
    while True:
        spread = np.maximum(labels, np.maximum(np.roll(labels, 1, axis=1), np.roll(labels, -1, axis=1)))
        base = spread if diagonal else labels
        spread = np.maximum(spread, np.maximum(np.roll(base, 1, axis=0), np.roll(base, -1, axis=0)))
        spread = np.where(inside, spread, 0)
        # Each pixel also takes the label of the pixel its label came from: labels then travel in leaps.
        spread = np.where(inside, np.maximum(spread, spread.ravel()[np.maximum(spread - 1, 0)]), 0)
        if np.array_equal(spread, labels):
            return labels
        labels = spread


def _largest_piece(inside: BoolArray, diagonal: bool = True) -> BoolArray:
    labels = connected_parts(inside, diagonal)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    return labels == counts.argmax()
