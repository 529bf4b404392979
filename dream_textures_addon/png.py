# SPDX-License-Identifier: GPL-3.0-or-later
"""Text chunks of PNG files, with the standard library alone: Blender's Python has no Pillow.

Chunk layout and the three kinds of text: PNG specification, third edition, sections 5 and 11.3.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT_BYTES = 1 << 20
"""More than any recipe takes; a compressed text that unpacks to more is refused."""

_TEXT_KINDS = (b"tEXt", b"zTXt", b"iTXt")


class PngError(ValueError):
    """The bytes are no PNG file that can be read; the text is a sentence."""


def insert_text(png: bytes, keyword: str, text: str) -> bytes:
    """The file with one iTXt chunk of this keyword, right after its header; pixels are left as they are.

    Earlier texts of the same keyword are dropped. Raises `PngError` when the bytes are no PNG, and ValueError
    when the keyword is not 1 to 79 printable Latin-1 characters.
    """
    name = _keyword(keyword)
    chunk = _chunk(b"iTXt", name + b"\0\0\0\0\0" + text.encode("utf-8"))
    pieces = [SIGNATURE]
    for kind, start, end in _chunks(png):
        if kind not in _TEXT_KINDS or _named(png[start + 8 : end - 4]) != name:
            pieces.append(png[start:end])
        if kind == b"IHDR":
            pieces.append(chunk)
    return b"".join(pieces)


def read_text(png: bytes, keyword: str) -> str | None:
    """The first text of this keyword, or None where there is none.

    Raises `PngError` for a damaged file, and for a text that is damaged or longer than 1 MiB.
    """
    name = _keyword(keyword)
    for kind, start, end in _chunks(png):
        body = png[start + 8 : end - 4]
        if kind in _TEXT_KINDS and _named(body) == name:
            if zlib.crc32(png[start + 4 : end - 4]) != int.from_bytes(png[end - 4 : end], "big"):
                raise PngError("The text in this PNG file is damaged.")
            return _decode(kind, body[len(name) + 1 :])
    return None


def _chunks(png: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's kind and where it starts and ends; the first is IHDR and the last IEND."""
    if not png.startswith(SIGNATURE):
        raise PngError("This is not a PNG file.")
    start, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if start + 12 > len(png):
            raise PngError("This PNG file is cut short.")
        length, kind = struct.unpack_from(">I4s", png, start)
        end = start + 12 + length
        if end > len(png):
            raise PngError("This PNG file is cut short.")
        if (kind == b"IHDR") != (start == len(SIGNATURE)):
            raise PngError("This PNG file does not begin with its header.")
        yield kind, start, end
        start = end


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _keyword(keyword: str) -> bytes:
    name = keyword.encode("latin-1")
    if not 1 <= len(name) <= 79 or not keyword.isprintable():
        raise ValueError("The keyword of a PNG text must be 1 to 79 printable Latin-1 characters.")
    return name


def _named(body: bytes) -> bytes:
    return body[:80].partition(b"\0")[0]


def _decode(kind: bytes, body: bytes) -> str:
    """The text itself; ``body`` is what follows the keyword and its zero byte."""
    compressed, encoding = kind == b"zTXt", "latin-1"
    if kind == b"zTXt":
        if body[:1] != b"\0":
            raise PngError("The text in this PNG file is packed in an unknown way.")
        body = body[1:]
    elif kind == b"iTXt":
        compressed, encoding = body[:1] == b"\1", "utf-8"
        fields = body[2:].split(b"\0", 2)
        if len(fields) != 3 or body[:1] not in (b"\0", b"\1") or body[1:2] != b"\0":
            raise PngError("The text in this PNG file is damaged.")
        body = fields[2]
    if compressed:
        body = _unpack(body)
    if len(body) > MAX_TEXT_BYTES:
        raise PngError("The text in this PNG file is too long.")
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        raise PngError("The text in this PNG file is damaged.") from error


def _unpack(body: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(body, MAX_TEXT_BYTES + 1)
    except zlib.error as error:
        raise PngError("The text in this PNG file is damaged.") from error
    if len(text) <= MAX_TEXT_BYTES and not unpacker.eof:
        raise PngError("The text in this PNG file is damaged.")
    return text
