# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: a `Request` in, events out. It knows models only by what `generator.models.Model` promises."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from generator import models, seams, upscaling
from generator.map_making import maps_of, settle_maker
from generator.material import FloatArray, Material
from generator.pixels import (
    Pixels,
    encode_map,
    flatten_alpha,
    from_levels,
    from_wire,
    reference,
    to_uint8,
    to_wire,
)
from generator.progress import CancelledError, GenerationError
from generator.protocol import (
    Array,
    Cancelled,
    Event,
    Failed,
    Finished,
    Loading,
    Notice,
    Request,
    RequestError,
    Result,
    Step,
    known_errors,
    layers,
)
from generator.repair import measure, repair
from generator.resample import resize
from generator.shortage import forget_frames, is_out_of_memory, trim_heap
from generator.tileable import tile

PREVIEW_SIDE = 512
PREVIEW_PAUSE = 0.1
"""Seconds between previews at the least: nobody sees more, and a fast card would be busy with little else."""

Emit = Callable[[Event], None]
Keep = Callable[[int, Request, Material | Pixels | dict[str, Pixels], dict[str, Any]], None]


class Engine:
    """Carries out requests one after another and keeps the last model warm. Not for use by several threads."""

    def __init__(self) -> None:
        self._model: models.Model | None = None
        self._loaded: tuple[str, str, str] | None = None

    def run(
        self,
        job: str,
        request: Request,
        source: Array | None,
        emit: Emit,
        cancelled: Callable[[], bool] = lambda: False,
        previews: bool = False,
        keep: Keep | None = None,
    ) -> None:
        """Carry out one request; the last event is always Finished, Failed or Cancelled, and nothing is raised.

        ``keep`` is called with (index, the image's own request, its material, its seam reports by map) for each
        finished material, before its results are sent; for the task ``tile`` with the picture in the material's
        place, for ``upscale`` with the pictures by map.
        """
        started = time.monotonic()
        progress = _JobProgress(job, emit, cancelled, previews)
        try:
            self._make(request, source, progress, keep)
        except CancelledError:
            emit(Cancelled(job))
        except GenerationError as error:
            emit(Failed(job, error.kind, error.message, error.advice, traceback.format_exc()))
        except RequestError as error:
            emit(Failed(job, "invalid_request", str(error), "", traceback.format_exc()))
        except Exception as error:
            if is_out_of_memory(error):
                report = traceback.format_exc()
                forget_frames(error)
                self.release()  # whatever it was that filled the memory, the next job shall find room
                message = f"There is not enough memory for {request.width} x {request.height}."
                advice = "Choose a smaller size, or close other programs."
                emit(Failed(job, "out_of_memory", message, advice, report))
                return
            emit(_unforeseen(job, error))
        else:
            emit(Finished(job, round(time.monotonic() - started, 3)))

    @property
    def loaded(self) -> str:
        """The model that is kept warm, or an empty text."""
        return "" if self._loaded is None else self._loaded[0]

    def release(self) -> str:
        """Let go of the loaded model and give its memory back to the system; gives the name that it had, or "".

        To be called by whoever calls `run`, between jobs. The next request loads its model again.
        """
        name = self.loaded
        self.close()
        trim_heap()
        return name

    def close(self) -> None:
        """Let go of the loaded model."""
        if self._model is not None:
            self._model.close()
        self._model = self._loaded = None

    def _make(
        self, request: Request, source: Array | None, progress: _JobProgress, keep: Keep | None
    ) -> None:
        picture = _source_pixels(request, source)
        if request.task == "upscale":
            assert picture is not None  # the request guarantees it
            self._upscale(picture, models.settle_unasked(request), progress, keep)
            return
        request = settle_maker(settle_axes(request, picture), progress)
        if request.task == "maps":
            assert picture is not None  # the request guarantees it
            basecolor = _fit_picture(picture, request)
            made = maps_of(basecolor, request, progress)
            self._deliver(0, models.settle_unasked(request), made, progress, keep)
            return
        if request.task == "tile":
            assert picture is not None
            self._tile(picture, request, progress, keep)
            return
        model = self._load(request, progress)
        request = model.settle(request)
        request = _fit_size(request, model, progress)
        fitted = None if picture is None else _prepare_source(picture, request, progress)
        for index, made in enumerate(model.generate(request, fitted, progress)):
            if not isinstance(made, Material):
                made = maps_of(made, request, progress)
            self._deliver(index, request.for_image(index), made, progress, keep)

    def _tile(self, picture: Pixels, request: Request, progress: _JobProgress, keep: Keep | None) -> None:
        rows, columns = picture.shape[:2]
        if (request.width, request.height) != (columns, rows):
            raise RequestError(f"An image that is made to tile keeps its size, which is {columns} x {rows}.")
        progress.loading("Measuring the borders")
        made, before, request = repair(picture, request, lambda: self._load(request, progress), progress)
        progress.check()
        name, report = "basecolor", measure(from_levels(made)).to_json()
        progress.check()
        if keep is not None:
            keep(0, request, made, {name: report})
        image, recipe = to_wire(made), request.to_json()
        progress.emit(
            Result(progress.job, 0, request.seed, name, report, recipe, 0.0, image, before.to_json())
        )

    def _upscale(self, pixels: Pixels, request: Request, progress: _JobProgress, keep: Keep | None) -> None:
        progress.loading("Looking at the borders")
        request = settle_axes(request, upscaling.shown(pixels, request))
        method = upscaling.choose(request, progress)
        request = replace(request, model=method.model)
        pictures = {made.name: made.pixels for made in upscaling.enlarge(pixels, request, method, progress)}
        progress.notice(upscaling.told(method, request))
        reports: dict[str, Any] = {}
        for name, made in pictures.items():
            progress.check()
            field = from_levels(made)
            reports[name] = (seams.measure(field) if field.ndim == 2 else measure(field)).to_json()
        if keep is not None:
            keep(0, request, pictures, reports)
        recipe = request.to_json()
        for name, made in pictures.items():
            progress.check()
            report, image = reports[name], to_wire(made)
            progress.emit(Result(progress.job, 0, request.seed, name, report, recipe, request.relief, image))

    def _load(self, request: Request, progress: _JobProgress) -> models.Model:
        wanted = (request.model, request.precision, request.device)
        if self._model is None or self._loaded != wanted:
            models.check_loras(request)
            self.close()  # first, so that two models never have to fit into memory together
            self._model = models.load(request.model, request.precision, request.device, progress)
            self._loaded = wanted
        return self._model

    def _deliver(
        self, index: int, request: Request, material: Material, progress: _JobProgress, keep: Keep | None
    ) -> None:
        reports: dict[str, Any] = {}
        for name in request.maps:
            progress.check()
            reports[name] = seams.measure(getattr(material, name)).to_json()
        if keep is not None:
            keep(index, request, material, reports)
        recipe = request.to_json()
        for name in request.maps:
            progress.check()
            image = to_wire(encode_map(material, name))
            progress.emit(
                Result(progress.job, index, request.seed, name, reports[name], recipe, material.relief, image)
            )


def _unforeseen(job: str, error: Exception) -> Failed:
    """The last line of defence: whatever went wrong, the artist gets a sentence and the report the rest."""
    report = traceback.format_exc()
    advice = known_errors.advice_for(f"{type(error).__name__}: {error}", report)
    if isinstance(error, OSError):
        summary = f"A file could not be read or written: {error.strerror or error}."
        return Failed(job, "file", summary, advice or "Check the folder and the disk.", report)
    summary = f"The generator failed unexpectedly ({type(error).__name__}: {error})."
    return Failed(job, "internal", summary, advice or "Please send us the report.", report)


class _JobProgress:
    """`Progress` for one job: turns calls into events and raises where the job was cancelled."""

    def __init__(self, job: str, emit: Emit, cancelled: Callable[[], bool], previews: bool) -> None:
        self.job = job
        self.emit = emit
        self._cancelled = cancelled
        self._previews = previews
        self._shown = float("-inf")

    def check(self) -> None:
        if self._cancelled():
            raise CancelledError

    def loading(self, what: str, fraction: float | None = None) -> None:
        self.check()
        self.emit(Loading(self.job, what, fraction))

    def step(
        self,
        index: int,
        step: int,
        steps: int,
        preview: Callable[[], FloatArray | None] | None = None,
        together: int = 1,
    ) -> None:
        self.check()
        due = self._previews and time.monotonic() - self._shown >= PREVIEW_PAUSE
        picture = preview() if preview is not None and due else None
        shown = None if picture is None else _preview_array(picture)
        if shown is not None:
            self._shown = time.monotonic()
        self.emit(Step(self.job, index, step, steps, shown, together))

    def notice(self, message: str) -> None:
        self.check()
        self.emit(Notice(self.job, message))


def settle_axes(request: Request, picture: Pixels | None) -> Request:
    """The request with ``seamless`` of ``auto`` replaced by what the source does; both where there is none.

    Both as well where the source is to be made to tile: what it does already is no reason to do less.
    """
    if request.seamless != "auto":
        return request
    if picture is None or request.task == "tile":
        return replace(request, seamless="both")
    report = seams.measure(flatten_alpha(picture), guess=True)
    along_x, along_y = report.x.tiles is not False, report.y.tiles is not False
    return replace(
        request, seamless={(1, 1): "both", (1, 0): "x", (0, 1): "y", (0, 0): "off"}[along_x, along_y]
    )


def _source_pixels(request: Request, source: Array | None) -> Pixels | None:
    """The source's pixels, checked against what the request says of them."""
    if request.source is None:
        return None
    if source is None:
        raise RequestError("The request names a source image, but the image did not come with it.")
    depths = {"uint8": "8"} if request.task not in ("tile", "upscale") else {"uint8": "8", "uint16": "16"}
    if source.dtype not in depths or len(source.shape) != 3:
        bits = " or ".join(depths.values())
        raise RequestError(f"The source image must have {bits} bits a channel.")
    if request.task == "upscale":
        if layers.layout(request.maps, source.shape[2]) is None:
            raise RequestError(f"A set of these maps does not have {source.shape[2]} channels.")
    elif source.shape[2] not in (3, 4):
        raise RequestError("The source image must have three or four channels.")
    pixels: Pixels = from_wire(source)  # type: ignore[assignment]
    sent = reference(pixels, request.source.name)
    if sent != request.source:
        raise RequestError("The source image is not the one that the request was made for.")
    return pixels


def _fit_size(request: Request, model: models.Model, progress: _JobProgress) -> Request:
    width, height = model.fit_size(request.width, request.height)
    if (width, height) != (request.width, request.height):
        progress.notice(
            f"The size is {width} x {height}: this model cannot tile at {request.width} x {request.height}."
        )
    return replace(request, width=width, height=height)


def _prepare_source(pixels: Pixels, request: Request, progress: _JobProgress) -> FloatArray:
    """The source at the request's size, made to tile along the request's axes."""
    picture = _fit_picture(pixels, request)
    tiled = tile(picture, request.tiles_x, request.tiles_y, progress.check)
    if tiled.picture is not picture:
        progress.notice(f"The source image does not tile by itself. {tiled.sentence}")
    return tiled.picture


def _fit_picture(pixels: Pixels, request: Request) -> FloatArray:
    """The source at the request's size. Where it does not tile, resizing must not mix its opposite edges."""
    picture = flatten_alpha(pixels)
    if picture.shape[:2] == (request.height, request.width):
        return picture
    report = seams.measure(picture, guess=True)
    x, y = (axis.tiles is not False for axis in (report.x, report.y))
    return resize(picture, request.width, request.height, request.tiles_x and x, request.tiles_y and y)


def _preview_array(picture: FloatArray) -> Array:
    rows, columns = picture.shape[:2]
    shrink = PREVIEW_SIDE / max(rows, columns)
    if shrink < 1:
        picture = resize(picture, max(1, round(columns * shrink)), max(1, round(rows * shrink)))
    return to_wire(to_uint8(picture))
