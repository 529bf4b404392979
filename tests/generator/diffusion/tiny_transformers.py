# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random folders of the transformer families, complete as the real ones: classes, strides, positions, files.

Only widths and depths are small. Strides, latent channels, patch sizes, the share of each axis in the rotary
positions, VAE scales and schedulers are the real models'.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny_models  # first, because it forbids the network before the libraries below are imported
import tiny_texts
import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLQwenImage,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)

WIDTH = tiny_texts.WIDTH
SD3_SCALE = {"scaling_factor": 1.5305, "shift_factor": 0.0609}
FLUX_SCALE = {"scaling_factor": 0.3611, "shift_factor": 0.1159}


def vae_16(scale: dict[str, float]) -> AutoencoderKL:
    """The `AutoencoderKL` of SD3, Flux and Z-Image: stride 8, 16 latent channels, shifted, no quant convolutions."""
    return tiny_models.vae(latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, **scale)


def vae_qwen() -> AutoencoderKLQwenImage:
    """Qwen-Image's (Wan's) causal 3D VAE: stride 8, 16 latent channels with a mean and a deviation each."""
    torch.manual_seed(21)
    return AutoencoderKLQwenImage(base_dim=4, num_res_blocks=1).eval()


def vae_dc() -> AutoencoderDC:
    """Sana's deep compression autoencoder: stride 32, 32 latent channels, three ResBlocks and three EfficientViT."""
    torch.manual_seed(22)
    channels = (8, 8, 16, 16, 32, 32)
    kinds = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    scales = ((), (), (), (5,), (5,), (5,))
    return AutoencoderDC(
        latent_channels=32,
        attention_head_dim=8,
        encoder_block_types=kinds,
        decoder_block_types=kinds,
        encoder_block_out_channels=channels,
        decoder_block_out_channels=channels,
        encoder_layers_per_block=(1,) * 6,
        decoder_layers_per_block=(1,) * 6,
        encoder_qkv_multiscales=scales,
        decoder_qkv_multiscales=scales,
        downsample_block_type="Conv",
        upsample_block_type="interpolate",
        scaling_factor=0.41407,
    ).eval()


def sd3_transformer(**overrides: Any) -> SD3Transformer2DModel:
    """SD 3.5: patches of 2 x 2 by a convolution, sine positions cropped from the middle of a table three times as wide
    as the trained picture (so 768 px at most), queries and keys normalised, one block with two attentions."""
    torch.manual_seed(31)
    settings: dict[str, Any] = {
        "sample_size": 32,
        "pos_embed_max_size": 48,
        "num_layers": 2,
        "attention_head_dim": 8,
        "num_attention_heads": 4,
        "caption_projection_dim": 32,
        "joint_attention_dim": 3 * WIDTH,
        "pooled_projection_dim": 2 * WIDTH,
        "dual_attention_layers": (0,),
        "qk_norm": "rms_norm",
    }
    return SD3Transformer2DModel(**{**settings, **overrides}).eval()


def flux_transformer(guidance_embeds: bool = True, **overrides: Any) -> FluxTransformer2DModel:
    """Flux: latents packed 2 x 2 into 64 channels, double and single blocks, rotary positions over (text, y, x)
    that share a head as 1 : 3.5 : 3.5. ``guidance_embeds`` as in dev; schnell has none."""
    torch.manual_seed(32)
    settings: dict[str, Any] = {
        "num_layers": 1,
        "num_single_layers": 1,
        "attention_head_dim": 32,
        "num_attention_heads": 2,
        "joint_attention_dim": WIDTH,
        "pooled_projection_dim": WIDTH,
        "axes_dims_rope": (4, 14, 14),
        "guidance_embeds": guidance_embeds,
    }
    return FluxTransformer2DModel(**{**settings, **overrides}).eval()


def z_image_transformer(**overrides: Any) -> ZImageTransformer2DModel:
    """Z-Image: lists of (16, 1, H, W), 2 x 2 patches, a refiner for each stream, then one stream for both; rotary
    positions over (text, y, x) as 2 : 3 : 3. Streams are padded to multiples of 32 with tokens that are not zero."""
    torch.manual_seed(33)
    settings: dict[str, Any] = {
        "dim": 64,
        "n_heads": 2,
        "n_kv_heads": 2,
        "n_layers": 1,
        "n_refiner_layers": 1,
        "cap_feat_dim": WIDTH,
        "axes_dims": [8, 12, 12],
        "axes_lens": [1536, 512, 512],
    }
    model = ZImageTransformer2DModel(**{**settings, **overrides}).eval()
    with torch.no_grad():
        model.x_pad_token.normal_(std=0.02)
        model.cap_pad_token.normal_(std=0.02)
    return model


def qwen_transformer(**overrides: Any) -> QwenImageTransformer2DModel:
    """Qwen-Image: latents packed 2 x 2 into 64 channels, double blocks, rotary positions centred on the image and
    shared as 1 : 3.5 : 3.5."""
    torch.manual_seed(34)
    settings: dict[str, Any] = {
        "num_layers": 2,
        "attention_head_dim": 32,
        "num_attention_heads": 2,
        "joint_attention_dim": WIDTH,
        "axes_dims_rope": (4, 14, 14),
    }
    return QwenImageTransformer2DModel(**{**settings, **overrides}).eval()


def pixart_transformer(**overrides: Any) -> PixArtTransformer2DModel:
    """PixArt-Sigma at 256 px: 4 channels in and 8 out (noise and variance), 2 x 2 patches by a convolution, sine
    positions computed for each size."""
    torch.manual_seed(35)
    settings: dict[str, Any] = {
        "sample_size": 32,
        "interpolation_scale": 0.5,
        "num_layers": 2,
        "num_attention_heads": 4,
        "attention_head_dim": 8,
        "cross_attention_dim": 32,
        "caption_channels": WIDTH,
        "use_additional_conditions": False,
    }
    return PixArtTransformer2DModel(**{**settings, **overrides}).eval()


def sana_transformer(**overrides: Any) -> SanaTransformer2DModel:
    """Sana at 512 px: 32 channels, patches of 1, linear attention, depthwise convolutions, no positions at all."""
    torch.manual_seed(36)
    settings: dict[str, Any] = {
        "sample_size": 16,
        "num_layers": 2,
        "num_attention_heads": 4,
        "attention_head_dim": 8,
        "num_cross_attention_heads": 2,
        "cross_attention_head_dim": 16,
        "cross_attention_dim": 32,
        "caption_channels": WIDTH,
        "interpolation_scale": None,
    }
    return SanaTransformer2DModel(**{**settings, **overrides}).eval()


def flow(**settings: Any) -> FlowMatchEulerDiscreteScheduler:
    """Euler steps along a rectified flow; ``shift`` moves the steps towards noise."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, **settings)


def dynamic_flow(**settings: Any) -> FlowMatchEulerDiscreteScheduler:
    """The same with a shift that grows with the number of image tokens, as Flux dev and Qwen-Image have it."""
    return flow(use_dynamic_shifting=True, base_shift=0.5, base_image_seq_len=256, **settings)


def save_sd3(folder: Path) -> Path:
    """An SD 3.5 folder: two CLIPs and T5, their widths padded to T5's; flow shifted by 3. Gives ``folder``."""
    return _save(
        StableDiffusion3Pipeline(
            transformer=sd3_transformer(),
            vae=vae_16(SD3_SCALE),
            text_encoder=tiny_texts.clip_with_projection(41),
            text_encoder_2=tiny_texts.clip_with_projection(42),
            text_encoder_3=tiny_texts.t5(3 * WIDTH),
            tokenizer=tiny_models.tokenizer(folder / "tokenizer"),
            tokenizer_2=tiny_models.tokenizer(folder / "tokenizer_2"),
            tokenizer_3=tiny_texts.t5_tokenizer(folder / "tokenizer_3"),
            scheduler=flow(shift=3.0),
        ),
        folder,
    )


def save_flux(folder: Path, guidance_embeds: bool = True) -> Path:
    """A Flux dev folder, or with ``guidance_embeds=False`` schnell: CLIP's pooled words, T5's sequence, flow shifted
    by the size (dev) or not at all (schnell). Gives ``folder``."""
    return _save(
        FluxPipeline(
            transformer=flux_transformer(guidance_embeds),
            vae=vae_16(FLUX_SCALE),
            text_encoder=tiny_texts.clip(),
            text_encoder_2=tiny_texts.t5(),
            tokenizer=tiny_models.tokenizer(folder / "tokenizer"),
            tokenizer_2=tiny_texts.t5_tokenizer(folder / "tokenizer_2"),
            scheduler=(
                dynamic_flow(shift=3.0, max_shift=1.15, max_image_seq_len=4096)
                if guidance_embeds
                else flow(shift=1.0)
            ),
        ),
        folder,
    )


def save_z_image(folder: Path) -> Path:
    """A Z-Image folder: Qwen 3 for words, Flux's VAE, flow shifted by 3. Gives ``folder``."""
    return _save(
        ZImagePipeline(
            transformer=z_image_transformer(),
            vae=vae_16(FLUX_SCALE),
            text_encoder=tiny_texts.qwen3(),
            tokenizer=tiny_texts.qwen_tokenizer(folder / "tokenizer"),
            scheduler=flow(shift=3.0),
        ),
        folder,
    )


def save_qwen_image(folder: Path) -> Path:
    """A Qwen-Image folder: Qwen 2.5 VL for words, a VAE for video, flow that stops short of 0. Gives ``folder``."""
    return _save(
        QwenImagePipeline(
            transformer=qwen_transformer(),
            vae=vae_qwen(),
            text_encoder=tiny_texts.qwen_vl(),
            tokenizer=tiny_texts.qwen_tokenizer(folder / "tokenizer"),
            scheduler=dynamic_flow(shift=1.0, max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02),
        ),
        folder,
    )


def save_pixart(folder: Path) -> Path:
    """A PixArt-Sigma folder: T5 for words, SDXL's VAE, DPM-Solver++ on predicted noise. Gives ``folder``."""
    return _save(
        PixArtSigmaPipeline(
            transformer=pixart_transformer(),
            vae=tiny_models.vae(scaling_factor=0.13025),
            text_encoder=tiny_texts.t5(),
            tokenizer=tiny_texts.t5_tokenizer(folder / "tokenizer"),
            scheduler=DPMSolverMultistepScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule="linear"),
        ),
        folder,
    )


def save_sana(folder: Path) -> Path:
    """A Sana folder: Gemma 2 for words, stride 32, DPM-Solver++ on a predicted flow. Gives ``folder``."""
    return _save(
        SanaPipeline(
            transformer=sana_transformer(),
            vae=vae_dc(),
            text_encoder=tiny_texts.gemma(),
            tokenizer=tiny_texts.gemma_tokenizer(folder / "tokenizer"),
            scheduler=DPMSolverMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
            ),
        ),
        folder,
    )


def _save(pipeline: DiffusionPipeline, folder: Path) -> Path:
    pipeline.save_pretrained(folder)
    return folder


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "sd3": save_sd3,
    "flux": save_flux,
    "z_image": save_z_image,
    "qwen_image": save_qwen_image,
    "pixart": save_pixart,
    "sana": save_sana,
}
