# SPDX-License-Identifier: GPL-3.0-or-later
"""Between Blender's images and what travels: finished maps become images, an open image becomes a source."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt

from . import naming
from .encode import EncodedMap, IntegerImage
from .wire import protocol

RECIPE = "dtex_recipe"
"""The custom property of an image that holds its recipe, as the PNG file does."""

FOLDER = "//textures/"
_COLOUR_MAPS = frozenset({"basecolor"})


class ImageError(ValueError):
    """An image cannot be read or written; the text is a sentence for the artist."""


def texture_folder() -> Path | None:
    """Where images are saved: ``textures`` beside the .blend, or None while it has not been saved."""
    return Path(bpy.path.abspath(FOLDER)) if bpy.data.filepath else None


def save_files(maps: Sequence[EncodedMap], words: str, folder: Path) -> list[Path]:
    """Write one texture's maps and return their paths in order. No file is ever replaced.

    Raises `ImageError` where the folder cannot be written.
    """
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stem = naming.unique_stem(folder, naming.file_stem(words, maps[0].seed))
        paths = [folder / protocol.naming.map_file(stem, item.map) for item in maps]
        for path, item in zip(paths, maps, strict=True):
            _write_whole(path, item.png)
            written.append(path)
    except OSError as error:
        for path in written:  # a set that lacks maps is of no use beside the packed one
            with contextlib.suppress(OSError):
                path.unlink()
        raise ImageError(f"“{folder}” cannot be written: {error.strerror or error}.") from error
    return paths


def add_images(
    maps: Sequence[EncodedMap], words: str, paths: Sequence[Path] | None
) -> dict[str, bpy.types.Image]:
    """One texture's maps as images by map name: from their files, or packed where ``paths`` is None."""
    images = {}
    for number, item in enumerate(maps):
        name = naming.image_name(words, item.seed, item.map)
        image = add_image(item, name, None if paths is None else paths[number])
        # Not a colour space by name: a studio's colour configuration may have other names.
        image.colorspace_settings.is_data = item.map not in _COLOUR_MAPS
        images[item.map] = image
    return images


def read_source(image: bpy.types.Image, deep: bool = False) -> tuple[protocol.Array, protocol.ImageRef]:
    """An open image as the generator wants it: sRGB, ``uint8 (H, W, 3 or 4)``, top row first.

    What is no colour, and what has 8 bits, is sent as it is stored. ``deep`` sends an image of floats as ``uint16``.
    An image larger than the generator takes is sent smaller. Raises `ImageError` where it has no pixels.
    """
    depth = np.uint16 if deep and image.is_float else np.uint8
    width, height = image.size
    if not image.has_data and not width:
        raise ImageError(f"The source image “{image.name}” has no pixels; is its file still there?")
    largest = max(width, height)
    if largest > protocol.MAX_SIZE:
        smaller = image.copy()
        try:
            factor = protocol.MAX_SIZE / largest
            smaller.scale(max(1, round(width * factor)), max(1, round(height * factor)))
            pixels = _read_pixels(smaller, depth)
        finally:
            bpy.data.images.remove(smaller)
    else:
        pixels = _read_pixels(image, depth)
    return as_sent(pixels, Path(image.filepath).name or image.name)


def as_sent(pixels: IntegerImage, name: str) -> tuple[protocol.Array, protocol.ImageRef]:
    """Pixels ``(H, W, C)`` as they travel, and how a request names them."""
    bare = re.sub(r"[\\/:\x00]", "_", name)
    data = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()
    reference = protocol.ImageRef(hashlib.sha256(data).hexdigest(), pixels.shape[1], pixels.shape[0], bare)
    return protocol.Array(pixels.dtype.name, pixels.shape, data), reference


def add_image(item: EncodedMap, name: str, path: Path | None) -> bpy.types.Image:
    """One picture as an image of this name: from its file, or packed where ``path`` is None."""
    image = _packed(item, name) if path is None else _loaded(path, name)
    image[RECIPE] = item.recipe
    return image


def _loaded(path: Path, name: str) -> bpy.types.Image:
    image = bpy.data.images.load(str(path), check_existing=False)
    image.name = name
    if bpy.data.filepath:
        image.filepath = bpy.path.relpath(str(path))
    return image


def _packed(item: EncodedMap, name: str) -> bpy.types.Image:
    image = bpy.data.images.new(name, 1, 1)
    image.pack(data=item.png, data_len=len(item.png))  # type: ignore[arg-type]
    image.source = "FILE"
    # Where it goes when the artist unpacks it.
    image.filepath_raw = f"{FOLDER}{image.name}.png"
    return image


def exceeds_white(image: bpy.types.Image) -> bool:
    """Whether an image of floats holds values above 1, which no map has room for."""
    return image.is_float and bool((_stored_pixels(image)[..., :3] > 1.0).any())


def save_file(data: bytes, name: str, folder: Path) -> Path:
    """Write one file under this name or the next free one. Raises `ImageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = naming.unique(folder / name)
        _write_whole(path, data)
    except OSError as error:
        raise ImageError(f"“{folder}” cannot be written: {error.strerror or error}.") from error
    return path


def _stored_pixels(image: bpy.types.Image) -> npt.NDArray[np.float32]:
    """``(H, W, C)``, bottom row first."""
    width, height = image.size
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)  # type: ignore[arg-type]
    return flat.reshape(height, width, image.channels)


def _read_pixels(image: bpy.types.Image, depth: type[np.unsignedinteger]) -> IntegerImage:
    pixels = _stored_pixels(image)[::-1]
    if image.channels < 3:
        pixels = np.concatenate([np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1:]], axis=2)
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    if image.is_float:
        if alpha.size and image.alpha_mode in ("STRAIGHT", "PREMUL"):
            colour = colour / np.maximum(alpha, np.float32(1e-6))  # Blender keeps floats premultiplied
        if not image.colorspace_settings.is_data:
            colour = _srgb_from_linear(colour)
    parts = [colour] if not alpha.size or bool((alpha >= 1.0).all()) else [colour, alpha]
    joined = np.concatenate(parts, axis=2)
    levels = np.clip(joined, 0.0, 1.0) * np.float32(np.iinfo(depth).max) + np.float32(0.5)
    return np.ascontiguousarray(levels.astype(depth))


def _srgb_from_linear(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The transfer function of IEC 61966-2-1."""
    clipped = np.clip(linear, 0.0, 1.0)
    curve = 1.055 * np.power(clipped, 1 / 2.4) - 0.055
    return np.where(clipped <= 0.0031308, clipped * 12.92, curve).astype(np.float32)


def _write_whole(path: Path, data: bytes) -> None:
    """Write under another name first, so that a full disk leaves no half-written picture."""
    partial = path.with_name(f".{secrets.token_hex(6)}.part")
    try:
        with partial.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
