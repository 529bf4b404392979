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

from . import families, few_steps, guidance, repaint, sampling
from .attempts import Attempts
from .batches import side_by_side
from .estimate import Job
from .failures import SpoiltError, explained
from .latents import is_plain, is_spoilt, to_picture
from .loaded import Loaded
from .loading import Reader
from .prompts import dropped_words
from .sampling import Start
from .schedulers import check_steps, make_scheduler

_STOPPED = (
    "model_failed",
    "The model stopped with an error.",
    "Try another scheduler or the model's own; if that fails as well, the model may be damaged.",
)


class DiffusionModel:
    """Kept warm between requests; all tasks share every weight."""

    def __init__(self, reader: Reader, precision: str, device: torch.device, progress: Progress) -> None:
        self._folder = reader.folder.path
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
        made = few_steps.made_for(self._folder, request.loras)
        return request.settled(made.steps, made.guidance, made.scheduler)

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
        for picture in self._pictures(request, source, None, progress):
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
        [painted] = self._pictures(replace(request, count=1), fitted.picture, fitted, progress)
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
        self._attempts.begin(request.loras, progress)
        if source is None and families.task_of(loaded.pipeline) == "image":
            raise GenerationError(
                "needs_source",
                "This model refines images and cannot start from words alone.",
                "Choose an image to start from, or another model.",
            )
        check_steps(make_scheduler(loaded.scheduler, request.scheduler), request.num_inference_steps)
        return loaded

    def _announce(self, loaded: Loaded, request: Request, progress: Progress) -> None:
        """Tell what of the request this model cannot take into account, or was not made for."""
        made = few_steps.remark(request, few_steps.made_for(self._folder, request.loras))
        if made is not None:
            progress.notice(made)
        tokenizers = [
            part for name, part in loaded.pipeline.components.items() if name.startswith("tokenizer")
        ]
        guided = families.is_guided(loaded.pipeline, loaded.family, request.guidance)
        texts = {"prompt": request.prompt, "negative prompt": request.negative_prompt if guided else ""}
        for name, text in texts.items():
            lost = max((dropped_words(part, text) for part in tokenizers if part), key=len, default="")
            if lost:
                progress.notice(f"The {name} is longer than this model can read. It did not see: {lost}")
        if request.negative_prompt and not families.takes_negative(loaded.pipeline, loaded.family):
            progress.notice("This model does not take a negative prompt.")
        elif request.negative_prompt and not guided:
            nil = loaded.family.nil
            progress.notice(f"Without guidance (a scale above {nil:g}) the negative prompt has no effect.")
        if guided and request.guidance_end < 1 and not guidance.can_end(loaded.family):
            progress.notice("The guidance of this model cannot end early; every step is guided.")

    def _pictures(
        self, request: Request, source: FloatArray | None, canvas: repaint.Canvas | None, progress: Progress
    ) -> Iterator[FloatArray]:
        """The request's images, made again from their start where memory or the range of numbers did not suffice."""
        axes = request.tiles_x, request.tiles_y
        size = request.width, request.height

        def work(loaded: Loaded, index: int, together: int) -> Iterator[FloatArray]:
            steps = sampling.evaluations(loaded.scheduler, request, source is not None)
            progress.step(index, 0, steps, together=together)
            with torch.no_grad(), loaded.on_torus(size, request.image_seed(index), *axes):
                made = _denoise(loaded, request, range(index, index + together), source, canvas, progress)
            loaded.phase = "decode"
            loaded.rest()
            # Each is handed over outside of every context: nobody knows what is done with it before the next is wanted.
            try:
                for latents in made.split(1):
                    progress.check()
                    with torch.no_grad(), loaded.codec_on_torus(*axes):
                        pixels = loaded.codec.decode(latents, axes, progress)
                    yield _sound(pixels, loaded)
            finally:
                loaded.rest()

        loaded = self._attempts.loaded(progress)
        job = Job(
            *size,
            guided=families.is_guided(loaded.pipeline, loaded.family, request.guidance),
            source=source is not None,
            batch=request.count if _in_any_batch(loaded, *axes) else 1,
        )
        del loaded
        with explained(*_STOPPED):
            yield from self._attempts.make(job, request.count, work, progress)

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


def _in_any_batch(loaded: Loaded, x: bool, y: bool) -> bool:
    """Whether an image is the same in any batch; not where one seed rolls all of a batch at each step."""
    return not (x or y) or is_exact(loaded.denoiser)


def _sound(pixels: Tensor, loaded: Loaded) -> FloatArray:
    """The picture of ``pixels`` ``(1, 3, H, W)``. Raises `SpoiltError` where it is none."""
    # One plain colour may be what was asked for, but half precision also makes it out of anything.
    if is_spoilt(pixels) or (loaded.plan.dtype != torch.float32 and is_plain(pixels)):
        raise SpoiltError
    return to_picture(pixels[0])


def _denoise(
    loaded: Loaded,
    request: Request,
    indices: range,
    source: FloatArray | None,
    canvas: repaint.Canvas | None,
    progress: Progress,
) -> Tensor:
    """The finished latents ``(B, C, h, w)`` of the images ``indices``, made together."""

    def on_step(done: int, denoised: Callable[[], Tensor]) -> None:
        total = getattr(pipeline, "num_timesteps", expected)  # PixArt's does not say
        progress.step(indices[0], done, total, lambda: _preview(loaded, denoised()), len(indices))

    expected = sampling.evaluations(loaded.scheduler, request, source is not None)
    pipeline = loaded.pipeline if source is None else loaded.image_to_image
    start = None if source is None else _start(loaded, source, canvas, request, progress)
    loaded.phase = "denoise"
    seeds, device = [request.image_seed(index) for index in indices], loaded.plan.device
    return sampling.denoise(pipeline, loaded.family, loaded.scheduler, request, seeds, start, on_step, device)


def _preview(loaded: Loaded, latents: Tensor) -> FloatArray:
    """What is being made: one small picture, or those of a batch side by side."""
    return side_by_side(loaded.preview(latents))


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
