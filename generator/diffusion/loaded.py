# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline as it was read from its folder, and all that belongs to it for as long as its weights are held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import torch
from diffusers.image_processor import VaeImageProcessor

from generator.lifetime import STAYS
from generator.torus import wrap
from generator.torus.borders import forget_places
from generator.torus.denoisers import is_exact, on_torus

from . import families
from .acceleration import Acceleration, choose
from .codec import Codec
from .families import Family
from .ladder import Measure, Phase, Plan
from .latents import channels
from .loras import Loras
from .originals import Files, no_files
from .placing import Offloading, one_by_one
from .previews import Previews
from .selfcheck import Laws
from .slices import SlicedAttention
from .words import Words


class Loaded:
    """One reading of a model, in main memory until `place` puts it where ``plan`` says.

    ``phase`` is what it is at, for whoever has to know where memory ran out. ``files`` names the files of each part.
    """

    def __init__(self, pipeline: Any, family: Family, plan: Plan, files: Files = no_files) -> None:
        self.pipeline = pipeline
        self.family = family
        self.plan = plan
        self.phase: Phase = "move"
        self.scheduler = pipeline.scheduler
        self.denoiser = families.denoiser(pipeline, family)
        self.codec = Codec(pipeline.vae, plan.device)
        self.preview = Previews(pipeline.vae)
        self.words = Words(lambda: self.loras.state)
        self.words.remember(pipeline)
        self.laws = Laws(plan.device)
        self.loras = Loras(pipeline, plan, files)
        self.acceleration: Acceleration | None = None
        self._offloading: Offloading | None = None

    @cached_property
    def image_to_image(self) -> Any:
        """The pipeline for a start from latents; it shares every weight."""
        if families.task_of(self.pipeline) != "text" or not self.family.own_image_to_image:
            return self.pipeline
        # Here, since it imports every pipeline that there is, and words alone need none of them.
        from diffusers.pipelines.auto_pipeline import AutoPipelineForImage2Image

        pipeline = AutoPipelineForImage2Image.from_pipe(self.pipeline)
        # Some do not look for latents of as many channels as their own autoencoder has.
        pipeline.image_processor = VaeImageProcessor(vae_latent_channels=channels(self.pipeline.vae))
        pipeline.set_progress_bar_config(disable=True)
        self.words.remember(pipeline)
        return pipeline

    @property
    def placed(self) -> bool:
        """Whether the weights are where the plan says."""
        return self._offloading is not None

    def place(self, plan: Plan) -> None:
        """Get ready to run by ``plan``. Once placed, only plans that hold the weights the same way will do."""
        self.phase = "move"
        choose(plan.device, STAYS.is_set())  # a wish that nobody knows is told before anything is moved
        if not self.placed:
            self.codec, self.laws = Codec(self.pipeline.vae, plan.device), Laws(plan.device)
            if self.family is families.UNET:
                for part in (self.denoiser, self.pipeline.vae):
                    part.to(memory_format=torch.channels_last)
            self._offloading = Offloading(self.pipeline, self.denoiser, plan)
            self._accelerate(plan)
        elif plan.measures != self.plan.measures:
            self._accelerate(plan)
        self.plan = plan
        self.codec.sparing = Measure.TILES in plan

    def _accelerate(self, plan: Plan) -> None:
        if self.acceleration is not None:
            self.acceleration.drop()
        # Transformers are rolled at every step, and what they are given changes with it.
        if self.family is families.UNET:
            decoder = getattr(self.pipeline.vae, "decoder", None)
            self.acceleration = Acceleration(self.denoiser, decoder, plan, STAYS.is_set())
            self.codec.running = self.acceleration.decoding
            self.codec.give_way = self.give_way

    def rest(self) -> None:
        """Send what was fetched for use back to main memory, where the plan keeps it there."""
        if self._offloading is not None:
            self._offloading.rest()

    def give_way(self) -> bool:
        """Drop what only makes it faster, for memory; whether that gave any back."""
        return self.acceleration is not None and self.acceleration.drop()

    def let_go(self) -> None:
        """Hold nothing any more; the object is of no use afterwards."""
        if self.acceleration is not None:
            self.acceleration.drop()
        forget_places()
        self.__dict__.clear()

    @contextmanager
    def on_torus(self, size: tuple[int, int], seed: int, x: bool, y: bool) -> Iterator[None]:
        """All that computes images of ``size``, periodic along the axes; a first time here is checked."""
        with ExitStack() as stack:
            stack.enter_context(self.codec_on_torus(x, y))
            if Measure.ONE_BY_ONE in self.plan:
                stack.enter_context(one_by_one(self.denoiser))
            stack.callback(self.rest)
            if x or y:
                rows, columns = families.latent_shape(self.pipeline, *size)[-2:]
                stack.enter_context(on_torus([self.denoiser], (rows, columns), seed, x, y))
                self.laws.check_codec(self.codec, x, y)
                self.rest()
                if is_exact(self.denoiser):
                    side = families.stride(self.pipeline, self.family) // self.codec.factor
                    stack.enter_context(self.laws.watching(self.denoiser, side, self.plan.dtype, x, y))
            if self.acceleration is not None and self.laws.knows_denoiser(self.plan.dtype, x, y):
                stack.enter_context(self.acceleration.denoising(x, y))
            yield

    @contextmanager
    def codec_on_torus(self, x: bool, y: bool) -> Iterator[None]:
        """What encodes and decodes alone, periodic along the axes."""
        with ExitStack() as stack:
            if Measure.SLICES in self.plan:
                stack.enter_context(SlicedAttention())
            if x or y:
                stack.enter_context(wrap(self.pipeline.vae, x, y))
                stack.enter_context(self.preview.on_torus(x, y))
            yield
