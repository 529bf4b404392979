# SPDX-License-Identifier: GPL-3.0-or-later
"""One request from its source picture to its files; the commands only put requests together."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from generator.engine import Engine
from generator.files import OutputFolder, read_image
from generator.material import Material
from generator.pixels import Pixels, reference, to_wire
from generator.progress import GenerationError
from generator.protocol import MAX_SIZE, MIN_SIZE, Array, Event, Failed, ImageRef, Request, Result
from generator.protocol.naming import file_stem, slug

from .reporting import Reporter
from .upscaled import write_upscaled

_FIELDS = {
    "prompt": "prompt",
    "maps_from": "maps_from",
    "negative": "negative_prompt",
    "model": "model",
    "loras": "loras",
    "seed": "seed",
    "count": "count",
    "seamless": "seamless",
    "maps": "maps",
    "strength": "strength",
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "guidance_end": "guidance_end",
    "scheduler": "scheduler",
    "precision": "precision",
    "device": "device",
}
"""Which option sets which field of the request."""


def given_fields(options: argparse.Namespace) -> dict[str, Any]:
    """What the options set of a request; an option that was not given sets nothing."""
    values = {field: getattr(options, name, None) for name, field in _FIELDS.items()}
    return {field: value for field, value in values.items() if value is not None}


def read_source(path: Path, folder: OutputFolder) -> tuple[Array, ImageRef]:
    """The picture at ``path``; its copy beside the results is what a recipe will look for."""
    pixels = read_image(path)
    height, width = pixels.shape[:2]
    if not (MIN_SIZE <= width <= MAX_SIZE and MIN_SIZE <= height <= MAX_SIZE):
        raise GenerationError(
            "bad_size",
            f"{path.name} has {width} x {height} pixels, and each side must have {MIN_SIZE} to {MAX_SIZE}.",
        )
    name = folder.plan_source(pixels, slug(path.stem.removesuffix("_source")))
    return to_wire(pixels), reference(pixels, name)


def carry_out(
    engine: Engine,
    request: Request,
    source: Array | None,
    folder: OutputFolder,
    report: Reporter,
    *,
    job: str = "cli",
    sheet: bool = False,
    each: Callable[[Result], None] = lambda _result: None,
) -> Event:
    """Carry out one request and write its files; its last event. ``each`` is called with every result."""
    last: list[Event] = []

    def keep(
        _index: int, made: Request, picture: Material | Pixels | dict[str, Pixels], seams: dict[str, Any]
    ) -> None:
        if isinstance(picture, dict):
            for path in write_upscaled(folder, made, picture, seams, sheet=sheet):
                report.wrote(path)
            return
        stem = file_stem(made.prompt, made.seed)
        if made.task in ("maps", "tile") and made.source is not None:
            stem = slug(Path(made.source.name).stem.removesuffix("_source"))
        if isinstance(picture, Material):
            for path in folder.save(stem, made, picture, seams, sheet=sheet):
                report.wrote(path)
        else:
            report.wrote(folder.save_tiled(stem, made, picture, seams))

    def emit(event: Event) -> None:
        last[:] = [event]
        if isinstance(event, Result):
            report.result(event)
            each(event)
        else:
            report.event(event)

    engine.run(job, request, source, emit, previews=False, keep=keep)
    return last[0]


def error_of(failed: Failed) -> GenerationError:
    """A job's failure as the error that ends a command."""
    return GenerationError(failed.kind, failed.message, failed.advice)
