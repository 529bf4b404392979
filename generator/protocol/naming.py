# SPDX-License-Identifier: GPL-3.0-or-later
"""How textures are named: ``<slug>_<seed>_<map>``, the same in files and in Blender."""

from __future__ import annotations

import re
import unicodedata

from .request import MAPS

MAX_SLUG = 48
MAX_NAME = 59
"""Blender cuts names at 63 bytes and appends ``.001`` to the second of a name; no map's suffix may be cut off."""

_LONGEST_SUFFIX = len("_basecolor")
_MAP_WORDS = {
    **dict.fromkeys(("basecolor", "basecolour", "albedo", "diffuse", "diff", "diffusecolor"), "basecolor"),
    **dict.fromkeys(
        ("normal", "normals", "nrm", "nor", "nrml", "normalgl", "normaldx", "norgl", "nordx"), "normal"
    ),
    **dict.fromkeys(("roughness", "rough", "rgh"), "roughness"),
    **dict.fromkeys(("height", "displacement", "disp", "dsp"), "height"),
    **dict.fromkeys(("ao", "ambientocclusion", "occlusion"), "ao"),
    **dict.fromkeys(("metallic", "metalness", "mtl"), "metallic"),
}
_AFTER_THE_MAP = ("k", "png", "jpg", "source", "tiled", "upscaled", "seamless", "x", "px")
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


def upscaled_file(stem: str) -> str:
    """The file name of a picture by itself that was made larger."""
    return f"{stem}_upscaled.png"


def map_of(name: str) -> str:
    """Which map a picture's name says that it is, such as ``wall_normal.png``; empty where it says nothing.

    What is recognised is what Node Wrangler recognises of the names that texture sites use.
    """
    plain = name.rsplit(".", 1)[0] if re.search(r"\.[A-Za-z]{3,4}$", name) else name
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", plain)
    parts = [part for part in re.split(r"[^a-z]+", words.lower()) if part]
    while parts and parts[-1] in _AFTER_THE_MAP:
        parts.pop()
    # The first word is what the picture shows, and "old_rough_plaster" is no roughness.
    for count in (2, 1):
        found = _MAP_WORDS.get("".join(parts[-count:])) if len(parts) > count else None
        if found:
            return found
    return ""


def without_map(stem: str) -> str:
    """The stem of a set from that of one of our maps: what comes before ``_normal`` and the like."""
    before, _, last = stem.rpartition("_")
    return before if before and last in MAPS else stem
