# SPDX-License-Identifier: GPL-3.0-or-later
"""``tile``: pictures made to tile, each by itself, so that one that cannot be read does not lose the others."""

from __future__ import annotations

import argparse
from pathlib import Path

from generator.engine import Engine
from generator.files import OutputFolder
from generator.progress import GenerationError
from generator.protocol import Cancelled, Event, Failed, Request, RequestError, Result
from generator.protocol.seam_words import axes_of, broken_axes

from .carry_out import carry_out, given_fields, read_source
from .reporting import Reporter, reporter, sentence

TILES, DOES_NOT_TILE, ERROR, INTERRUPTED = 0, 1, 2, 130


def tile(options: argparse.Namespace) -> int:
    """Make each image tile; 0 where all do now, 1 where one still does not, 2 where one could not be made."""
    _folder(options)  # so that a file in its place is told once, before anything is computed
    report, engine = reporter(options.json), Engine()
    worst = TILES
    try:
        for path in options.images:
            worst = max(worst, _one(path, options, report, engine))
    finally:
        report.close()
        engine.close()
    return worst


def _folder(options: argparse.Namespace) -> OutputFolder:
    return OutputFolder(options.out, overwrite=options.overwrite)


def _one(path: Path, options: argparse.Namespace, report: Reporter, engine: Engine) -> int:
    folder = _folder(
        options
    )  # its own, lest the copy of a source that failed is written with the next result
    verdicts: list[bool] = []

    def judge(result: Result) -> None:
        verdicts.append(not broken_axes(result.seams, axes_of(result.recipe["seamless"])))

    end: Event
    try:
        source, image = read_source(path, folder)
        request = Request(
            **given_fields(options),
            task="tile",
            source=image,
            width=image.width,
            height=image.height,
            seamless=options.axes,
            maps=("basecolor",),
        )
        end = carry_out(engine, request, source, folder, report, job=str(path), each=judge)
    except (GenerationError, RequestError, OSError, MemoryError) as error:
        if options.debug:
            raise
        kind = error.kind if isinstance(error, GenerationError) else "invalid_request"
        end = Failed(str(path), kind, sentence(error))
        report.event(end)
    if isinstance(end, Failed):
        report.note(f"dream-textures: {end.message} {end.advice}".rstrip())
        if options.debug:
            report.note(end.traceback)
        return ERROR
    if isinstance(end, Cancelled):
        return INTERRUPTED
    return TILES if all(verdicts) else DOES_NOT_TILE
