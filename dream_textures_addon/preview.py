# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures for the panel: the one that is being made, and each one that was."""

from __future__ import annotations

import bpy.utils.previews
import numpy as np
import numpy.typing as npt

from .encode import IntegerImage, pixels_of
from .wire import protocol

SIDE = 256
LIVE = "live"

_collection: bpy.utils.previews.ImagePreviewCollection | None = None


def show(key: str, array: protocol.Array) -> None:
    """Show this picture, ``(H, W, 3 or 4)`` in 8 or 16 bits, under the key; it replaces an earlier one."""
    assert _collection is not None
    levels = pixels_of(array)
    pixels = shrink(levels) / np.float32(np.iinfo(levels.dtype).max)
    rows, columns = pixels.shape[:2]
    preview = _collection.get(key) or _collection.new(key)
    preview.image_size = (columns, rows)
    flipped = np.ones((rows, columns, 4), np.float32)
    flipped[..., : pixels.shape[2]] = pixels[::-1]
    preview.image_pixels_float.foreach_set(flipped.ravel())  # type: ignore[attr-defined]


def icon(key: str) -> int:
    """The icon number of a picture, or 0 where there is none."""
    preview = None if _collection is None else _collection.get(key)
    return 0 if preview is None else preview.icon_id


def forget(*keys: str) -> None:
    """Drop these pictures."""
    if _collection is not None:
        for key in keys:
            if key in _collection:
                del _collection[key]


def key_of(job: str, index: int) -> str:
    """The key for one finished image."""
    return f"{job}:{index}"


def shrink(pixels: IntegerImage) -> npt.NDArray[np.float32]:
    """The mean of whole blocks, so that the longer side is between one and two times `SIDE` at most."""
    factor = max(1, max(pixels.shape[:2]) // SIDE)
    rows, columns = max(1, pixels.shape[0] // factor), max(1, pixels.shape[1] // factor)
    high, wide = min(factor, pixels.shape[0]), min(factor, pixels.shape[1])
    whole = pixels[: rows * high, : columns * wide]
    return whole.reshape(rows, high, columns, wide, -1).mean(axis=(1, 3), dtype=np.float32)


def register() -> None:
    """Make room for pictures."""
    global _collection
    _collection = bpy.utils.previews.new()


def unregister() -> None:
    """Drop them all."""
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    _collection = None
