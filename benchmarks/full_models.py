# SPDX-License-Identifier: GPL-3.0-or-later
"""Models at their real size with random weights, and inputs: speed does not depend on what they have learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Call = Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True)
class Case:
    """A module, how it is called with its image-like input ``(B, C, h, w)``, and that input.

    ``stride`` is the roll of the input that the law is tried with; ``factor`` how much larger the output is.
    """

    name: str
    module: nn.Module
    call: Call
    image: Tensor
    stride: int
    factor: int


def unet(size: int = 512, batch: int = 1, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Case:
    """One call of Stable Diffusion 1.5's denoiser, 860 M parameters."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    module = _made(lambda: UNet2DConditionModel(sample_size=64, cross_attention_dim=768), device, dtype)
    text = torch.randn(batch, 77, 768, generator=_random(1)).to(device, dtype)
    image = _image(batch, 4, size // 8, device, dtype)
    return Case("SD 1.5 UNet", module, lambda m, z: m(z, 500, text, return_dict=False)[0], image, 8, 1)


def kl_decoder(
    size: int = 512, batch: int = 1, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Case:
    """Stable Diffusion's decoder."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    settings: dict[str, Any] = {
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
    }
    module = _made(lambda: AutoencoderKL(**settings), device, dtype)
    image = _image(batch, 4, size // 8, device, dtype)
    return Case("KL decoder", module, lambda m, z: m.decode(z, return_dict=False)[0], image, 1, 8)


def tiny_decoder(
    size: int = 512, batch: int = 1, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Case:
    """The decoder of TAESD, which draws previews."""
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    module = _made(lambda: AutoencoderTiny(), device, dtype)
    image = _image(batch, 4, size // 8, device, dtype)
    return Case("tiny decoder", module, lambda m, z: m.decode(z, return_dict=False)[0], image, 1, 8)


def _made(make: Callable[[], nn.Module], device: str, dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    return make().eval().to(device, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _image(batch: int, channels: int, side: int, device: str, dtype: torch.dtype) -> Tensor:
    image = torch.randn(batch, channels, side, side, generator=_random(2))
    return image.to(device, dtype).contiguous(memory_format=torch.channels_last)


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
