# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random transformers that are told where each token lies, called as their pipelines call them.

Their positions take part as in trained models: as many rotary channels for rows as for columns, and tables of
sin-cos positions that are cut (SD3) or stretched (PixArt, Sana) to the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from small_models import SANA, WORDS, diffusers, loud, noise
from torch import Tensor, nn

TOKENS = 7  # of text
CHANNELS = 4  # of latents


@dataclass(frozen=True)
class Denoiser:
    """``call`` maps latents ``(B, 4, H, W)`` and times ``(B,)`` from 1 (noise) to 0 to a prediction of that shape."""

    family: str
    module: nn.Module
    call: Callable[[Tensor, Tensor], Tensor]
    exact_attention: bool
    """Whether positions are rotary, so that attention within the image is exactly toroidal when they go around."""


def packed(latents: Tensor) -> Tensor:
    """Squares of two by two latents as tokens ``(1, H / 2 * W / 2, 16)``, as Flux and Qwen-Image want them."""
    return nn.functional.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)


def unpacked(tokens: Tensor, like: Tensor) -> Tensor:
    """The reverse, at the size of ``like``."""
    rows, columns = (n // 2 for n in like.shape[-2:])
    return nn.functional.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (rows, columns)), 2)


def text(latents: Tensor, words: int = TOKENS) -> Tensor:
    """The same embedded words for every image of a batch."""
    return noise(1, words, WORDS).to(latents).expand(len(latents), -1, -1)


def pooled(latents: Tensor) -> Tensor:
    return noise(1, WORDS).to(latents).expand(len(latents), -1)


def flux(words: int = TOKENS) -> Denoiser:
    torch.manual_seed(20)
    model = loud(
        diffusers.FluxTransformer2DModel(
            in_channels=4 * CHANNELS,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=32,
            num_attention_heads=2,
            joint_attention_dim=WORDS,
            pooled_projection_dim=WORDS,
            axes_dims_rope=(4, 14, 14),
        )
    )

    def call(latents: Tensor, times: Tensor) -> Tensor:
        rows, columns = (n // 2 for n in latents.shape[-2:])
        tokens = model(
            hidden_states=packed(latents),
            encoder_hidden_states=text(latents, words),
            pooled_projections=pooled(latents),
            timestep=times,
            img_ids=torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in (1, rows, columns))),
            txt_ids=torch.zeros(words, 3),
            return_dict=False,
        )[0]
        return unpacked(tokens, latents)

    return Denoiser("Flux", model, call, True)


def qwen_image(words: int = TOKENS) -> Denoiser:
    """``words`` of its tokens are heard, the others masked."""
    torch.manual_seed(21)
    model = loud(
        diffusers.QwenImageTransformer2DModel(
            in_channels=4 * CHANNELS,
            out_channels=CHANNELS,
            num_layers=2,
            attention_head_dim=32,
            num_attention_heads=2,
            joint_attention_dim=WORDS,
            axes_dims_rope=(4, 14, 14),
        )
    )

    def call(latents: Tensor, times: Tensor) -> Tensor:
        tokens = model(
            hidden_states=packed(latents),
            encoder_hidden_states=text(latents),
            encoder_hidden_states_mask=(torch.arange(TOKENS) < words).expand(len(latents), TOKENS),
            timestep=times,
            img_shapes=[[(1, latents.shape[-2] // 2, latents.shape[-1] // 2)]] * len(latents),
        ).sample
        return unpacked(tokens, latents)

    return Denoiser("Qwen-Image", model, call, True)


def z_image() -> Denoiser:
    torch.manual_seed(22)
    model = loud(
        diffusers.ZImageTransformer2DModel(
            in_channels=CHANNELS,
            dim=64,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=WORDS,
            axes_dims=[4, 14, 14],
            axes_lens=[64, 64, 64],
        )
    )

    def call(latents: Tensor, times: Tensor) -> Tensor:
        found = model(list(latents.unsqueeze(2)), 1 - times, list(text(latents))).sample
        return torch.stack(found).squeeze(2)

    return Denoiser("Z-Image", model, call, True)


def sd3() -> Denoiser:
    torch.manual_seed(23)
    model = loud(
        diffusers.SD3Transformer2DModel(
            sample_size=32,
            in_channels=CHANNELS,
            out_channels=CHANNELS,
            num_layers=2,
            attention_head_dim=32,
            num_attention_heads=2,
            joint_attention_dim=WORDS,
            caption_projection_dim=64,
            pooled_projection_dim=WORDS,
            pos_embed_max_size=48,
        )
    )

    def call(latents: Tensor, times: Tensor) -> Tensor:
        return model(latents, text(latents), pooled(latents), 1000 * times).sample

    return Denoiser("SD3", model, call, False)


def pixart() -> Denoiser:
    torch.manual_seed(24)
    model = loud(
        diffusers.PixArtTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=32,
            in_channels=CHANNELS,
            out_channels=CHANNELS,
            num_layers=2,
            norm_num_groups=4,
            cross_attention_dim=64,
            caption_channels=WORDS,
            sample_size=32,
            use_additional_conditions=False,
        )
    )

    def call(latents: Tensor, times: Tensor) -> Tensor:
        return model(
            latents,
            text(latents),
            timestep=1000 * times,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
        ).sample

    return Denoiser("PixArt", model, call, False)


def sana_with_positions() -> Denoiser:
    torch.manual_seed(25)
    larger = {"attention_head_dim": 32, "cross_attention_head_dim": 32, "cross_attention_dim": 64}
    known = {"interpolation_scale": 1, "sample_size": 32, "patch_size": 2}  # patches, to be trained sooner
    settings: dict[str, Any] = {**SANA, **larger, **known}
    model = loud(diffusers.SanaTransformer2DModel(**settings))

    def call(latents: Tensor, times: Tensor) -> Tensor:
        return model(latents, text(latents), timestep=1000 * times).sample

    return Denoiser("Sana with positions", model, call, False)


POSITIONED: dict[str, Callable[[], Denoiser]] = {
    "Flux": flux,
    "Qwen-Image": qwen_image,
    "Z-Image": z_image,
    "SD3": sd3,
    "PixArt": pixart,
    "Sana with positions": sana_with_positions,
}
