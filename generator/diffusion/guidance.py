# SPDX-License-Identifier: GPL-3.0-or-later
"""Guidance that ends before the last step, which saves the second pass of those that follow.

Towards the end guidance changes little for the better (Kynkäänniemi et al., arXiv 2404.07724).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .families import UNET, Family

_HALVES = ("prompt_embeds", "add_text_embeds", "add_time_ids", "mask", "masked_image_latents")
"""What these pipelines hold for both passes, first that for the one without words."""


_ROUNDING = 1e-3
"""Of a step: Blender's 0.6 is a little more than 0.6, and must not guide one step more for that."""


def can_end(family: Family) -> bool:
    """Whether a run of this family can go on without guidance; other pipelines do not let go of it."""
    return family is UNET


def ending_after(pipeline: Any, share: float) -> dict[str, Any]:
    """The settings with which ``pipeline`` computes a single pass in each step after ``share`` of them."""
    names = [name for name in _HALVES if name in pipeline._callback_tensor_inputs]

    def on_step_end(running: Any, index: int, _timestep: Any, held: dict[str, Tensor]) -> dict[str, Tensor]:
        done = index + 1
        # Not between the evaluations of one step: a sampler of a higher order compares them.
        whole = done % running.scheduler.order == 0
        if (
            not running.do_classifier_free_guidance
            or not whole
            or done < share * running.num_timesteps - _ROUNDING
        ):
            return {}
        running._guidance_scale = 1.0
        return {name: value.chunk(2)[1] for name, value in held.items()}

    return {"callback_on_step_end": on_step_end, "callback_on_step_end_tensor_inputs": names}
