# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished maps as PNG files in memory, with the recipe inside. No Blender here: this runs on a worker thread.

Blender then reads the same bytes whether they are packed or lie in a folder, so that both ways give the same
pixels: 8 bits as they came, and 16 bits for height, which Blender loads as floats.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .png import insert_text
from .wire import protocol

COMPRESSION = 6
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""PNG's number for grey, RGB and RGBA by how many channels there are."""

_LEFT, _ABOVE = 1, 2

IntegerImage = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class EncodedMap:
    """One map, ready to become a Blender image: ``png`` is the file's bytes, ``recipe`` the text inside it.

    ``sha256`` is of the pixels as they came, as a request names its source.
    """

    index: int
    map: str
    seed: int
    width: int
    height: int
    relief: float
    recipe: str
    sha256: str
    png: bytes


def encode(result: protocol.Result, version: str) -> EncodedMap:
    """The PNG file of one result of a generator of this version. Raises ValueError where its pixels are no image."""
    pixels = pixels_of(result.image)
    recipe = protocol.recipe_text(
        result.recipe, map_name=result.map, version=version, relief=result.relief, seams=result.seams
    )
    return EncodedMap(
        index=result.index,
        map=result.map,
        seed=result.seed,
        width=pixels.shape[1],
        height=pixels.shape[0],
        relief=result.relief,
        recipe=recipe,
        sha256=hashlib.sha256(result.image.data).hexdigest(),
        png=insert_text(png_bytes(pixels), protocol.RECIPE_KEYWORD, recipe),
    )


def pixels_of(array: protocol.Array) -> IntegerImage:
    """The pixels of an array from the wire, top row first, without a copy."""
    return np.frombuffer(array.data, np.dtype(array.dtype).newbyteorder("<")).reshape(array.shape)


def png_bytes(pixels: IntegerImage) -> bytes:
    """A PNG file of ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA in 8 or 16 bits, top row first.

    Each row is stored as differences from its left or its upper neighbour, whichever are smaller in sum: the
    heuristic that the PNG specification recommends (section 12.7).
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels not in _COLOUR_TYPES or pixels.dtype.itemsize > 2 or pixels.dtype.kind != "u":
        raise ValueError(f"An image of {pixels.shape} {pixels.dtype} cannot be written as a PNG file.")
    rows, columns = pixels.shape[:2]
    depth = pixels.dtype.itemsize
    big_endian = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder(">"))
    data = big_endian.view(np.uint8).reshape(rows, -1)
    header = struct.pack(">IIBBBBB", columns, rows, depth * 8, _COLOUR_TYPES[channels], 0, 0, 0)
    packed = zlib.compress(_filter_rows(data, channels * depth).data, COMPRESSION)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _filter_rows(data: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    """Rows of bytes ``(H, N)`` as ``(H, 1 + N)``: the filter's number, then the filtered bytes."""
    left = data.copy()
    left[:, step:] -= data[:, :-step]
    above = data.copy()
    above[1:] -= data[:-1]
    costs = [np.abs(rows.view(np.int8).astype(np.int16)).sum(axis=1) for rows in (left, above)]
    use_left = costs[0] < costs[1]
    filtered = np.empty((data.shape[0], data.shape[1] + 1), np.uint8)
    filtered[:, 0] = np.where(use_left, _LEFT, _ABOVE)
    filtered[:, 1:] = np.where(use_left[:, None], left, above)
    return filtered


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
