# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's schedulers as the panel offers them."""

from __future__ import annotations

OWN = "default"
"""Stands for the model's own scheduler, for which a request says nothing."""

SCHEDULER_ITEMS = [
    (OWN, "Model's Own", "The sampler that the model's folder names, or what its LoRA was made for", 0),
    ("euler", "Euler", "Plain and dependable", 1),
    ("euler_karras", "Euler Karras", "Euler with more of its steps at little noise", 7),
    ("euler_a", "Euler Ancestral", "Lively; more steps go on changing the picture", 2),
    ("dpmpp_2m", "DPM++ 2M", "Good pictures in few steps", 8),
    ("dpmpp_2m_karras", "DPM++ 2M Karras", "DPM++ 2M with more of its steps at little noise", 3),
    ("dpmpp_2m_sde", "DPM++ 2M SDE", "DPM++ 2M with fresh noise in every step, for more detail", 9),
    ("dpmpp_2m_sde_karras", "DPM++ 2M SDE Karras", "The same with more of its steps at little noise", 10),
    ("dpmpp_2s", "DPM++ 2S", "Its steps lean on no earlier one", 11),
    ("unipc", "UniPC", "Good pictures in very few steps", 4),
    ("deis", "DEIS", "Good pictures in few steps", 12),
    ("heun", "Heun", "Exact; every step costs two", 13),
    ("dpm2", "DPM2", "Exact; every step costs two", 14),
    ("dpm2_a", "DPM2 Ancestral", "Lively; every step costs two", 15),
    ("ddim", "DDIM", "The classic", 5),
    ("ddpm", "DDPM", "What models were trained with; needs many steps", 16),
    ("pndm", "PNDM", "What Stable Diffusion 1 came with", 17),
    ("lcm", "LCM", "For latent consistency models: four to eight steps, guidance near 1", 6),
    ("tcd", "TCD", "For trajectory consistency: four steps, no guidance", 18),
    ("euler_a_trailing", "Euler Ancestral Trailing", "For Turbo models: one to four steps, no guidance", 19),
    ("euler_trailing", "Euler Trailing", "For Lightning: as many steps as its name says, no guidance", 20),
    ("ddim_trailing", "DDIM Trailing", "For Hyper-SD: as many steps as its name says, no guidance", 21),
]
"""As Blender's enumerations want them. Files keep the numbers: never give one to another scheduler."""


def requested(item: str) -> str:
    """What a request says for the chosen item."""
    return "" if item == OWN else item
