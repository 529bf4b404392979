# SPDX-License-Identifier: GPL-3.0-or-later
"""``generate`` and ``maps``: options to a request, the engine's events to files and to the terminal."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from generator import models
from generator.engine import Engine
from generator.files import OutputFolder, read_recipe
from generator.progress import GenerationError
from generator.protocol import MAPS, MAX_SIZE, MIN_SIZE, Array, Cancelled, Failed, ImageRef, Request

from . import upscaled
from .carry_out import carry_out, error_of, given_fields, read_source
from .reporting import reporter


def generate(options: argparse.Namespace) -> int:
    """``dream-textures generate``: from a prompt, a source image or a recipe."""
    given = given_fields(options)
    folder = OutputFolder(options.out, overwrite=options.overwrite)
    made_from: Path | None = options.recipe
    recipe = None if made_from is None else read_recipe(made_from).request
    source: Array | None = None
    if options.source is not None:
        source, given["source"] = read_source(options.source, folder)
    elif made_from is not None and recipe is not None and recipe.source is not None:
        if recipe.task == "upscale":
            source, given["source"] = upscaled.recipe_source(made_from, recipe, folder)
        else:
            source, given["source"] = _recipe_source(made_from, recipe.source, folder)
    if options.size is not None:
        given["width"], given["height"] = options.size
    elif recipe is None:
        given["width"], given["height"] = _default_size(given)
    if recipe is None:
        given.setdefault("seed", secrets.randbelow(2**31))
        request = Request(**given)
    else:
        request = _changed(recipe, given)
    return _run(request, source, folder, options)


def maps(options: argparse.Namespace) -> int:
    """``dream-textures maps``: a full set of maps from one image."""
    folder = OutputFolder(options.out, overwrite=options.overwrite)
    source, image = read_source(options.image, folder)
    request = Request(
        task="maps",
        source=image,
        width=image.width,
        height=image.height,
        maps=options.maps or MAPS,
        maps_from=options.maps_from or "auto",
        seamless=options.seamless,
    )
    return _run(request, source, folder, options)


def _changed(recipe: Request, given: dict[str, Any]) -> Request:
    """The recipe with what was given; what belongs to the model that it had does not suit another one: LoRAs, steps,
    guidance and scheduler."""
    if given.get("model", recipe.model) != recipe.model:
        given = {"loras": (), **given}
    request = replace(recipe, **given)
    if (request.model, request.loras) == (recipe.model, recipe.loras):
        return request
    open_again = {"num_inference_steps": 0, "guidance_scale": None, "scheduler": ""}
    return replace(request, **{name: value for name, value in open_again.items() if name not in given})


def _recipe_source(recipe: Path, wanted: ImageRef, folder: OutputFolder) -> tuple[Array, ImageRef]:
    """A recipe's source: in the recipe's own folder, under the bare name that it gives, with the same pixels."""
    path = recipe.parent / wanted.name
    if not wanted.name or not path.is_file():
        raise GenerationError(
            "no_source",
            f"{recipe.name} was made from a source image, and that image is not beside it.",
            "Copy it there, or name it with --source.",
        )
    source, found = read_source(path, folder)
    if found.sha256 != wanted.sha256:
        raise GenerationError(
            "no_source",
            f"{path} is not the image that {recipe.name} was made from.",
            "Name the right one with --source.",
        )
    return source, found


def _default_size(given: dict[str, Any]) -> tuple[int, int]:
    """Without ``--size``: the model's own size, with the proportions of the source where there is one."""
    side = models.native_size(given.get("model", models.PROCEDURAL.name))
    source: ImageRef | None = given.get("source")
    if source is None:
        return side, side
    scale = min(1.0, side / min(source.width, source.height))
    width, height = (max(MIN_SIZE, round(length * scale)) for length in (source.width, source.height))
    return min(width, MAX_SIZE), min(height, MAX_SIZE)


def _run(request: Request, source: Array | None, folder: OutputFolder, options: argparse.Namespace) -> int:
    report, engine = reporter(options.json), Engine()
    try:
        end = carry_out(engine, request, source, folder, report, sheet=not options.no_sheet)
    finally:
        report.close()
        engine.close()
    if isinstance(end, Failed):
        if options.debug:
            report.note(end.traceback)
        raise error_of(end)
    return 130 if isinstance(end, Cancelled) else 0
