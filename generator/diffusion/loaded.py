# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline as it was read from its folder, and all that belongs to it for as long as its weights are held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import torch
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.auto_pipeline import AutoPipelineForImage2Image

from generator.torus import wrap
from generator.torus.denoisers import is_exact, on_torus

from . import families
from .codec import Codec
from .families import Family
from .ladder import Measure, Phase, Plan
from .latents import LatentPreview, channels
from .placing import Offloading, one_by_one
from .selfcheck import Laws
from .slices import SlicedAttention


class Loaded:
    """One reading of a model, in main memory until `place` puts it where ``plan`` says.

    ``phase`` is what it is at, for whoever has to know where memory ran out.
    """

    def __init__(self, pipeline: Any, family: Family, plan: Plan) -> None:
        self.pipeline = pipeline
        self.family = family
        self.plan = plan
        self.phase: Phase = "move"
        self.scheduler = pipeline.scheduler
        self.denoiser = families.denoiser(pipeline, family)
        self.codec = Codec(pipeline.vae, plan.device)
        self.preview = LatentPreview(pipeline.vae)
        self.laws = Laws(plan.device)
        self._offloading: Offloading | None = None

    @cached_property
    def image_to_image(self) -> Any:
        """The pipeline for a start from latents; it shares every weight."""
        if families.task_of(self.pipeline) != "text" or not self.family.own_image_to_image:
            return self.pipeline
        pipeline = AutoPipelineForImage2Image.from_pipe(self.pipeline)
        # Some do not look for latents of as many channels as their own autoencoder has.
        pipeline.image_processor = VaeImageProcessor(vae_latent_channels=channels(self.pipeline.vae))
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    @property
    def placed(self) -> bool:
        """Whether the weights are where the plan says."""
        return self._offloading is not None

    def place(self, plan: Plan) -> None:
        """Get ready to run by ``plan``. Once placed, only plans that hold the weights the same way will do."""
        self.phase = "move"
        if not self.placed:
            self.codec, self.laws = Codec(self.pipeline.vae, plan.device), Laws(plan.device)
            if self.family is families.UNET:
                for part in (self.denoiser, self.pipeline.vae):
                    part.to(memory_format=torch.channels_last)
            self._offloading = Offloading(self.pipeline, self.denoiser, plan)
        self.plan = plan
        self.codec.sparing = Measure.TILES in plan

    def rest(self) -> None:
        """Send what was fetched for use back to main memory, where the plan keeps it there."""
        if self._offloading is not None:
            self._offloading.rest()

    @contextmanager
    def on_torus(self, size: tuple[int, int], seed: int, x: bool, y: bool) -> Iterator[None]:
        """All that computes images of ``size``, periodic along the axes; a first time here is checked."""
        with ExitStack() as stack:
            if Measure.SLICES in self.plan:
                stack.enter_context(SlicedAttention())
            if Measure.ONE_BY_ONE in self.plan:
                stack.enter_context(one_by_one(self.denoiser))
            stack.callback(self.rest)
            if x or y:
                rows, columns = families.latent_shape(self.pipeline, *size)[-2:]
                stack.enter_context(on_torus([self.denoiser], (rows, columns), seed, x, y))
                stack.enter_context(wrap(self.pipeline.vae, x, y))
                self.laws.check_codec(self.codec, x, y)
                self.rest()
                if is_exact(self.denoiser):
                    side = families.stride(self.pipeline, self.family) // self.codec.factor
                    stack.enter_context(self.laws.watching(self.denoiser, side, self.plan.dtype, x, y))
            yield
