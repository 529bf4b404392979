# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images and files; the scheme itself belongs to the protocol, so that both programs share it."""

from __future__ import annotations

from pathlib import Path

from .wire import protocol

slug = protocol.naming.slug
file_stem = protocol.naming.file_stem


def image_name(prompt: str, seed: int, map_name: str) -> str:
    """The name of one map as a Blender image: ``<slug>_<seed>_<map>``, at most 59 bytes."""
    return f"{file_stem(prompt, seed)}_{map_name}"


def file_name(prompt: str, seed: int, map_name: str) -> str:
    """The name of one map as a file: the image's name and ``.png``."""
    return protocol.naming.map_file(file_stem(prompt, seed), map_name)


def unique(path: Path) -> Path:
    """The path itself while nothing is there, else with ``-2``, ``-3`` ... before its ending."""
    candidate, number = path, 2
    while candidate.exists() or candidate.is_symlink():
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate


def tiled_file(name: str) -> str:
    """The file name of a picture that was made to tile, from what it was called."""
    return protocol.naming.tiled_file(slug(name))


def upscaled_file(name: str) -> str:
    """The file name of a picture by itself that was made larger, from what it was called."""
    return protocol.naming.upscaled_file(slug(name))


def unique_stem(folder: Path, stem: str) -> str:
    """The stem, or with ``-2``, ``-3`` ..., of which no map lies in the folder, so that a set stays together."""
    candidate, number = stem, 2
    while any((folder / protocol.naming.map_file(candidate, name)).exists() for name in protocol.MAPS):
        candidate = f"{stem}-{number}"
        number += 1
    return candidate
