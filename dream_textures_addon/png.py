# SPDX-License-Identifier: GPL-3.0-or-later
"""Text chunks of PNG files, with the standard library alone: Blender's Python has no Pillow."""

from __future__ import annotations

KEYWORD = "dream_textures"


class PngError(ValueError):
    """The bytes are not a PNG file that can be read; the text is a sentence."""


def insert_text(png: bytes, keyword: str, text: str) -> bytes:
    """The file with an iTXt chunk after its header; an earlier text of this keyword is replaced."""
    raise NotImplementedError


def read_text(png: bytes, keyword: str) -> str | None:
    """The text of this keyword (tEXt, zTXt or iTXt), or None where there is none."""
    raise NotImplementedError
