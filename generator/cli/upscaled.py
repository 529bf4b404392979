# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of maps as files: found, stacked into one source, written again when they are larger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from generator.files import OutputFolder, read_levels
from generator.pixels import Pixels, reference, to_wire
from generator.progress import GenerationError
from generator.protocol import MAPS, MAX_SIZE, Array, ImageRef, Request, layers
from generator.protocol.naming import slug, without_map

_ENDINGS = (".png", ".tif", ".tiff", ".webp", ".jpg", ".jpeg", ".bmp")
_EIGHT_TO_SIXTEEN = 257


@dataclass(frozen=True)
class FileSet:
    """Maps that belong together: what their names share, and the file of each."""

    stem: str
    files: dict[str, Path]


def find_sets(folder: Path, stem: str = "") -> list[FileSet]:
    """The sets in a folder, each named ``<stem>_<map>``, in alphabetical order; or the one of this stem."""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        name, _, last = path.stem.rpartition("_")
        if not name or last not in MAPS or path.suffix.lower() not in _ENDINGS or not path.is_file():
            continue
        if stem in ("", name) and not name.endswith("_source"):
            found.setdefault(name, {}).setdefault(last, path)
    return [
        FileSet(name, {map_name: files[map_name] for map_name in MAPS if map_name in files})
        for name, files in found.items()
    ]


def read_set(files: Mapping[str, Path]) -> dict[str, Pixels]:
    """Each map's pixels: ``(H, W, 3 or 4)`` of the base colour and normals, ``(H, W)`` of the others.

    Raises `GenerationError` where one cannot be read, or where they are not of one size.
    """
    pictures: dict[str, Any] = {}
    for name, path in files.items():
        levels = read_levels(path)
        if name in layers.COLOURED:
            levels = np.repeat(levels[..., None], 3, axis=2) if levels.ndim == 2 else levels
            pictures[name] = levels if name == "basecolor" else levels[..., :3]
        else:
            pictures[name] = levels if levels.ndim == 2 else levels[..., 0]
    sizes = {pixels.shape[:2] for pixels in pictures.values()}
    if len(sizes) > 1:
        listed = ", ".join(f"{name} {p.shape[1]} x {p.shape[0]}" for name, p in pictures.items())
        raise GenerationError("bad_image", f"The maps are not of one size: {listed}.")
    return pictures


def stacked(pictures: Mapping[str, Pixels]) -> Pixels:
    """The maps as the channels of one picture, in 16 bits if any of them has them; see `layers.layout`."""
    planes: list[Any] = [pixels if pixels.ndim == 3 else pixels[..., None] for pixels in pictures.values()]
    if any(plane.dtype == np.uint16 for plane in planes):
        planes = [
            plane if plane.dtype == np.uint16 else plane.astype(np.uint16) * np.uint16(_EIGHT_TO_SIXTEEN)
            for plane in planes
        ]
    return np.ascontiguousarray(np.concatenate(planes, axis=2))


def fitting(pixels: Pixels, factor: int, name: str) -> Pixels:
    """The same pixels. Raises `GenerationError` where they would become too large."""
    height, width = pixels.shape[:2]
    if max(width, height) * factor > MAX_SIZE:
        raise GenerationError(
            "bad_size",
            f"{name} has {width} x {height} pixels, and {factor} times that is more than {MAX_SIZE} a side.",
        )
    return pixels


def plan_set(pictures: Mapping[str, Pixels], stem: str, folder: OutputFolder) -> tuple[Array, ImageRef]:
    """A set as a source; copies of its files beside the results are what a recipe will look for."""
    pixels = stacked(pictures)
    return to_wire(pixels), reference(pixels, folder.plan_sources(pictures, stem.removesuffix("_source")))


def plan_image(picture: Pixels, stem: str, folder: OutputFolder) -> tuple[Array, ImageRef]:
    """A picture by itself as a source. One that is called like a map of ours keeps that name."""
    stem = stem.removesuffix("_source")
    name = folder.plan_source(picture, stem if without_map(stem) != stem else slug(stem))
    pixels = picture if picture.ndim == 3 else picture[..., None]
    return to_wire(pixels), reference(pixels, name)


def recipe_source(recipe: Path, request: Request, folder: OutputFolder) -> tuple[Array, ImageRef]:
    """The source that a recipe was made larger from: in its own folder, under the bare name that it gives."""
    wanted = request.source
    assert wanted is not None  # the request guarantees it
    missing = GenerationError(
        "no_source",
        f"{recipe.name} was made larger, and what it was made from is not beside it.",
        "Copy it there, or begin with dream-textures upscale.",
    )
    path = recipe.parent / wanted.name
    if not wanted.name:
        raise missing
    if path.suffix == ".png":
        if not path.is_file():
            raise missing
        source, found = plan_image(read_levels(path), path.stem, folder)
    else:
        files = {name: recipe.parent / f"{wanted.name}_{name}.png" for name in request.maps}
        if not all(file.is_file() for file in files.values()):
            raise missing
        source, found = plan_set(read_set(files), wanted.name, folder)
    if found.sha256 != wanted.sha256:
        raise GenerationError("no_source", f"{path.name} is not what {recipe.name} was made from.")
    return source, found


def write_upscaled(
    folder: OutputFolder, request: Request, pictures: dict[str, Pixels], seams: dict[str, Any], *, sheet: bool
) -> Iterator[Path]:
    """Write what came back, under the names that the source has; yields each path when it is complete."""
    assert request.source is not None
    name = request.source.name
    is_set = not name.endswith(".png")
    stem = name.removesuffix(".png").removesuffix("_source")
    by_map = is_set or without_map(stem) != stem
    stem = without_map(stem) if by_map and not is_set else stem
    return folder.save_pictures(stem, request, pictures, seams, by_map=by_map, sheet=sheet)
