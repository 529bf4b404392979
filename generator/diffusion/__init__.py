# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from any Stable Diffusion folder, through diffusers' own pipelines, on a torus.

Importing this package costs nothing: torch and diffusers are imported by the first call that needs them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.importing import IMPORTING
from generator.progress import GenerationError, Progress

if TYPE_CHECKING:
    from .model import DiffusionModel

__all__ = ["available", "devices", "load", "prepare"]

NEEDED = ("torch", "diffusers", "transformers", "safetensors")


def available() -> bool:
    """Whether everything that a diffusion model needs is installed. Nothing is imported to find out."""
    return all(find_spec(name) is not None for name in NEEDED)


def devices() -> list[dict[str, Any]]:
    """What torch can compute on, best first and the CPU last. Imports torch, which takes seconds.

    Each has ``id`` (``cuda:0``), ``name``, ``kind`` (``cuda``, ``rocm``, ``xpu``, ``mps`` or ``cpu``),
    ``memory_bytes`` and ``bf16``: whether it computes bfloat16 natively.
    """
    with IMPORTING:
        from .hardware import list_devices

    return list_devices()


def prepare() -> None:
    """Import what the first job with a diffusion model would wait for: diffusers and transformers, 4 to 7 seconds."""
    from .opening import import_more

    import_more()


def load(folder: Path, precision: str, device: str, progress: Progress) -> DiffusionModel:
    """The model in ``folder`` (diffusers layout), on ``device`` and ready to run. Nothing is ever downloaded.

    ``precision`` is ``auto``, ``fp32``, ``fp16`` or ``bf16``; ``device`` is ``auto`` or torch's own name for it.
    Raises `GenerationError` when the folder cannot be used, and `CancelledError`.
    """
    if not available():
        missing = ", ".join(name for name in NEEDED if find_spec(name) is None)
        raise GenerationError(
            "needs_torch",
            f"Diffusion models need Python packages that are not installed here: {missing}.",
            'Install them with: pip install "dream-textures[diffusion]"',
        )
    from .opening import load_model

    return load_model(folder, precision, device, progress)
