# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random LoRAs for the small random models, in the formats that people share them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
CONVOLUTIONS = ("conv1", "conv2", "conv", "conv_shortcut")
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
RANK = 4


def save_lora(
    folder: Path, model: Path, targets: tuple[str, ...] = ATTENTION, words: bool = False, seed: int = 0
) -> Path:
    """A LoRA as diffusers' own trainers write it, for the layers ``targets`` and, with ``words``, those of the text
    encoder. Returns its file."""
    pipeline: Any = DiffusionPipeline.from_pretrained(model, local_files_only=True)
    torch.manual_seed(seed)
    part = "unet" if hasattr(pipeline, "unet") else "transformer"
    layers = {f"{part}_lora_layers": _adapted(getattr(pipeline, part), targets)}
    if words:
        layers["text_encoder_lora_layers"] = _adapted(pipeline.text_encoder, ("q_proj", "v_proj"))
    type(pipeline).save_lora_weights(folder, **layers)
    return folder / "pytorch_lora_weights.safetensors"


def kohya_tensors(part: nn.Module, prefix: str, ends: tuple[str, ...], alpha: float) -> dict[str, Tensor]:
    """A LoRA for the layers of ``part`` whose names end so, as most trainers write it: ``lora_unet_...lora_down``."""
    tensors: dict[str, Tensor] = {}
    for name, layer in part.named_modules():
        weight = getattr(layer, "weight", None)
        if name.endswith(ends) and isinstance(weight, Tensor) and weight.ndim > 1:
            beyond = weight.shape[2:]
            key = f"{prefix}_{name.replace('.', '_')}"
            tensors[f"{key}.lora_down.weight"] = torch.randn(RANK, weight.shape[1], *beyond) / 4
            tensors[f"{key}.lora_up.weight"] = torch.randn(weight.shape[0], RANK, *(1,) * len(beyond)) / 4
            tensors[f"{key}.alpha"] = torch.tensor(alpha)
    return tensors


def save_kohya(file: Path, model: Path, seed: int = 1, alpha: float = 2.0) -> Path:
    """Such a LoRA for every attention and every convolution of a unet, and for its text encoder. Returns ``file``."""
    pipeline: Any = DiffusionPipeline.from_pretrained(model, local_files_only=True)
    torch.manual_seed(seed)
    encoder = pipeline.text_encoder
    inner = getattr(encoder, "text_model", encoder)  # releases of transformers differ
    save_file(
        {
            **kohya_tensors(pipeline.unet, "lora_unet", (*ATTENTION, *CONVOLUTIONS), alpha),
            **kohya_tensors(inner, "lora_te_text_model", TEXT, alpha),
        },
        file,
        {"ss_network_module": "networks.lora"},
    )
    return file


def product(tensors: dict[str, Tensor], key: str) -> Tensor:
    """What one layer of such a LoRA adds to a weight, worked out by hand."""
    down, up = tensors[f"{key}.lora_down.weight"], tensors[f"{key}.lora_up.weight"]
    made = up.flatten(1) @ down.flatten(1) * (tensors[f"{key}.alpha"] / RANK)
    return made.reshape(up.shape[0], *down.shape[1:])


def _adapted(part: Any, targets: tuple[str, ...]) -> dict[str, Tensor]:
    # peft's usual start is a LoRA that changes nothing.
    part.add_adapter(LoraConfig(r=RANK, target_modules=list(targets), init_lora_weights=False))
    return get_peft_model_state_dict(part)
