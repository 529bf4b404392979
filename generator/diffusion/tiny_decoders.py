# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds small decoders (TAESD and its like) on this machine, for previews. Whether one fits is measured elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from generator.models import MODEL_FOLDERS

from .latents import channels, pixels_per_latent

INSIDE = ("preview_decoder", "vae_tiny", "taesd*")
"""Where one may lie in a model's own folder."""
CACHED = ("madebyollin/taesd", "madebyollin/taesdxl", "madebyollin/taesd3", "madebyollin/taef1")
"""What is looked for in Hugging Face's cache; nothing is ever downloaded."""
_CONFIG, _WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"


def small_decoders(model: Path, vae: Any, dtype: torch.dtype, notice: Callable[[str], None]) -> list[Any]:
    """Every ``AutoencoderTiny`` that takes latents shaped as those of ``vae``, in main memory and in ``dtype``.

    One that cannot be read is passed over with a ``notice``: previews are no reason to fail. ``vae`` itself counts,
    as a copy, where it is small.
    """
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    found: list[Any] = [deepcopy(vae)] if isinstance(vae, AutoencoderTiny) else []
    for folder in _folders(model):
        config = _config(folder)
        if config is None or not _takes_latents_of(config, vae):
            continue
        try:
            decoder: Any = AutoencoderTiny.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, torch_dtype=dtype
            )
            missing = [key for key, tensor in decoder.named_parameters() if tensor.is_meta]
            if missing:
                raise ValueError(f"{len(missing)} weights are missing")
        except Exception as error:
            why = " ".join(str(error).strip().splitlines()[:1])[:200] or type(error).__name__
            notice(f"The small decoder {folder.name} for previews cannot be read ({why}).")
            continue
        found.append(decoder)
    return [decoder.to(memory_format=torch.channels_last) for decoder in found]


def _folders(model: Path) -> Iterator[Path]:
    for pattern in INSIDE:
        yield from sorted(model.glob(pattern))
    for root in os.environ.get(MODEL_FOLDERS, "").split(os.pathsep):
        folder = Path(root).expanduser()
        if root and folder.is_dir():
            yield from sorted(folder.iterdir())
    from huggingface_hub import try_to_load_from_cache

    for name in CACHED:
        weights = try_to_load_from_cache(name, _WEIGHTS)
        if isinstance(weights, str):
            yield Path(weights).parent


def _config(folder: Path) -> dict[str, Any] | None:
    """The configuration of an ``AutoencoderTiny``; None for everything else."""
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    named = isinstance(config, dict) and config.get("_class_name") == "AutoencoderTiny"
    return config if named else None


def _takes_latents_of(config: dict[str, Any], vae: Any) -> bool:
    levels = config.get("decoder_block_out_channels") or [64] * 4
    factor = 2 ** (len(levels) - 1) if isinstance(levels, list) else 0
    return config.get("latent_channels", 4) == channels(vae) and factor == pixels_per_latent(vae)
