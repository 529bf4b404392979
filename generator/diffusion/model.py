# SPDX-License-Identifier: GPL-3.0-or-later
"""A loaded Stable Diffusion model: base colours from words, or from words and a picture, on a torus."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import torch
from diffusers.pipelines.auto_pipeline import AutoPipelineForImage2Image
from torch import Tensor, nn

from generator.material import FloatArray
from generator.progress import GenerationError, Progress
from generator.protocol import MAX_SIZE, Request
from generator.torus import wrap

from .failures import explained, release_memory
from .hardware import wider_dtype
from .latents import LatentPreview, decode, encode, in_float32, is_spoilt, starting_noise, to_picture
from .prompts import dropped_words
from .schedulers import instrument, make_scheduler


class DiffusionModel:
    """Kept warm between requests; text-to-image and image-to-image share every weight."""

    def __init__(self, pipeline: Any, device: torch.device, dtype: torch.dtype) -> None:
        self._text_to_image = pipeline
        self._scheduler = pipeline.scheduler
        self._device = device
        self._dtype = dtype
        self._preview = LatentPreview(pipeline.vae)

    @cached_property
    def _image_to_image(self) -> Any:
        pipeline = AutoPipelineForImage2Image.from_pipe(self._text_to_image)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def fit_size(self, width: int, height: int) -> tuple[int, int]:
        """The nearest size that the model can keep periodic: a multiple of all its strides, at most 8192.

        At other sizes a downsampling rounds, and the upsampled picture no longer meets itself.
        """
        vae, unet = self._text_to_image.vae.config, self._text_to_image.unet.config
        stride = 2 ** (len(vae.block_out_channels) - 1) * 2 ** (len(unet.block_out_channels) - 1)

        def fit(length: int) -> int:
            return max(stride, min(math.floor(length / stride + 0.5), MAX_SIZE // stride) * stride)

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
            with explained(
                "model_failed",
                "The model stopped with an error.",
                "Try another scheduler or the model's own; if that fails as well, the model may be damaged.",
            ):
                progress.step(index, 0, self._evaluations(request, source))
                picture = self._picture(request, index, source, progress)
            yield picture

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
        make_scheduler(self._scheduler, request.scheduler)

    def _announce(self, request: Request, progress: Progress) -> None:
        """Tell what of the request this model cannot take into account."""
        tokenizers = [
            part for name, part in self._text_to_image.components.items() if name.startswith("tokenizer")
        ]
        guided = request.guidance_scale > 1
        texts = {"prompt": request.prompt, "negative prompt": request.negative_prompt if guided else ""}
        for name, text in texts.items():
            lost = max((dropped_words(part, text) for part in tokenizers if part), key=len, default="")
            if lost:
                progress.notice(f"The {name} is longer than this model can read. It did not see: {lost}")
        if request.negative_prompt and not guided:
            progress.notice("Without guidance (a scale above 1) the negative prompt has no effect.")

    def _steps(self, request: Request, source: FloatArray | None) -> int:
        """How many steps are run: with a source the last ones, as many as ``strength`` says, at least one."""
        if source is None:
            return request.num_inference_steps
        return max(1, round(request.num_inference_steps * request.strength))

    def _evaluations(self, request: Request, source: FloatArray | None) -> int:
        """How often the model will be asked; some samplers ask more than once in a step."""
        scheduler = make_scheduler(self._scheduler, request.scheduler)
        scheduler.set_timesteps(request.num_inference_steps)
        skipped = request.num_inference_steps - self._steps(request, source)
        return len(scheduler.timesteps) - skipped * scheduler.order

    def _picture(
        self, request: Request, index: int, source: FloatArray | None, progress: Progress
    ) -> FloatArray:
        """One image. This is where a later attempt at less memory or more precision starts over."""
        while True:
            with torch.no_grad(), self._on_torus(request):
                pixels = self._decode(self._denoise(request, index, source, progress), progress)
            if not is_spoilt(pixels):
                return to_picture(pixels[0])
            self._widen(progress)

    @contextmanager
    def _on_torus(self, request: Request) -> Iterator[None]:
        with ExitStack() as stack:
            for name, part in self._text_to_image.components.items():
                if isinstance(part, nn.Module) and not name.startswith("text_encoder"):
                    stack.enter_context(wrap(part, request.tiles_x, request.tiles_y))
            yield

    def _denoise(self, request: Request, index: int, source: FloatArray | None, progress: Progress) -> Tensor:
        """The finished latents ``(1, C, h, w)`` of image ``index``."""
        seed = request.image_seed(index)
        generator = torch.Generator("cpu").manual_seed(seed)
        parts = self._text_to_image
        scale = parts.vae_scale_factor
        shape = (1, parts.unet.config.in_channels, request.height // scale, request.width // scale)
        noise = starting_noise(generator, shape)
        pipeline = parts if source is None else self._image_to_image
        pipeline.scheduler = make_scheduler(self._scheduler, request.scheduler)
        instrument(pipeline.scheduler, generator, noise, self._listener(pipeline, index, progress))
        settings: dict[str, Any] = {
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt or None,
            "num_inference_steps": request.num_inference_steps,
            "guidance_scale": request.guidance_scale,
            # What a pipeline itself draws is thrown away; it must not draw from the process's own generator.
            "generator": torch.Generator("cpu").manual_seed(seed),
            "output_type": "latent",
        }
        if source is None:
            latents = noise.to(self._device, self._dtype)
            settings |= {"width": request.width, "height": request.height, "latents": latents}
        else:
            steps, total = self._steps(request, source), request.num_inference_steps
            # Pipelines round down; half a step more survives that.
            settings |= {"image": self._encode(source), "strength": min(1.0, (steps + 0.5) / total)}
        known = inspect.signature(pipeline.__call__).parameters
        return pipeline(**{name: value for name, value in settings.items() if name in known}).images

    def _listener(
        self, pipeline: Any, index: int, progress: Progress
    ) -> Callable[[Callable[[], Tensor]], None]:
        done = 0

        def on_step(denoised: Callable[[], Tensor]) -> None:
            nonlocal done
            done += 1
            progress.step(index, done, pipeline.num_timesteps, lambda: self._preview(denoised()))

        return on_step

    def _encode(self, source: FloatArray) -> Tensor:
        vae = self._text_to_image.vae
        latents = encode(vae, source)
        if not torch.isfinite(latents).all() and vae.dtype != torch.float32:
            with in_float32(vae):
                latents = encode(vae, source)
        return latents.to(self._device, self._dtype)

    def _decode(self, latents: Tensor, progress: Progress) -> Tensor:
        """The pixels ``(1, 3, H, W)``; once more in float32 where only the decoder has overflowed."""
        vae = self._text_to_image.vae
        pixels = decode(vae, latents)
        if is_spoilt(pixels) and vae.dtype != torch.float32 and bool(torch.isfinite(latents).all()):
            progress.notice("The decoder overflowed in half precision; the image was decoded again in fp32.")
            with in_float32(vae):
                pixels = decode(vae, latents)
        return pixels

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
        self._text_to_image.to(wider)
