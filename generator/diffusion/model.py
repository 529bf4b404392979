# SPDX-License-Identifier: GPL-3.0-or-later
"""A diffusion model: base colours from words, or from words and a picture, on a torus."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from generator import seams
from generator.material import FloatArray
from generator.progress import GenerationError, Progress
from generator.protocol import MAX_SIZE, Request
from generator.resample import resize
from generator.tileable import make_tileable
from generator.torus.denoisers import is_exact

from . import families, repaint, sampling
from .attempts import Attempts
from .estimate import Job
from .failures import SpoiltError, explained
from .latents import is_plain, is_spoilt, to_picture
from .loaded import Loaded
from .loading import Reader
from .prompts import dropped_words
from .sampling import Start
from .schedulers import make_scheduler

_STOPPED = (
    "model_failed",
    "The model stopped with an error.",
    "Try another scheduler or the model's own; if that fails as well, the model may be damaged.",
)


class DiffusionModel:
    """Kept warm between requests; all tasks share every weight."""

    def __init__(self, reader: Reader, precision: str, device: torch.device, progress: Progress) -> None:
        self._attempts = Attempts(reader, precision, device, progress)
        loaded = self._attempts.loaded(progress)
        self._stride = families.stride(loaded.pipeline, loaded.family)
        self._largest = families.largest_side(loaded.pipeline, loaded.family) or MAX_SIZE

    def fit_size(self, width: int, height: int) -> tuple[int, int]:
        """The nearest size that the model can keep periodic: a multiple of all its strides, at most 8192.

        At other sizes a downsampling rounds, and the upsampled picture no longer meets itself. Models whose table of
        positions ends somewhere can make nothing larger.
        """
        stride, largest = self._stride, min(MAX_SIZE, self._largest)

        def fit(length: int) -> int:
            return max(1, min(math.floor(length / stride + 0.5), largest // stride)) * stride

        return fit(width), fit(height)

    def settle(self, request: Request) -> Request:
        """The request with what this model, with its LoRAs, was made for where it leaves that open."""
        return request.settled(25, 7.5)

    def generate(
        self, request: Request, source: FloatArray | None, progress: Progress
    ) -> Iterator[FloatArray]:
        """``request.count`` base colours ``(H, W, 3)``, sRGB in [0, 1], each from its own seed alone.

        ``source`` has the request's size and tiles along the request's axes. The size must be one that
        `fit_size` gives. Raises `GenerationError`, and `CancelledError` within one step.
        """
        request = self.settle(request)
        loaded = self._begin(request, source, progress)
        if source is not None and request.strength == 0:
            progress.notice("The strength is 0, so the source image stays as it is.")
            for index in range(request.count):
                progress.step(index, 1, 1)
                yield source.copy()
            return
        self._announce(loaded, request, progress)
        del loaded  # it may be read again on the way, and two have no room
        for index in range(request.count):
            picture = self._picture(request, index, source, None, progress)
            yield self._mended(picture, request, progress)

    def make_seamless(self, request: Request, picture: FloatArray, progress: Progress) -> FloatArray:
        """``picture`` ``(H, W, 3)``, sRGB in [0, 1], with what shows at its borders painted anew; its size is kept.

        It is rolled by half along each of the request's axes on which it does not tile, and the cross that the
        borders make there is painted over as far as ``strength`` says, on a torus; every other pixel stays.
        Raises as `generate`.
        """
        report = seams.measure(picture, guess=True)
        x, y = request.tiles_x and report.x.tiles is False, request.tiles_y and report.y.tiles is False
        if request.strength == 0:
            raise GenerationError(
                "strength", "With a strength of 0 nothing can be painted over.", "Choose a strength above 0."
            )
        if not (x or y):
            return picture
        rows, columns = picture.shape[:2]
        canvas = repaint.lay_out(picture, x, y)
        width, height = self.fit_size(columns, rows)
        fitted = canvas.resized(width, height, request.tiles_x, request.tiles_y)
        request = replace(self.settle(request), width=width, height=height)
        self._announce(self._begin(request, fitted.picture, progress), request, progress)
        painted = self._picture(request, 0, fitted.picture, fitted, progress)
        painted = resize(painted, columns, rows, wrap_x=request.tiles_x, wrap_y=request.tiles_y)
        return self._mended(canvas.finish(painted), request, progress)

    def close(self) -> None:
        """Give the model's memory back. The model is of no use afterwards."""
        self._attempts.let_go()

    def _begin(self, request: Request, source: FloatArray | None, progress: Progress) -> Loaded:
        """The model for a new job, once the request is one that it can carry out."""
        size = (request.width, request.height)
        if self.fit_size(*size) != size:
            fitted = self.fit_size(*size)
            raise GenerationError(
                "size",
                f"This model cannot make {size[0]} x {size[1]} pixels tile.",
                f"Choose {fitted[0]} x {fitted[1]}.",
            )
        if source is not None and source.shape != (request.height, request.width, 3):
            raise ValueError(f"The source is {source.shape}, the request {size[0]} x {size[1]}.")
        with explained(*_STOPPED):
            loaded = self._attempts.loaded(progress)
        self._attempts.begin(progress)
        if source is None and families.task_of(loaded.pipeline) == "image":
            raise GenerationError(
                "needs_source",
                "This model refines images and cannot start from words alone.",
                "Choose an image to start from, or another model.",
            )
        make_scheduler(loaded.scheduler, request.scheduler)
        return loaded

    def _announce(self, loaded: Loaded, request: Request, progress: Progress) -> None:
        """Tell what of the request this model cannot take into account."""
        tokenizers = [
            part for name, part in loaded.pipeline.components.items() if name.startswith("tokenizer")
        ]
        guided = request.guidance > 1 and loaded.family.negative
        texts = {"prompt": request.prompt, "negative prompt": request.negative_prompt if guided else ""}
        for name, text in texts.items():
            lost = max((dropped_words(part, text) for part in tokenizers if part), key=len, default="")
            if lost:
                progress.notice(f"The {name} is longer than this model can read. It did not see: {lost}")
        if request.negative_prompt and not loaded.family.negative:
            progress.notice("This model does not take a negative prompt.")
        elif request.negative_prompt and not guided:
            progress.notice("Without guidance (a scale above 1) the negative prompt has no effect.")

    def _picture(
        self,
        request: Request,
        index: int,
        source: FloatArray | None,
        canvas: repaint.Canvas | None,
        progress: Progress,
    ) -> FloatArray:
        """One image, made again from its start where memory or the range of numbers did not suffice."""
        axes = request.tiles_x, request.tiles_y
        size = request.width, request.height

        def work(loaded: Loaded) -> FloatArray:
            progress.step(index, 0, sampling.evaluations(loaded.scheduler, request, source is not None))
            with torch.no_grad(), loaded.on_torus(size, request.image_seed(index), *axes):
                latents = _denoise(loaded, request, index, source, canvas, progress)
                loaded.phase = "decode"
                loaded.rest()
                pixels = loaded.codec.decode(latents, axes, progress)
            # One plain colour may be what was asked for, but half precision also makes it out of anything.
            if is_spoilt(pixels) or (loaded.plan.dtype != torch.float32 and is_plain(pixels)):
                raise SpoiltError
            return to_picture(pixels[0])

        job = Job(*size, guided=request.guidance > 1, source=source is not None)
        with explained(*_STOPPED):
            return self._attempts.make(job, work, progress)

    def _mended(self, picture: FloatArray, request: Request, progress: Progress) -> FloatArray:
        """The picture, repaired where the model could not make it tile; then the artist is told why."""
        x, y = request.tiles_x, request.tiles_y
        loaded = self._attempts.loaded(progress)
        reason = loaded.laws.complaint(loaded.plan.dtype, x, y)
        if reason is None and not is_exact(loaded.denoiser):
            report = seams.measure(picture, guess=True)
            if (x and report.x.tiles is False) or (y and report.y.tiles is False):
                reason = "The model left a seam, as models of its kind sometimes do"
        if reason is None:
            return picture
        mended = make_tileable(picture, x=x, y=y)
        done = (
            "its edges look sound all the same" if mended is picture else "the edges were joined afterwards"
        )
        progress.notice(f"{reason}; {done}.")
        return mended


def _denoise(
    loaded: Loaded,
    request: Request,
    index: int,
    source: FloatArray | None,
    canvas: repaint.Canvas | None,
    progress: Progress,
) -> Tensor:
    """The finished latents ``(1, C, h, w)`` of image ``index``."""

    def on_step(done: int, denoised: Callable[[], Tensor]) -> None:
        total = getattr(pipeline, "num_timesteps", expected)  # PixArt's does not say
        progress.step(index, done, total, lambda: loaded.preview(denoised()))

    expected = sampling.evaluations(loaded.scheduler, request, source is not None)
    pipeline = loaded.pipeline if source is None else loaded.image_to_image
    start = None if source is None else _start(loaded, source, canvas, request, progress)
    loaded.phase = "denoise"
    seed, device = request.image_seed(index), loaded.plan.device
    return sampling.denoise(pipeline, loaded.family, loaded.scheduler, request, seed, start, on_step, device)


def _start(
    loaded: Loaded, source: FloatArray, canvas: repaint.Canvas | None, request: Request, progress: Progress
) -> Start:
    axes, codec = (request.tiles_x, request.tiles_y), loaded.codec
    loaded.phase = "encode"
    latents = codec.encode(source, axes, progress)
    paints = families.task_of(loaded.pipeline) == "inpaint"
    if canvas is None and not paints:
        loaded.rest()
        return Start(latents)
    mask = np.ones(source.shape[:2], np.float32) if canvas is None else canvas.mask
    hidden = None
    if paints:
        grey = np.where(mask[..., None] > 0.5, np.float32(0.5), source)
        hidden = codec.encode(grey, axes, progress)
    loaded.rest()
    # A latent is painted as soon as one of its pixels is.
    cells = torch.nn.functional.max_pool2d(torch.from_numpy(mask)[None, None], codec.factor)
    return Start(latents, (cells > 0).float(), hidden)
