# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame codec: one line of JSON that names the arrays which follow it, then their raw bytes.

Every length is checked against a bound before memory is taken for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from .strict import parse_json, short

MAX_HEADER_BYTES = 1 << 20
MAX_ARRAYS = 8
MAX_FRAME_BYTES = 8192 * 8192 * 4 * 4
ITEM_BYTES = {"uint8": 1, "uint16": 2, "float32": 4}


class ProtocolError(ValueError):
    """The other side sent something that is not a valid frame; the stream cannot be trusted any further."""


@dataclass(frozen=True)
class Array:
    """Raw pixels on the wire: C order, little-endian, ``shape`` as in NumPy, top row first."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | bytearray | memoryview = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.data) != array_bytes(self.dtype, self.shape):
            raise ProtocolError(f"An array of {len(self.data)} bytes is not {self.shape} of {self.dtype}.")


def array_bytes(dtype: object, shape: object) -> int:
    """How many bytes such an array takes; `ProtocolError` if it is not allowed on the wire."""
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise ProtocolError(f"Arrays of type {short(dtype)} are not part of the protocol.")
    if not isinstance(shape, (tuple, list)) or not 1 <= len(shape) <= 4:
        raise ProtocolError("An array must have one to four dimensions.")
    size = ITEM_BYTES[dtype]
    for length in shape:
        if isinstance(length, bool) or not isinstance(length, int) or not 0 < length <= MAX_FRAME_BYTES:
            raise ProtocolError(f"An array cannot have the shape {short(shape)}.")
        size *= length
        if size > MAX_FRAME_BYTES:
            raise ProtocolError("An array is larger than a frame may be.")
    return size


def write_frame(
    stream: BinaryIO, header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None
) -> None:
    """Write one frame and flush. The header must not use the name ``arrays``.

    Raises `ProtocolError`, with nothing written, for a frame that `read_frame` would refuse.
    """
    if (
        len(arrays or {}) > MAX_ARRAYS
        or sum(len(array.data) for array in (arrays or {}).values()) > MAX_FRAME_BYTES
    ):
        raise ProtocolError("A frame is larger than the protocol allows.")
    listed = [
        {"name": name, "dtype": array.dtype, "shape": list(array.shape), "bytes": len(array.data)}
        for name, array in (arrays or {}).items()
    ]
    try:
        line = json.dumps({**header, "arrays": listed}, allow_nan=False).encode("ascii") + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"A frame's header cannot be written as JSON: {error}.") from error
    if len(line) > MAX_HEADER_BYTES:
        raise ProtocolError("A frame's header is longer than the protocol allows.")
    stream.write(line)
    for array in (arrays or {}).values():
        stream.write(array.data)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, Array]] | None:
    """The next frame's header and arrays, or None where the stream ends between two frames.

    Raises `ProtocolError` for anything else; the stream is then of no further use.
    """
    line = stream.readline(MAX_HEADER_BYTES + 1)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise ProtocolError(
            "A frame's header is too long."
            if len(line) > MAX_HEADER_BYTES
            else "The stream ended inside a frame."
        )
    header = _parse_header(line)
    listed = header.pop("arrays", [])
    if not isinstance(listed, list) or len(listed) > MAX_ARRAYS:
        raise ProtocolError(f"A frame carries at most {MAX_ARRAYS} arrays.")
    layout = [_parse_array(entry) for entry in listed]
    if len({name for name, *_ in layout}) != len(layout):
        raise ProtocolError("A frame names the same array twice.")
    if sum(size for *_, size in layout) > MAX_FRAME_BYTES:
        raise ProtocolError("A frame is larger than the protocol allows.")
    return header, {
        name: Array(dtype, shape, _read_exactly(stream, size)) for name, dtype, shape, size in layout
    }


def _parse_header(line: bytes) -> dict[str, Any]:
    try:
        header = parse_json(line.decode("utf-8"))
    except ValueError as error:
        raise ProtocolError(f"A frame's header is not JSON: {line[:60]!r}.") from error
    if not isinstance(header, dict):
        raise ProtocolError("A frame's header must be a JSON object.")
    return header


def _parse_array(entry: object) -> tuple[str, str, tuple[int, ...], int]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ProtocolError("A frame lists an array without a name.")
    size = array_bytes(entry.get("dtype"), entry.get("shape"))
    claimed = entry.get("bytes")
    if claimed != size or isinstance(claimed, bool):
        raise ProtocolError(
            f"The array {short(entry['name'])} claims {short(claimed)} bytes where it takes {size}."
        )
    return entry["name"], entry["dtype"], tuple(entry["shape"]), size


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    # In pieces, so that a header that lies about its arrays costs no more memory than what really arrives.
    pieces: list[bytes] = []
    while size:
        piece = stream.read(min(size, 1 << 20))
        if not piece:
            raise ProtocolError("The stream ended inside an array.")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
