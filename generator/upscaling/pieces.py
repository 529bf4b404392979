# SPDX-License-Identifier: GPL-3.0-or-later
"""A large picture through a network in pieces that overlap, so that memory stays bounded and work can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray

SIDE = 256
"""Pixels of the source in a piece, without its halo. Smaller ones waste more on halos, larger ones stop later."""

Axes = tuple[bool, bool]
"""Whether a picture wraps along (X, Y)."""


def in_pieces(
    network: Callable[[FloatArray], FloatArray],
    planes: FloatArray,
    scale: int,
    halo: int,
    wraps: Axes,
    tick: Callable[[float], None] = lambda _share: None,
    side: int = SIDE,
) -> FloatArray:
    """``network(planes)`` for ``planes`` ``(B, C, H, W)``: ``(B, C, scale * H, scale * W)`` float32, piece by piece.

    Each piece is given to the network with ``halo`` more pixels around it, fetched modulo the size along an axis that
    wraps and repeated from the outermost pixel where none does. What the network makes of the halo is thrown away, so
    that a convolution network that sees no further than its halo gives what it would give for the whole, whatever it
    does at its own borders. ``tick`` is told the share that is done before every piece; it may raise.
    """
    rows, columns = planes.shape[-2:]
    down, across = list(_spans(rows, side)), list(_spans(columns, side))
    result = np.empty((*planes.shape[:-2], rows * scale, columns * scale), np.float32)
    for row, (top, bottom) in enumerate(down):
        band = planes[..., _near(top - halo, bottom + halo, rows, wraps[1]), :]
        for column, (left, right) in enumerate(across):
            tick((row * len(across) + column) / (len(down) * len(across)))
            made = network(band[..., _near(left - halo, right + halo, columns, wraps[0])])
            inner = np.s_[
                ...,
                halo * scale : (halo + bottom - top) * scale,
                halo * scale : (halo + right - left) * scale,
            ]
            result[..., top * scale : bottom * scale, left * scale : right * scale] = made[inner]
    return result


def _spans(length: int, side: int) -> Iterator[tuple[int, int]]:
    """Pieces of about equal length, none longer than ``side``."""
    count = max(1, -(-length // side))
    return pairwise(round(index * length / count) for index in range(count + 1))


def _near(first: int, end: int, length: int, wraps: bool) -> npt.NDArray[np.intp]:
    places = np.arange(first, end)
    return places % length if wraps else np.clip(places, 0, length - 1)
