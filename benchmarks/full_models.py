# SPDX-License-Identifier: GPL-3.0-or-later
"""Models at their real size with random weights, and inputs: speed does not depend on what they have learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Call = Callable[[Any, Tensor], Tensor]

_CPU = torch.device("cpu")
_TEXT = 77
_LEVELS: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
SDXL: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
SD1: dict[str, Any] = {"sample_size": 64, "cross_attention_dim": 768}
_REDUCED = {
    "SD 1.5": {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 1, "cross_attention_dim": 64},
    "SDXL": {"block_out_channels": (32, 64, 64), "layers_per_block": 1, "transformer_layers_per_block": (1, 1, 1),
             "attention_head_dim": (2, 2, 2), "cross_attention_dim": 128,
             "projection_class_embeddings_input_dim": 6 * 256 + 64},
    "KL": {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 1},
}  # fmt: skip
"""The same architectures for machines that would take minutes over one call."""


@dataclass(frozen=True)
class Case:
    """A module, how it is called with its image-like input ``(B, C, h, w)``, and that input.

    ``stride`` is the roll of the input that the law is tried with; ``factor`` how much larger the output is. ``hot`` is
    the part that does the work.
    """

    name: str
    module: nn.Module
    call: Call
    image: Tensor
    stride: int
    factor: int
    hot: nn.Module


def unet(
    size: int = 512,
    batch: int = 1,
    device: torch.device = _CPU,
    dtype: torch.dtype = torch.float32,
    reduced: bool = False,
) -> Case:
    """One call of Stable Diffusion 1.5's denoiser, 860 M parameters."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    settings = {**SD1, **(_REDUCED["SD 1.5"] if reduced else {})}
    module = _made(lambda: UNet2DConditionModel(**settings), device, dtype)
    text = _noise(1, (batch, _TEXT, settings["cross_attention_dim"]), device, dtype)
    image = _image(batch, 4, size // 8, device, dtype)
    time = torch.tensor(500, device=device)
    return Case("SD 1.5", module, lambda m, z: m(z, time, text, return_dict=False)[0], image, 8, 1, module)


def sdxl_unet(
    size: int = 1024,
    batch: int = 1,
    device: torch.device = _CPU,
    dtype: torch.dtype = torch.float32,
    reduced: bool = False,
) -> Case:
    """One call of SDXL's denoiser, 2.6 G parameters."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    settings = {**SDXL, **(_REDUCED["SDXL"] if reduced else {})}
    module = _made(lambda: UNet2DConditionModel(**settings), device, dtype)
    text = _noise(1, (batch, _TEXT, settings["cross_attention_dim"]), device, dtype)
    pooled = settings["projection_class_embeddings_input_dim"] - 6 * 256
    more = {
        "text_embeds": _noise(3, (batch, pooled), device, dtype),
        "time_ids": torch.tensor([[size, size, 0, 0, size, size]] * batch, device=device, dtype=dtype),
    }
    image = _image(batch, 4, size // 8, device, dtype)
    time = torch.tensor(500, device=device)

    def call(m: Any, z: Tensor) -> Tensor:
        return m(z, time, text, added_cond_kwargs=more, return_dict=False)[0]

    return Case("SDXL", module, call, image, 4, 1, module)


def kl_decoder(
    size: int = 512,
    batch: int = 1,
    device: torch.device = _CPU,
    dtype: torch.dtype = torch.float32,
    reduced: bool = False,
) -> Case:
    """Stable Diffusion's decoder."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    settings = {**_LEVELS, **(_REDUCED["KL"] if reduced else {})}
    module: Any = _made(lambda: AutoencoderKL(**settings), device, dtype)
    image = _image(batch, 4, size // 8, device, dtype)
    return Case(
        "KL decoder", module, lambda m, z: m.decode(z, return_dict=False)[0], image, 1, 8, module.decoder
    )


def tiny_decoder(
    size: int = 512,
    batch: int = 1,
    device: torch.device = _CPU,
    dtype: torch.dtype = torch.float32,
    reduced: bool = False,
) -> Case:
    """The decoder of TAESD, which draws previews."""
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    module: Any = _made(lambda: AutoencoderTiny(), device, dtype)
    image = _image(batch, 4, (size // 2 if reduced else size) // 8, device, dtype)
    return Case(
        "tiny decoder", module, lambda m, z: m.decode(z, return_dict=False)[0], image, 1, 8, module.decoder
    )


def _made(make: Callable[[], nn.Module], device: torch.device, dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # made as it is wanted, and where: a card draws numbers much faster
    try:
        with torch.device(device):
            return make().eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    finally:
        torch.set_default_dtype(usual)


def _image(batch: int, channels: int, side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    image = _noise(2, (batch, channels, side, side), device, dtype)
    return image.contiguous(memory_format=torch.channels_last)


def _noise(seed: int, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device, dtype)
