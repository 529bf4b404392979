# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in files: read with care, written whole or not at all, each with its recipe inside. Needs Pillow."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from generator import __version__
from generator.material import MAPS, Material
from generator.pixels import Pixels, decode_maps, encode_map
from generator.progress import GenerationError
from generator.protocol import (
    MAX_SIZE,
    RECIPE_KEYWORD,
    Recipe,
    RecipeError,
    Request,
    parse_recipe,
    recipe_text,
)
from generator.protocol.naming import map_file, tiled_file, upscaled_file
from generator.sheet import render_sheet

MAX_PIXELS = 4 * MAX_SIZE * MAX_SIZE
"""Pictures beyond this are refused before they are decoded."""


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """A picture as ``(H, W, 3 or 4)`` uint8, sRGB, upright, top row first.

    Raises `GenerationError` for a file that is missing, broken, too large or not a picture.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise GenerationError(
                    "bad_image", f"{path.name} has more pixels than {MAX_SIZE} x {MAX_SIZE}."
                )
            image = ImageOps.exif_transpose(_to_srgb(opened))
            image.load()
    except FileNotFoundError as error:
        raise GenerationError("bad_image", f"There is no file {path}.") from error
    except IsADirectoryError as error:
        raise GenerationError("bad_image", f"{path} is a folder, not a picture.") from error
    except UnidentifiedImageError as error:
        raise GenerationError(
            "bad_image", f"{path.name} is not a picture in a format that can be read."
        ) from error
    except Image.DecompressionBombError as error:
        raise GenerationError("bad_image", f"{path.name} unpacks to far too many pixels.") from error
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow's decoders raise for damaged files
        raise GenerationError("bad_image", f"{path.name} cannot be read: {error}.") from error
    if image.mode.startswith("I") or image.mode == "F":
        levels = np.asarray(image, np.float64)
        scale = 255.0 if image.mode == "F" and levels.max(initial=0.0) <= 1.0 else 255.0 / 65535.0
        grey = np.clip(levels * scale + 0.5, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if has_alpha else "RGB"))


def _to_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB, where it says that it is in another colour space."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except ImageCms.PyCMSError:
        return image  # a broken profile: the numbers as they are come closest
    return converted or image


def read_levels(path: Path) -> Pixels:
    """A picture as `read_image` gives it, but one of grey levels alone as ``(H, W)``, in 16 bits where it has them."""
    try:
        with Image.open(path) as opened:
            grey = opened.mode in ("1", "L") or opened.mode.startswith("I")
            if grey and "transparency" not in opened.info and opened.width * opened.height <= MAX_PIXELS:
                levels = np.asarray(ImageOps.exif_transpose(opened).convert("I"))
                if opened.mode.startswith("I"):
                    return np.clip(levels, 0, 65535).astype(np.uint16)
                return levels.astype(np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        pass  # `read_image` says what is wrong with it
    return read_image(path)


def read_recipe(path: Path) -> Recipe:
    """The recipe inside a picture that Dream Textures wrote; `GenerationError` when there is none."""
    try:
        with Image.open(path) as image:
            text = getattr(image, "text", {}).get(RECIPE_KEYWORD)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise GenerationError("no_recipe", f"{path} cannot be read as a picture.") from error
    if text is None:
        raise GenerationError("no_recipe", f"{path.name} carries no recipe of Dream Textures.")
    try:
        return parse_recipe(str(text))
    except RecipeError as error:
        raise GenerationError("no_recipe", f"{path.name}: {error}") from error


class OutputFolder:
    """The folder that receives the files; it never lets one of them be replaced without being told to."""

    def __init__(self, folder: Path, *, overwrite: bool) -> None:
        self._folder = folder
        self._overwrite = overwrite
        self._planned: dict[str, bytes] = {}
        if folder.exists() and not folder.is_dir():
            raise GenerationError("bad_folder", f"{folder} is a file, and the results need a folder.")

    def save(
        self, stem: str, request: Request, material: Material, seams: dict[str, Any], *, sheet: bool
    ) -> Iterator[Path]:
        """Write the maps that the request names, and the sheet; yields each path when it is complete.

        Where one of the names is taken, the whole set gets the next free ending (``-2``, ``-3``, ...).
        """
        self._begin()
        names = [*request.maps, "sheet"] if sheet else list(request.maps)
        free = self._free_stem(stem, names)
        for name in names:
            pixels = render_sheet(material, request.prompt) if name == "sheet" else encode_map(material, name)
            report = seams.get(name, {})
            text = recipe_text(
                request, map_name=name, version=__version__, relief=material.relief, seams=report
            )
            path = self._folder / map_file(free, name)
            self._write(path, _png(pixels, text))
            yield path

    def save_tiled(self, stem: str, request: Request, pixels: Pixels, seams: dict[str, Any]) -> Path:
        """Write a picture that was made to tile; where its name is taken, under the next free one."""
        self._begin()
        path = self._free_path(stem, tiled_file)
        report = seams["basecolor"]
        text = recipe_text(request, map_name="basecolor", version=__version__, relief=0.0, seams=report)
        self._write(path, _png(pixels, text))
        return path

    def save_pictures(
        self,
        stem: str,
        request: Request,
        pictures: Mapping[str, Pixels],
        seams: dict[str, Any],
        *,
        by_map: bool,
        sheet: bool,
    ) -> Iterator[Path]:
        """Write pictures that were made larger; yields each path when it is complete.

        With ``by_map`` they are called by their maps, as `save` does it, else after what was done to them. A whole
        set has a sheet as well.
        """
        self._begin()
        sheet = sheet and by_map and set(pictures) == set(MAPS)
        free = self._free_stem(stem, [*pictures, *(["sheet"] if sheet else [])]) if by_map else ""
        for name, pixels in pictures.items():
            path = self._folder / map_file(free, name) if by_map else self._free_path(stem, upscaled_file)
            text = recipe_text(
                request, map_name=name, version=__version__, relief=request.relief, seams=seams.get(name, {})
            )
            self._write(path, _png(pixels, text))
            yield path
        if sheet:
            material = decode_maps(pictures, request.relief)
            report = seams.get("basecolor", {})
            text = recipe_text(
                request, map_name="sheet", version=__version__, relief=request.relief, seams=report
            )
            path = self._folder / map_file(free, "sheet")
            self._write(path, _png(render_sheet(material, request.prompt), text))
            yield path

    def plan_source(self, pixels: Pixels, stem: str) -> str:
        """Keep a lossless copy of the source for the recipe, written with the first results; its bare name.

        An equal copy that lies there already is used.
        """
        free = self._plan(stem, {"": pixels})
        return f"{free}.png"

    def plan_sources(self, pictures: Mapping[str, Pixels], stem: str) -> str:
        """The same for the maps of a set: what the names of the copies have before ``_<map>.png``."""
        return self._plan(stem, {f"_{name}": pixels for name, pixels in pictures.items()})

    def _plan(self, stem: str, pictures: Mapping[str, Pixels]) -> str:
        files = {ending: _png(pixels, None) for ending, pixels in pictures.items()}
        number = 1
        while True:
            free = f"{stem}{'' if number == 1 else f'-{number}'}_source"
            paths = {self._folder / f"{free}{ending}.png": data for ending, data in files.items()}
            if not any(path.exists() for path in paths):
                self._planned |= {path.name: data for path, data in paths.items()}
                return free
            if all(path.is_file() and path.read_bytes() == data for path, data in paths.items()):
                return free
            number += 1

    def _begin(self) -> None:
        """Make the folder, and write the sources that were kept for this moment."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while self._planned:
            name, data = self._planned.popitem()
            self._write(self._folder / name, data)

    def _free_path(self, stem: str, named: Callable[[str], str]) -> Path:
        path, number = self._folder / named(stem), 1
        while path.exists() and not self._overwrite:
            number += 1
            path = self._folder / named(f"{stem}-{number}")
        return path

    def _free_stem(self, stem: str, names: list[str]) -> str:
        free, number = stem, 1
        while not self._overwrite and any((self._folder / map_file(free, name)).exists() for name in names):
            number += 1
            free = f"{stem}-{number}"
        return free

    def _write(self, path: Path, data: bytes) -> None:
        """Write beside the target first, so that a full disk or a crash leaves no half-written picture."""
        partial = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}.part")
        try:
            with partial.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _png(pixels: Pixels, text: str | None) -> bytes:
    info = PngImagePlugin.PngInfo()
    if text is not None:
        info.add_itxt(RECIPE_KEYWORD, text)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=info, compress_level=6)
    return stream.getvalue()
