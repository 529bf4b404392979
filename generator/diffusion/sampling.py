# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a diffusers pipeline from noise, or from noised latents, to finished latents."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from generator.protocol import Request

from . import families, guidance
from .failures import SpoiltError
from .families import Family
from .latents import starting_noise
from .schedulers import instrument, is_flow, make_scheduler, noised, start_late

OnStep = Callable[[int, Callable[[], Tensor]], None]


@dataclass(frozen=True)
class Start:
    """What images start from: ``latents`` ``(B, C, h, w)`` float32, changed as far as the request's strength says.

    ``mask`` ``(B, 1, h, w)`` says where; elsewhere the latents stay as they are. ``hidden`` are the latents of the
    picture with what is to be painted greyed out, for denoisers that were trained to see those as well.
    """

    latents: Tensor
    mask: Tensor | None = None
    hidden: Tensor | None = None

    def times(self, count: int) -> Start:
        """The same start for each of ``count`` images."""
        mask, hidden = (
            None if part is None else part.expand(count, -1, -1, -1) for part in (self.mask, self.hidden)
        )
        return Start(self.latents.expand(count, -1, -1, -1), mask, hidden)


def steps_of(request: Request, from_source: bool) -> int:
    """How many steps are run: with a source the last ones, as many as ``strength`` says, at least one."""
    if not from_source:
        return request.num_inference_steps
    return max(1, round(request.num_inference_steps * request.strength))


def evaluations(own: Any, request: Request, from_source: bool) -> int:
    """How often the scheduler will step; some samplers ask the model more than once between two noise levels.

    ``own`` is the model's scheduler. Raises `GenerationError` for a scheduler that it cannot be replaced by.
    """
    scheduler = make_scheduler(own, request.scheduler)
    steps = steps_of(request, from_source)
    if is_flow(scheduler):
        return steps  # their schedule depends on the size; each has one evaluation a step
    scheduler.set_timesteps(request.num_inference_steps)
    return len(scheduler.timesteps) - (request.num_inference_steps - steps) * scheduler.order


def denoise(
    pipeline: Any,
    family: Family,
    own: Any,
    request: Request,
    seeds: Sequence[int],
    start: Start | None,
    on_step: OnStep,
    device: torch.device,
) -> Tensor:
    """The finished latents ``(B, C, h, w)`` for ``seeds``: one image of each, all made together.

    ``pipeline`` is the one for the task at hand, ``own`` the model's scheduler; it computes on ``device``.
    ``on_step`` gets the number of steps done and a function that gives the latents without their noise,
    ``(B, C, h, w)``; what it raises ends the run. Raises `SpoiltError` soon after latents are not numbers any more.
    """
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    shape = families.latent_shape(pipeline, request.width, request.height)
    noise = torch.cat([starting_noise(generator, shape) for generator in generators])
    if start is not None:
        start = start.times(len(seeds))
    part = families.denoiser(pipeline, family)
    dtype = torch.float32 if family.float32_latents else part.dtype
    scheduler = pipeline.scheduler = make_scheduler(own, request.scheduler)
    done = 0

    def stepped(denoised: Callable[[], Tensor]) -> None:
        nonlocal done
        done += 1
        on_step(done, lambda: families.unpacked(denoised(), family, shape))

    keep = _keeping(scheduler, family, start, shape)
    watch = _Watch()

    def adjust(latents: Tensor, done: int) -> Tensor:
        watch(latents)
        return latents if keep is None else keep(latents, done)

    instrument(scheduler, generators, noise, stepped, adjust)
    settings: dict[str, Any] = {
        **family.fixed,
        "prompt": request.prompt,
        "width": request.width,
        "height": request.height,
        "num_images_per_prompt": len(seeds),
        "num_inference_steps": request.num_inference_steps,
        family.guidance: request.guidance_scale,
        # What a pipeline itself draws is thrown away; it must not draw from the process's own generator.
        "generator": torch.Generator("cpu").manual_seed(seeds[0]),
        "output_type": "latent",
    }
    if families.is_guided(pipeline, family, request.guidance):
        if request.guidance_end < 1 and guidance.can_end(family):
            settings |= guidance.ending_after(pipeline, request.guidance_end)
        if family.guidance == "true_cfg_scale":
            settings["negative_prompt"] = request.negative_prompt or " "  # without one there is no guidance
        elif request.negative_prompt:
            settings["negative_prompt"] = request.negative_prompt
    if start is None:
        settings["latents"] = families.packed(noise, family).to(device, dtype)
    elif not family.own_image_to_image:
        start_late(scheduler, request.num_inference_steps - steps_of(request, True))
        scheduler.set_timesteps(request.num_inference_steps, device=device)
        late = noised(scheduler, start.latents.to(device), scheduler.timesteps[:1])
        settings["latents"] = families.packed(late, family).to(device, dtype)
    else:
        settings |= {"image": start.latents.to(device, dtype), "strength": _strength(request, family)}
    if families.task_of(pipeline) == "inpaint":
        settings |= _to_inpaint(start, noise, device, dtype)
    known = inspect.signature(pipeline.__call__).parameters
    made = pipeline(**{name: value for name, value in settings.items() if name in known})
    latents = families.unpacked(made.images, family, shape)
    watch(latents)
    watch.close()
    return latents


class _Watch:
    """Looks at the latents of every step, one step late: asked at once, a graphics card would have to be waited for."""

    def __init__(self) -> None:
        self._sound: Tensor | None = None

    def __call__(self, latents: Tensor) -> None:
        self.close()
        self._sound = torch.isfinite(latents).all()

    def close(self) -> None:
        """Judge the last ones as well."""
        if self._sound is not None and not bool(self._sound):
            raise SpoiltError


def _strength(request: Request, family: Family) -> float:
    """The strength that makes a pipeline run exactly the steps we mean: they round down, the newer ones up."""
    steps, total = steps_of(request, True), request.num_inference_steps
    return min(1.0, (steps - 0.5 if family.cuts_between else steps + 0.5) / total)


def _to_inpaint(
    start: Start | None, noise: Tensor, device: torch.device, dtype: torch.dtype
) -> dict[str, Any]:
    """What a denoiser with channels for a mask wants; without a start everything is to be painted."""
    latents = torch.zeros_like(noise) if start is None else start.latents
    mask = torch.ones_like(noise[:, :1]) if start is None or start.mask is None else start.mask
    hidden = torch.zeros_like(noise) if start is None or start.hidden is None else start.hidden
    given = {"image": latents, "masked_image_latents": hidden}
    settings: dict[str, Any] = {name: value.to(device, dtype) for name, value in given.items()}
    return {**settings, "mask_image": mask, **({"strength": 1.0} if start is None else {})}


def _keeping(
    scheduler: Any, family: Family, start: Start | None, shape: tuple[int, int, int, int]
) -> Callable[[Tensor, int], Tensor] | None:
    """After each step, puts back what is not to be painted, at that step's noise (as in RePaint, arXiv 2201.09865)."""
    if start is None or start.mask is None:
        return None
    mask = families.packed(start.mask.expand(-1, *shape[1:]), family)

    def keep(latents: Tensor, done: int) -> Tensor:
        times = scheduler.timesteps[(getattr(scheduler, "begin_index", None) or 0) + done :][:1]
        kept = start.latents.to(latents.device)
        kept = families.packed(noised(scheduler, kept, times) if len(times) else kept, family)
        share = mask.to(latents.device)
        return share * latents + (1 - share) * kept.reshape(latents.shape)

    return keep
