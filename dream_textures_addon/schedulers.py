# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's schedulers as the panel offers them."""

from __future__ import annotations

OWN = "default"
"""Stands for the model's own scheduler, for which a request says nothing."""

SCHEDULER_ITEMS = [
    (OWN, "Model's Own", "The sampler that the model's folder names, or what its LoRA was made for"),
    ("euler", "Euler", "Plain and dependable"),
    ("euler_karras", "Euler Karras", "Euler with more of its steps at little noise"),
    ("euler_a", "Euler Ancestral", "Lively; more steps go on changing the picture"),
    ("dpmpp_2m", "DPM++ 2M", "Good pictures in few steps"),
    ("dpmpp_2m_karras", "DPM++ 2M Karras", "DPM++ 2M with more of its steps at little noise"),
    ("dpmpp_2m_sde", "DPM++ 2M SDE", "DPM++ 2M with fresh noise in every step, for more detail"),
    ("dpmpp_2m_sde_karras", "DPM++ 2M SDE Karras", "The same with more of its steps at little noise"),
    ("dpmpp_2s", "DPM++ 2S", "Its steps lean on no earlier one"),
    ("unipc", "UniPC", "Good pictures in very few steps"),
    ("deis", "DEIS", "Good pictures in few steps"),
    ("heun", "Heun", "Exact; every step costs two"),
    ("dpm2", "DPM2", "Exact; every step costs two"),
    ("dpm2_a", "DPM2 Ancestral", "Lively; every step costs two"),
    ("ddim", "DDIM", "The classic"),
    ("ddpm", "DDPM", "What models were trained with; needs many steps"),
    ("pndm", "PNDM", "What Stable Diffusion 1 came with"),
    ("lcm", "LCM", "For latent consistency models: four to eight steps, guidance near 1"),
    ("tcd", "TCD", "For trajectory consistency: four steps, no guidance"),
    ("euler_a_trailing", "Euler Ancestral Trailing", "For Turbo models: one to four steps, no guidance"),
    ("euler_trailing", "Euler Trailing", "For Lightning: as many steps as its name says, no guidance"),
    ("ddim_trailing", "DDIM Trailing", "For Hyper-SD: as many steps as its name says, no guidance"),
]
"""As Blender's enumerations want them."""


def requested(item: str) -> str:
    """What a request says for the chosen item."""
    return "" if item == OWN else item
