# SPDX-License-Identifier: GPL-3.0-or-later
"""How latents are noised and how the denoiser is asked: velocities, down to no signal at all, and back from there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Tensor

SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",  # grain is fainter than the noise that `scaled_linear` ends with
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,  # Lin et al., arXiv 2305.08891: else nothing is ever quite black or white
    "timestep_spacing": "trailing",
    "algorithm_type": "dpmsolver++",
    "solver_order": 2,
    "steps_offset": 1,  # without effect here; other values are warned of
}
"""The scheduler's configuration, in training and in the folder that is shipped."""

STEPS, GUIDANCE = 20, 2.5
"""What the model is shown and judged with."""

_GAMMA = 10.0


def scheduler() -> DPMSolverMultistepScheduler:
    """The model's own scheduler (DPM-Solver++ 2M, Lu et al., arXiv 2211.01095)."""
    return DPMSolverMultistepScheduler(**SCHEDULE)


def times(count: int, random: torch.Generator) -> Tensor:
    """Timesteps ``(count,)``, one in each equal part of all of them, in any order."""
    spread = (torch.arange(count) + torch.rand(count, generator=random)) / count
    total = SCHEDULE["num_train_timesteps"]
    return (spread[torch.randperm(count, generator=random)] * total).long().clamp(max=total - 1)


class Noising:
    """Signal and noise at each timestep, on a device."""

    def __init__(self, on: torch.device) -> None:
        kept = scheduler().alphas_cumprod.to(on)
        self._signal, self._noise = kept.sqrt(), (1 - kept).sqrt()

    def __call__(self, latents: Tensor, noise: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Noisy latents, and the velocity that the denoiser is to tell (Salimans and Ho, arXiv 2202.00512)."""
        signal, deviation = (part[time][:, None, None, None] for part in (self._signal, self._noise))
        return signal * latents + deviation * noise, signal * noise - deviation * latents

    def weight(self, time: Tensor) -> Tensor:
        """How much an error of the velocity counts ``(B,)``.

        Errors of the clean latents count up to the signal-to-noise ratio of 10 (min-SNR, Hang et al., arXiv 2303.09556)
        and 1 more, so that the start from pure noise counts as well. Their mean over all times is about 1.
        """
        ratio = (self._signal[time] / self._noise[time].clamp(min=1e-4)).square()
        return (ratio.clamp(max=_GAMMA) + 1) / (ratio + 1)


def sample(
    velocity: Callable[[Tensor, Tensor, Tensor], Tensor],
    words: Tensor,
    nothing: Tensor,
    noise: Tensor,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
) -> Tensor:
    """Latents ``(B, C, h, w)`` made of ``noise`` for the encoded ``words`` ``(B, L, D)``, ``nothing`` ``(1, L, D)``
    being those of an empty prompt; ``velocity`` is the denoiser, of latents, timesteps ``(B,)`` and words."""
    sampler = scheduler()
    sampler.set_timesteps(steps)
    latents, both = noise, torch.cat([nothing.expand_as(words), words])
    for time in sampler.timesteps:
        at = time.to(noise.device).expand(2 * len(latents))
        without, told = velocity(torch.cat([latents, latents]), at, both).float().chunk(2)
        guided = without + guidance * (told - without)
        latents = sampler.step(guided, int(time), latents, return_dict=False)[0]
    return latents
