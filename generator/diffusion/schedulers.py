# SPDX-License-Identifier: GPL-3.0-or-later
"""Samplers by the names artists know, and the seam where we listen to them and feed them noise."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import diffusers
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from generator.progress import GenerationError

# Clipping latents to [-1, 1] is meant for models of pixels.
_LATENT = {"clip_sample": False, "thresholding": False}
_DPMPP_2M = {"algorithm_type": "dpmsolver++", "solver_order": 2, "use_karras_sigmas": False}
_DPMPP_2M_SDE = {**_DPMPP_2M, "algorithm_type": "sde-dpmsolver++"}
_KARRAS = {"use_karras_sigmas": True}
# Begins at pure noise, which few steps were trained on, and not one step short of it.
_TRAILING = {"timestep_spacing": "trailing"}

SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", _LATENT),
    "ddim_trailing": ("DDIMScheduler", {**_LATENT, **_TRAILING}),
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
    "euler_a_trailing": ("EulerAncestralDiscreteScheduler", _TRAILING),
    "euler_karras": ("EulerDiscreteScheduler", _KARRAS),
    "euler_trailing": ("EulerDiscreteScheduler", {"use_karras_sigmas": False, **_TRAILING}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", _LATENT),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "tcd": ("TCDScheduler", _LATENT),
    "unipc": ("UniPCMultistepScheduler", {}),
}

_ETA = {"TCDScheduler": 0.3}
"""How much of the noise is drawn anew in each step, where the pipelines' 0 is not what a sampler was made for."""


def make_scheduler(own: Any, name: str) -> Any:
    """A fresh scheduler called ``name`` with the noise schedule of the model's ``own``; ``""`` is that one.

    Raises `GenerationError` for a name that is not in `SCHEDULERS`, or that cannot sample a flow model.
    """
    if not name:
        return type(own).from_config(own.config)
    known = name.lower().replace("++", "pp").replace(" ", "_").replace("-", "_")
    if is_flow(own) and known in SCHEDULERS:
        return _flow_scheduler(own, known)
    entry = SCHEDULERS.get(known)
    if entry is None:
        raise GenerationError(
            "unknown_scheduler",
            f"There is no scheduler {name!r}.",
            f"Choose one of: {', '.join(SCHEDULERS)}; or leave it empty for the model's own.",
        )
    class_name, settings = entry
    return getattr(diffusers, class_name).from_config(own.config, **settings)


def check_steps(scheduler: Any, steps: int) -> None:
    """Raises `GenerationError` where a sampler has not as many steps as that: consistency was trained on 50."""
    # Not by the configuration alone: one sampler's settings are handed on to the next that is made from it.
    trained = "original_inference_steps" in inspect.signature(scheduler.set_timesteps).parameters
    most = scheduler.config["original_inference_steps"] if trained else steps
    if steps > most:
        raise GenerationError(
            "too_many_steps",
            f"This scheduler takes at most {most} steps, and a few are enough for it.",
            "Choose fewer steps, or leave them to the model.",
        )


def is_flow(scheduler: Any) -> bool:
    """Whether the model behind ``scheduler`` predicts a flow (SD3, Flux and later) instead of noise."""
    config = scheduler.config
    named = type(scheduler).__name__.startswith("FlowMatch")
    return named or config.get("prediction_type") == "flow_prediction" or bool(config.get("use_flow_sigmas"))


def _flow_scheduler(own: Any, name: str) -> Any:
    if name == "euler":
        shift = own.config.get("flow_shift")
        more = {} if shift is None else {"shift": shift}
        return FlowMatchEulerDiscreteScheduler.from_config(own.config, **more)
    raise GenerationError(
        "unknown_scheduler",
        f"This model predicts a flow, and the scheduler {name!r} samples noise.",
        "Leave the scheduler empty for the model's own, or choose euler.",
    )


def start_late(scheduler: Any, skipped: int) -> None:
    """Make this one scheduler leave out its first ``skipped`` steps, for a pipeline that cannot do so itself."""
    set_timesteps = scheduler.set_timesteps

    @functools.wraps(set_timesteps)
    def set_later_timesteps(*arguments: Any, **settings: Any) -> None:
        set_timesteps(*arguments, **settings)
        # Both alike, so that what a multistep sampler asks of their length still holds.
        scheduler.timesteps, scheduler.sigmas = scheduler.timesteps[skipped:], scheduler.sigmas[skipped:]
        scheduler.num_inference_steps = len(scheduler.timesteps)

    scheduler.set_timesteps = set_later_timesteps


def noised(scheduler: Any, latents: Tensor, at: Tensor) -> Tensor:
    """``latents`` ``(B, C, h, w)`` with the noise of the timesteps ``at`` ``(B,)``, from an instrumented scheduler."""
    if hasattr(scheduler, "add_noise"):
        return scheduler.add_noise(latents, None, at)
    return scheduler.scale_noise(latents, at)


def instrument(
    scheduler: Any,
    generators: Sequence[torch.Generator],
    noise: Tensor,
    on_step: Callable[[Callable[[], Tensor]], None],
    adjust: Callable[[Tensor, int], Tensor] | None = None,
) -> None:
    """Make this one scheduler sample in float32 with our noise, and report each step.

    ``noise`` ``(B, C, h, w)`` replaces what a pipeline draws for its starting point, and ``generators``, one for each
    of the images that are made together, draw what the sampler needs on its way. All of it is on the CPU and in
    float32, so that a seed is the same picture on every device, in every precision and in every batch, which a
    pipeline left to itself does not do. ``on_step`` gets a function that returns the latents as far as they can be told
    at that step, as the pipeline keeps them; what it raises ends the run. ``adjust`` may change the latents after each
    step; it is given the number of steps done.
    """
    step, done = scheduler.step, 0
    takes_generator = "generator" in inspect.signature(step).parameters

    @functools.wraps(step)  # pipelines look at the signature
    def step_in_float32(
        model_output: Tensor, timestep: Any, sample: Tensor, *rest: Any, **settings: Any
    ) -> Any:
        nonlocal done
        if takes_generator:
            settings["generator"] = list(generators)
        if type(scheduler).__name__ in _ETA:
            settings["eta"] = _ETA[type(scheduler).__name__]
        output, state = model_output.float(), sample.float()
        result = step(output, timestep, state, *rest, **settings)
        done += 1
        on_step(lambda: _denoised(scheduler, result, output, timestep, state))
        latents = result[0] if adjust is None else adjust(result[0], done)
        return (latents.to(sample.dtype), *result[1:])

    def with_our_noise(mix: Callable[..., Tensor], first_timestep: bool) -> Callable[..., Tensor]:
        def mixed(original: Tensor, second: Any, third: Any = None) -> Tensor:
            # add_noise(original, noise, timesteps), but scale_noise(original, timestep, noise)
            ours = noise.reshape(original.shape).to(original.device)
            given = (second, ours) if first_timestep else (ours, third)
            return mix(original.float(), *given).to(original.dtype)

        return mixed

    scheduler.step = step_in_float32
    for name in ("add_noise", "scale_noise"):
        if hasattr(scheduler, name):
            setattr(scheduler, name, with_our_noise(getattr(scheduler, name), name == "scale_noise"))


def _denoised(scheduler: Any, result: tuple, output: Tensor, timestep: Any, sample: Tensor) -> Tensor:
    """The latents without their noise, as the model sees them at this step."""
    if len(result) > 1 and isinstance(result[1], Tensor):
        return result[1]
    if is_flow(scheduler):
        return sample - float(timestep) / scheduler.config.num_train_timesteps * output
    # Variance-preserving samplers keep it to themselves: DDIM (arXiv 2010.02502), equation 12.
    kept = scheduler.alphas_cumprod[int(timestep)].to(sample.device, torch.float32)
    signal, noise = kept.sqrt(), (1 - kept).sqrt()
    kind = scheduler.config.get("prediction_type", "epsilon")
    if kind == "sample":
        return output
    if kind == "v_prediction":
        return signal * sample - noise * output
    return (sample - noise * output) / signal
