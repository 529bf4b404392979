# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random networks of every family that the product can run, with the real classes and topologies.

The law of the torus needs no trained weights to be tested: what breaks it is how a network is built. Weights are
random in float64, and those that families start at zero are filled, so that no path through a network is silent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

diffusers: Any = import_module("diffusers")  # type checkers cannot see what it loads when asked
WORDS = 8  # channels of the text's embedding
SECOND_WORDS = 6  # and of its pooled one
FLOAT32 = 2e-6
"""The bound for networks that sum over the whole image in float32, whatever precision they are given."""


@dataclass(frozen=True)
class Case:
    """A network in one direction: ``run`` maps an image ``(..., H, W)`` to one ``scale`` times as large.

    ``stride`` is the shift, in pixels of the input, that is the smallest for which the law holds; ``bound`` is what
    it may be broken by once wrapped.
    """

    family: str
    direction: str
    module: nn.Module
    run: Callable[[Tensor], Tensor]
    shape: tuple[int, ...]
    stride: int
    scale: float = 1.0
    bound: float = 1e-12

    @property
    def image(self) -> Tensor:
        return noise(*self.shape)

    @property
    def shift(self) -> tuple[int, int]:
        """Down and to the left, by as little as may be."""
        return self.stride, -self.stride


def noise(*shape: int, seed: int = 5) -> Tensor:
    """Normal noise in float64, the same on every call."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator("cpu").manual_seed(seed))


def loud(model: nn.Module) -> Any:
    """``model`` in float64 with every parameter that is constant made random, and ready to run."""
    generator = torch.Generator("cpu").manual_seed(7)
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > 1 and parameter.std() == 0:
                parameter += 0.2 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
    return model.requires_grad_(False)


def _at_one_size(images: Sequence[Tensor]) -> Tensor:
    """Feature maps of several scales in one tensor of the first one's size."""
    return torch.cat([F.interpolate(image, images[0].shape[-2:], mode="nearest") for image in images], dim=1)


UNETS: dict[str, dict[str, Any]] = {
    "SD 1.x": {},
    "SD 2.x": {"use_linear_projection": True, "upcast_attention": True},
    "SD 1.x inpainting": {"in_channels": 9},
    "SDXL": {
        "block_out_channels": (16, 16, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 1, 2),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + SECOND_WORDS,
    },
    "SDXL refiner": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": 2,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 5 * 8
        + SECOND_WORDS,  # a size, a crop and an aesthetic score
    },
}
UNETS["SDXL inpainting"] = {**UNETS["SDXL"], "in_channels": 9}
_COMMON = {
    "block_out_channels": (8, 8, 16, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": 4,
    "cross_attention_dim": WORDS,
}


def conditions(family: str) -> dict[str, Any]:
    """What a UNet or its ControlNet is told besides the latents and the time."""
    known: dict[str, Any] = {"encoder_hidden_states": noise(1, 7, WORDS)}
    if family.startswith("SDXL"):
        numbers = 5 if "refiner" in family else 6
        known["added_cond_kwargs"] = {"text_embeds": noise(1, SECOND_WORDS), "time_ids": noise(1, numbers)}
    return known


def unet(family: str) -> Case:
    torch.manual_seed(2)
    settings = {**_COMMON, **UNETS[family]}
    model = loud(diffusers.UNet2DConditionModel(**settings))
    stride = 2 ** (len(settings["block_out_channels"]) - 1)

    def run(latents: Tensor) -> Tensor:
        return model(latents, 500, **conditions(family)).sample

    return Case(
        family, "denoise", model, run, (1, settings.get("in_channels", 4), 2 * stride, 3 * stride), stride
    )


def controlnet(base: str) -> Case:
    """The residuals of all scales, from latents whose repeated pixels are the control image."""
    torch.manual_seed(3)
    settings = {**_COMMON, **UNETS[base], "conditioning_embedding_out_channels": (4, 4, 8, 8)}
    settings = {name: value for name, value in settings.items() if name != "up_block_types"}
    model = loud(diffusers.ControlNetModel(**settings))
    stride = 2 ** (len(settings["block_out_channels"]) - 1)

    def run(latents: Tensor) -> Tensor:
        control = F.interpolate(latents[:, :3], scale_factor=8, mode="nearest")
        down, middle = model(latents, 500, controlnet_cond=control, **conditions(base), return_dict=False)
        return _at_one_size([*down, middle])

    return Case(f"ControlNet for {base}", "condition", model, run, (1, 4, 2 * stride, 3 * stride), stride)


def t2i_adapter(kind: str) -> Case:
    """``full_adapter``, ``light_adapter`` or ``full_adapter_xl``: features of all scales from a control image."""
    torch.manual_seed(4)
    scale = 16 if kind.endswith("xl") else 8
    model = loud(
        diffusers.T2IAdapter(
            channels=[8, 8, 16, 16], num_res_blocks=1, downscale_factor=scale, adapter_type=kind
        )
    )
    stride = model.total_downscale_factor

    def run(pixels: Tensor) -> Tensor:
        return _at_one_size(model(pixels))

    return Case(
        f"T2I {kind.replace('_', ' ')}", "condition", model, run, (1, 3, 2 * stride, 3 * stride), stride,
        1 / scale,
    )  # fmt: skip


def _autoencoder(
    family: str,
    model: Any,
    channels: int,
    stride: int,
    frames: tuple[int, int] | None = None,
    bound: float = 1e-12,
) -> list[Case]:
    """Both directions. ``frames`` of pixels and of latents, for one that knows time."""

    def encode(pixels: Tensor) -> Tensor:
        found = model.encode(pixels)
        return found.latent_dist.mean if hasattr(found, "latent_dist") else found[0]

    def decode(latents: Tensor) -> Tensor:
        return model.decode(latents).sample

    pictures, latents = ((), ()) if frames is None else ((frames[0],), (frames[1],))
    return [
        Case(
            family,
            "encode",
            model,
            encode,
            (1, 3, *pictures, 2 * stride, 3 * stride),
            stride,
            1 / stride,
            bound,
        ),
        Case(family, "decode", model, decode, (1, channels, *latents, 2, 3), 1, stride, bound),
    ]


def autoencoder_kl() -> list[Case]:
    torch.manual_seed(5)
    model = diffusers.AutoencoderKL(
        block_out_channels=(4, 4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=2,
    )
    return _autoencoder("AutoencoderKL", loud(model), 4, 8)


def autoencoder_tiny() -> list[Case]:
    torch.manual_seed(6)
    width = (8, 8, 8, 8)
    model = diffusers.AutoencoderTiny(encoder_block_out_channels=width, decoder_block_out_channels=width)
    return _autoencoder("AutoencoderTiny", loud(model), 4, 8)


def autoencoder_dc() -> list[Case]:
    """Two levels of convolutions and two of linear attention that mixes several scales."""
    torch.manual_seed(7)
    blocks = ("ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock")
    model = diffusers.AutoencoderDC(
        latent_channels=4,
        attention_head_dim=4,
        encoder_block_types=blocks,
        decoder_block_types=blocks,
        encoder_block_out_channels=(4, 8, 8, 16),
        decoder_block_out_channels=(4, 8, 8, 16),
        encoder_layers_per_block=(1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        encoder_qkv_multiscales=((), (), (5,), (5,)),
        decoder_qkv_multiscales=((), (), (5,), (5,)),
    )
    return _autoencoder("AutoencoderDC", loud(model), 4, 8, bound=FLOAT32)


def autoencoder_wan(version: str) -> list[Case]:
    """Wan 2.1, or 2.2 with patches of two pixels and shortcuts over its resampling. Five frames are two latents."""
    torch.manual_seed(8)
    newer = {
        "is_residual": True,
        "in_channels": 12,
        "out_channels": 12,
        "patch_size": 2,
        "scale_factor_spatial": 16,
    }
    model = diffusers.AutoencoderKLWan(
        base_dim=4, z_dim=4, num_res_blocks=1, **(newer if version == "2.2" else {})
    )
    return _autoencoder(f"Wan {version}", loud(model), 4, 16 if version == "2.2" else 8, (5, 2))


def autoencoder_qwen() -> list[Case]:
    torch.manual_seed(9)
    model = diffusers.AutoencoderKLQwenImage(base_dim=4, z_dim=4, num_res_blocks=1)
    return _autoencoder("Qwen-Image VAE", loud(model), 4, 8, (1, 1))


def sana() -> Case:
    """Sana 1.5 and later: no positions but what its convolutions see."""
    torch.manual_seed(10)
    model = loud(diffusers.SanaTransformer2DModel(**SANA))

    def run(latents: Tensor) -> Tensor:
        return model(latents, noise(1, 7, WORDS), torch.tensor([500.0])).sample

    return Case("Sana without positions", "denoise", model, run, (1, 4, 4, 6), 1, bound=FLOAT32)


SANA: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "num_layers": 2,
    "num_cross_attention_heads": 2,
    "cross_attention_head_dim": 8,
    "cross_attention_dim": 16,
    "caption_channels": WORDS,
    "sample_size": 8,
}

EXACT: dict[str, Callable[[], list[Case]]] = {
    **{family: lambda family=family: [unet(family)] for family in UNETS},
    "ControlNet": lambda: [controlnet("SD 1.x")],
    "ControlNet XL": lambda: [controlnet("SDXL")],
    "T2I full": lambda: [t2i_adapter("full_adapter")],
    "T2I light": lambda: [t2i_adapter("light_adapter")],
    "T2I XL": lambda: [t2i_adapter("full_adapter_xl")],
    "AutoencoderKL": autoencoder_kl,
    "AutoencoderTiny": autoencoder_tiny,
    "AutoencoderDC": autoencoder_dc,
    "Wan 2.1": lambda: autoencoder_wan("2.1"),
    "Wan 2.2": lambda: autoencoder_wan("2.2"),
    "Qwen-Image VAE": autoencoder_qwen,
    "Sana": lambda: [sana()],
}
"""The families for which the law holds exactly, each in all its directions."""
