# SPDX-License-Identifier: GPL-3.0-or-later
"""``upscale``: an image or sets of maps, two or four times as large."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from generator.engine import Engine
from generator.files import OutputFolder, read_levels, read_recipe
from generator.pixels import Pixels
from generator.progress import GenerationError
from generator.protocol import (
    DEFAULT_MODEL,
    LANCZOS,
    MAPS,
    UPSCALER,
    Array,
    Cancelled,
    Failed,
    ImageRef,
    Recipe,
    Request,
    RequestError,
    layers,
)
from generator.protocol.naming import map_of

from .carry_out import carry_out, error_of
from .reporting import Reporter, reporter
from .upscaled import FileSet, find_sets, fitting, plan_image, plan_set, read_set

_KINDS = {"colour": "basecolor", "normal": "normal", "data": "roughness"}
_METHODS = {None: DEFAULT_MODEL, "network": UPSCALER, "lanczos": LANCZOS}


def upscale(options: argparse.Namespace) -> int:
    """Make the input larger; 0 where all of it was, 130 where it was cancelled.

    A set that cannot be made larger does not keep the others from it; its error is raised when they are done.
    """
    if options.model_file is not None and options.method is not None:
        raise RequestError("Give either --model-file or --method.")
    found = _inputs(options.input)
    report, engine = reporter(options.json), Engine()
    failed: list[GenerationError] = []
    try:
        for item in found:
            folder = OutputFolder(options.out, overwrite=options.overwrite)
            try:
                request, source = _ordered(item, options, folder)
                if not _run(request, source, folder, options, report, engine):
                    return 130
            except GenerationError as error:
                failed.append(error)
                if len(found) > 1:
                    report.note(f"{item.stem}: {error.message} {error.advice}".rstrip())
    finally:
        report.close()
        engine.close()
    if len(failed) > 1:
        raise GenerationError(failed[0].kind, f"{len(failed)} of {len(found)} sets were not made larger.")
    if failed:
        raise failed[0]
    return 0


def _inputs(path: Path) -> list[FileSet | Path]:
    """The image itself, or every set that is meant. Raises `GenerationError` where there is none."""
    if path.is_dir():
        found: list[FileSet | Path] = list(find_sets(path))
        if not found:
            raise GenerationError(
                "bad_image",
                f"{path} holds no set of maps.",
                "A set is called NAME_basecolor.png, NAME_normal.png and so on; or name one image.",
            )
        return found
    if not path.exists() and path.parent.is_dir():
        sets = find_sets(path.parent, path.name)
        if sets:
            return list(sets)
    return [path]


def _ordered(
    item: FileSet | Path, options: argparse.Namespace, folder: OutputFolder
) -> tuple[Request, Array]:
    if isinstance(item, FileSet):
        pictures = read_set(item.files)
        first = next(iter(pictures.values()))
        fitting(first, options.factor, item.stem)
        recipes = {name: _recipe(path) for name, path in item.files.items()}
        source, image = plan_set(pictures, item.stem, folder)
        known = recipes.get("height") or next(filter(None, recipes.values()), None)
        return _request(image, tuple(item.files), known, options), source
    picture = fitting(read_levels(item), options.factor, item.name)
    recipe = _recipe(item)
    picture, name = _bare(picture, _kind(item, picture, recipe, options.kind))
    source, image = plan_image(picture, item.stem, folder)
    return _request(image, (name,), recipe, options), source


def _kind(path: Path, picture: Pixels, recipe: Recipe | None, asked: str | None) -> str:
    """Which map an image by itself is taken for."""
    if asked is not None:
        return _KINDS[asked]
    # A picture that was made to tile is called basecolor whatever it shows.
    if recipe is not None and recipe.map in MAPS and recipe.request.task in ("texture", "maps"):
        return recipe.map
    return map_of(path.name) or ("basecolor" if picture.ndim == 3 else "roughness")


def _bare(picture: Pixels, name: str) -> tuple[Pixels, str]:
    """Data that were stored as colours, though all three are the same, as one channel."""
    if name in layers.COLOURED or picture.ndim == 2:
        return picture, name
    opaque = picture.shape[2] < 4 or bool((picture[..., 3] == np.iinfo(picture.dtype).max).all())
    if opaque and bool((picture[..., :3] == picture[..., :1]).all()):
        return picture[..., 0], name
    return picture, "roughness"  # several data packed into one picture: each channel is taken by itself


def _recipe(path: Path) -> Recipe | None:
    try:
        return read_recipe(path)
    except GenerationError:
        return None  # most pictures have none


def _request(
    image: ImageRef, maps: tuple[str, ...], recipe: Recipe | None, options: argparse.Namespace
) -> Request:
    known: dict[str, Any] = {}
    if recipe is not None:
        before = recipe.request
        known = {"prompt": before.prompt, "seed": before.seed, "seamless": before.seamless}
        known["relief"] = recipe.relief
    if options.seamless is not None or recipe is None:
        known["seamless"] = options.seamless or "auto"
    if options.device is not None:
        known["device"] = options.device
    model = _METHODS[options.method] if options.model_file is None else str(options.model_file)
    return Request(
        **known,
        task="upscale",
        model=model,
        width=image.width * options.factor,
        height=image.height * options.factor,
        maps=maps,
        source=image,
    )


def _run(
    request: Request,
    source: Array,
    folder: OutputFolder,
    options: argparse.Namespace,
    report: Reporter,
    engine: Engine,
) -> bool:
    end = carry_out(engine, request, source, folder, report, sheet=not options.no_sheet)
    if isinstance(end, Failed):
        if options.debug:
            report.note(end.traceback)
        raise error_of(end)
    return not isinstance(end, Cancelled)
