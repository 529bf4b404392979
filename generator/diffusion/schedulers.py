# SPDX-License-Identifier: GPL-3.0-or-later
"""Samplers by the names artists know, and the seam where we listen to them and feed them noise."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import diffusers
import torch
from torch import Tensor

from generator.progress import GenerationError

# Clipping latents to [-1, 1] is meant for models of pixels.
_LATENT = {"clip_sample": False, "thresholding": False}
_DPMPP_2M = {"algorithm_type": "dpmsolver++", "solver_order": 2, "use_karras_sigmas": False}
_DPMPP_2M_SDE = {**_DPMPP_2M, "algorithm_type": "sde-dpmsolver++"}
_KARRAS = {"use_karras_sigmas": True}

SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", _LATENT),
    "ddpm": ("DDPMScheduler", _LATENT),
    "deis": ("DEISMultistepScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2_a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", _DPMPP_2M),
    "dpmpp_2m_karras": ("DPMSolverMultistepScheduler", {**_DPMPP_2M, **_KARRAS}),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", _DPMPP_2M_SDE),
    "dpmpp_2m_sde_karras": ("DPMSolverMultistepScheduler", {**_DPMPP_2M_SDE, **_KARRAS}),
    "dpmpp_2s": ("DPMSolverSinglestepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "euler": ("EulerDiscreteScheduler", {"use_karras_sigmas": False}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "euler_karras": ("EulerDiscreteScheduler", _KARRAS),
    "heun": ("HeunDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", _LATENT),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "tcd": ("TCDScheduler", _LATENT),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def make_scheduler(own: Any, name: str) -> Any:
    """A fresh scheduler called ``name`` with the noise schedule of the model's ``own``; ``""`` is that one.

    Raises `GenerationError` for a name that is not in `SCHEDULERS`.
    """
    if not name:
        return type(own).from_config(own.config)
    entry = SCHEDULERS.get(name.lower().replace("++", "pp").replace(" ", "_").replace("-", "_"))
    if entry is None:
        raise GenerationError(
            "unknown_scheduler",
            f"There is no scheduler {name!r}.",
            f"Choose one of: {', '.join(SCHEDULERS)}; or leave it empty for the model's own.",
        )
    class_name, settings = entry
    return getattr(diffusers, class_name).from_config(own.config, **settings)


def instrument(
    scheduler: Any,
    generator: torch.Generator,
    noise: Tensor,
    on_step: Callable[[Callable[[], Tensor]], None],
) -> None:
    """Make this one scheduler sample in float32 with our noise, and report each step.

    ``noise`` replaces what a pipeline draws for its starting point, and ``generator`` draws what the sampler
    needs on its way. Both are on the CPU and in float32, so that a seed is the same picture on every device
    and in every precision, which a pipeline left to itself does not do. ``on_step`` gets a function that
    returns the latents as far as they can be told at that step, ``(B, C, H, W)``; what it raises ends the run.
    """
    step, add_noise = scheduler.step, scheduler.add_noise
    takes_generator = "generator" in inspect.signature(step).parameters

    @functools.wraps(step)  # pipelines look at the signature
    def step_in_float32(
        model_output: Tensor, timestep: Any, sample: Tensor, *rest: Any, **settings: Any
    ) -> Any:
        if takes_generator:
            settings["generator"] = generator
        output, state = model_output.float(), sample.float()
        result = step(output, timestep, state, *rest, **settings)
        on_step(lambda: _denoised(scheduler, result, output, timestep, state))
        return (result[0].to(sample.dtype), *result[1:])

    def add_our_noise(original: Tensor, _noise: Tensor, timesteps: Tensor) -> Tensor:
        return add_noise(original.float(), noise.to(original.device), timesteps).to(original.dtype)

    scheduler.step = step_in_float32
    scheduler.add_noise = add_our_noise


def _denoised(scheduler: Any, result: tuple, output: Tensor, timestep: Any, sample: Tensor) -> Tensor:
    """The latents without their noise, as the model sees them at this step."""
    if len(result) > 1 and isinstance(result[1], Tensor):
        return result[1]
    # Variance-preserving samplers keep it to themselves: DDIM (arXiv 2010.02502), equation 12.
    kept = scheduler.alphas_cumprod[int(timestep)].to(sample.device, torch.float32)
    signal, noise = kept.sqrt(), (1 - kept).sqrt()
    kind = scheduler.config.get("prediction_type", "epsilon")
    if kind == "sample":
        return output
    if kind == "v_prediction":
        return signal * sample - noise * output
    return (sample - noise * output) / signal
