# SPDX-License-Identifier: GPL-3.0-or-later
"""How textures are named: ``<slug>_<seed>_<map>``, the same in files and in Blender."""

from __future__ import annotations

import re
import unicodedata

MAX_SLUG = 48
MAX_NAME = 59
"""Blender cuts names at 63 bytes and appends ``.001`` to the second of a name; no map's suffix may be cut off."""

_LONGEST_SUFFIX = len("_basecolor")
_RESERVED = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)


def slug(prompt: str, limit: int = MAX_SLUG) -> str:
    """The prompt as a file name's part: lower-case ASCII words joined by hyphens, 1 to ``limit`` characters.

    Cut between words where that leaves at least half of it. A prompt without Latin letters or digits becomes
    ``texture``; a name that Windows keeps for devices gets that word appended.
    """
    spelled = unicodedata.normalize("NFKD", prompt.lower().translate(_SPELLED))
    plain = "".join(character for character in spelled if not unicodedata.combining(character))
    words = "-".join(re.findall(r"[a-z0-9]+", plain.lower()))
    if len(words) > limit:
        cut = words[: limit + 1].rfind("-")
        words = words[: cut if cut >= limit // 2 else limit].strip("-")
    if not words:
        return "texture"[:limit]
    return f"{words}-texture" if _RESERVED.fullmatch(words) else words


def file_stem(prompt: str, seed: int) -> str:
    """``<slug>_<seed>``: what all maps of one texture have in common."""
    ending = f"_{seed}"
    return slug(prompt, min(MAX_SLUG, MAX_NAME - _LONGEST_SUFFIX - len(ending))) + ending


def map_file(stem: str, map_name: str) -> str:
    """The file name of one map: ``<stem>_<map>.png``, an ending that Node Wrangler recognises."""
    return f"{stem}_{map_name}.png"


def tiled_file(stem: str) -> str:
    """The file name of a picture that was made to tile."""
    return f"{stem}_tiled.png"
