# SPDX-License-Identifier: GPL-3.0-or-later
"""The stones, bricks or boards of a picture, told apart by the joints between them."""

from __future__ import annotations

import numpy as np

from generator.maps.joints import connected_parts
from generator.material import FloatArray
from generator.procedural.space import IntArray
from generator.resample import resize

_WORKING = 256  # The shorter side at which pieces are counted.
_LEAST_SHARE = 0.0008  # Of the picture; smaller islands between joints are grains of the mortar.
_FEWEST, _MOST = 3, 3000


def pieces_between(gap: FloatArray) -> tuple[IntArray, int] | None:
    """Which piece each pixel belongs to, ``(H, W)``, and how many there are; None where the joints enclose nothing.

    ``gap`` is 1 in joints. A joint's own pixels go to the nearest piece, so that no pixel is left without one.
    """
    rows, columns = gap.shape
    factor = min(1.0, _WORKING / min(rows, columns))
    small = resize(gap, max(1, round(columns * factor)), max(1, round(rows * factor)), kernel="linear")
    parts = connected_parts(small < 0.3, diagonal=False)
    numbers, sizes = np.unique(parts[parts > 0], return_counts=True)
    kept = numbers[sizes > _LEAST_SHARE * parts.size]
    if not _FEWEST <= len(kept) <= _MOST or sizes.max() > 0.6 * parts.size:
        return None
    index = np.full(parts.shape, -1, np.int32)
    found = np.isin(parts, kept)
    index[found] = np.searchsorted(kept, parts[found])
    index = _grown(index)
    down = np.minimum((np.arange(rows) * factor).astype(np.intp), index.shape[0] - 1)
    across = np.minimum((np.arange(columns) * factor).astype(np.intp), index.shape[1] - 1)
    return index[down[:, None], across[None, :]], len(kept)


def _grown(index: IntArray) -> IntArray:
    """Pieces grown by a pixel at a time over what has no number, -1, until all has one."""
    while (index < 0).any():
        for axis in (0, 1):
            for step in (1, -1):
                index = np.where(index < 0, np.roll(index, step, axis), index)
    return index
