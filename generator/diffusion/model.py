# SPDX-License-Identifier: GPL-3.0-or-later
"""A loaded diffusion model: base colours from words, or from words and a picture, on a torus."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.auto_pipeline import AutoPipelineForImage2Image
from torch import Tensor

from generator import seams
from generator.material import FloatArray
from generator.progress import GenerationError, Progress
from generator.protocol import MAX_SIZE, Request
from generator.resample import resize
from generator.tileable import make_tileable
from generator.torus import wrap
from generator.torus.denoisers import is_exact, on_torus

from . import families, repaint, sampling
from .codec import Codec
from .failures import explained, release_memory
from .families import Family
from .hardware import wider_dtype
from .latents import LatentPreview, channels, is_spoilt, to_picture
from .prompts import dropped_words
from .sampling import Start
from .schedulers import make_scheduler
from .selfcheck import Laws

_STOPPED = (
    "model_failed",
    "The model stopped with an error.",
    "Try another scheduler or the model's own; if that fails as well, the model may be damaged.",
)


class DiffusionModel:
    """Kept warm between requests; all tasks share every weight."""

    def __init__(self, pipeline: Any, family: Family, device: torch.device, dtype: torch.dtype) -> None:
        self._pipeline = pipeline
        self._family = family
        self._scheduler = pipeline.scheduler
        self._device = device
        self._dtype = dtype
        self._codec = Codec(pipeline.vae, device)
        self._preview = LatentPreview(pipeline.vae)
        self._laws = Laws(device)

    @cached_property
    def _image_to_image(self) -> Any:
        if families.task_of(self._pipeline) != "text" or not self._family.own_image_to_image:
            return self._pipeline
        pipeline = AutoPipelineForImage2Image.from_pipe(self._pipeline)
        # Some do not look for latents of as many channels as their own autoencoder has.
        pipeline.image_processor = VaeImageProcessor(vae_latent_channels=channels(pipeline.vae))
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def fit_size(self, width: int, height: int) -> tuple[int, int]:
        """The nearest size that the model can keep periodic: a multiple of all its strides, at most 8192.

        At other sizes a downsampling rounds, and the upsampled picture no longer meets itself. Models whose table of
        positions ends somewhere can make nothing larger.
        """
        stride = families.stride(self._pipeline, self._family)
        largest = min(MAX_SIZE, families.largest_side(self._pipeline, self._family) or MAX_SIZE) // stride

        def fit(length: int) -> int:
            return max(1, min(math.floor(length / stride + 0.5), largest)) * stride

        return fit(width), fit(height)

    def generate(
        self, request: Request, source: FloatArray | None, progress: Progress
    ) -> Iterator[FloatArray]:
        """``request.count`` base colours ``(H, W, 3)``, sRGB in [0, 1], each from its own seed alone.

        ``source`` has the request's size and tiles along the request's axes. The size must be one that
        `fit_size` gives. Raises `GenerationError`, and `CancelledError` within one step.
        """
        self._check(request, source)
        if source is not None and request.strength == 0:
            progress.notice("The strength is 0, so the source image stays as it is.")
            for index in range(request.count):
                progress.step(index, 1, 1)
                yield source.copy()
            return
        self._announce(request, progress)
        for index in range(request.count):
            with explained(*_STOPPED):
                progress.step(index, 0, sampling.evaluations(self._scheduler, request, source is not None))
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
        request = replace(request, width=width, height=height)
        self._check(request, fitted.picture)
        self._announce(request, progress)
        with explained(*_STOPPED):
            progress.step(0, 0, sampling.evaluations(self._scheduler, request, True))
            painted = self._picture(request, 0, fitted.picture, fitted, progress)
        painted = resize(painted, columns, rows, wrap_x=request.tiles_x, wrap_y=request.tiles_y)
        return self._mended(canvas.finish(painted), request, progress)

    def close(self) -> None:
        """Give the model's memory back. The model is of no use afterwards."""
        self.__dict__.clear()
        release_memory()

    def _check(self, request: Request, source: FloatArray | None) -> None:
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
        if source is None and families.task_of(self._pipeline) == "image":
            raise GenerationError(
                "needs_source",
                "This model refines images and cannot start from words alone.",
                "Choose an image to start from, or another model.",
            )
        make_scheduler(self._scheduler, request.scheduler)

    def _announce(self, request: Request, progress: Progress) -> None:
        """Tell what of the request this model cannot take into account."""
        tokenizers = [
            part for name, part in self._pipeline.components.items() if name.startswith("tokenizer")
        ]
        guided = request.guidance_scale > 1 and self._family.negative
        texts = {"prompt": request.prompt, "negative prompt": request.negative_prompt if guided else ""}
        for name, text in texts.items():
            lost = max((dropped_words(part, text) for part in tokenizers if part), key=len, default="")
            if lost:
                progress.notice(f"The {name} is longer than this model can read. It did not see: {lost}")
        if request.negative_prompt and not self._family.negative:
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
        """One image. This is where a later attempt at more precision starts over."""
        axes = request.tiles_x, request.tiles_y
        while True:
            with torch.no_grad(), self._on_torus(request, index):
                latents = self._denoise(request, index, source, canvas, progress)
                pixels = self._codec.decode(latents, axes, progress)
            if not is_spoilt(pixels):
                return to_picture(pixels[0])
            self._widen(progress)

    @contextmanager
    def _on_torus(self, request: Request, index: int) -> Iterator[None]:
        """All that computes images, periodic along the request's axes; a first time here is checked."""
        x, y = request.tiles_x, request.tiles_y
        if not (x or y):
            yield
            return
        part = families.denoiser(self._pipeline, self._family)
        shape = families.latent_shape(self._pipeline, request.width, request.height)
        with ExitStack() as stack:
            stack.enter_context(on_torus([part], shape[-2:], request.image_seed(index), x, y))
            stack.enter_context(wrap(self._codec.vae, x, y))
            self._laws.check_codec(self._codec, x, y)
            if is_exact(part):
                side = families.stride(self._pipeline, self._family) // self._codec.factor
                stack.enter_context(self._laws.watching(part, side, self._dtype, x, y))
            yield

    def _denoise(
        self,
        request: Request,
        index: int,
        source: FloatArray | None,
        canvas: repaint.Canvas | None,
        progress: Progress,
    ) -> Tensor:
        """The finished latents ``(1, C, h, w)`` of image ``index``."""

        def on_step(done: int, denoised: Callable[[], Tensor]) -> None:
            total = getattr(pipeline, "num_timesteps", expected)  # PixArt's does not say
            progress.step(index, done, total, lambda: self._preview(denoised()))

        expected = sampling.evaluations(self._scheduler, request, source is not None)
        pipeline = self._pipeline if source is None else self._image_to_image
        start = None if source is None else self._start(source, canvas, request, progress)
        seed = request.image_seed(index)
        return sampling.denoise(pipeline, self._family, self._scheduler, request, seed, start, on_step)

    def _start(
        self, source: FloatArray, canvas: repaint.Canvas | None, request: Request, progress: Progress
    ) -> Start:
        axes = request.tiles_x, request.tiles_y
        latents = self._codec.encode(source, axes, progress)
        paints = families.task_of(self._pipeline) == "inpaint"
        if canvas is None and not paints:
            return Start(latents)
        mask = np.ones(source.shape[:2], np.float32) if canvas is None else canvas.mask
        hidden = None
        if paints:
            grey = np.where(mask[..., None] > 0.5, np.float32(0.5), source)
            hidden = self._codec.encode(grey, axes, progress)
        # A latent is painted as soon as one of its pixels is.
        cells = torch.nn.functional.max_pool2d(torch.from_numpy(mask)[None, None], self._codec.factor)
        return Start(latents, (cells > 0).float(), hidden)

    def _mended(self, picture: FloatArray, request: Request, progress: Progress) -> FloatArray:
        """The picture, repaired where the model could not make it tile; then the artist is told why."""
        x, y = request.tiles_x, request.tiles_y
        reason = self._laws.complaint(self._dtype, x, y)
        if reason is None and not is_exact(families.denoiser(self._pipeline, self._family)):
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

    def _widen(self, progress: Progress) -> None:
        """Go on in a number format with a larger range, for good: a device that overflows does so again."""
        wider = wider_dtype(self._dtype, self._device)
        if wider is None:
            raise GenerationError(
                "bad_result",
                "The model's result is black or not a picture at all.",
                "Try another scheduler, a lower guidance scale or another seed; the model may be damaged.",
            )
        progress.notice(f"The image came out black in {self._dtype}; it is made again in {wider}.")
        self._dtype = wider
        self._pipeline.to(wider)
