# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random model folders, written on the spot with `save_pretrained`: the real classes, topology and files.

The strides are those of the real models (VAE 8, UNet 8 for SD 1.x and 2.x, 4 for SDXL); only the channels are few.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

WORDS = ("a", "mossy", "red", "brick", "wall", "wood", "stone", "grass", "blue", "smooth", "tile")
TEXT_WIDTH = 32
BETAS = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
}


def tokenizer(folder: Path) -> CLIPTokenizer:
    """A CLIP tokenizer of 26 letters and a few words; every other character is unknown to it."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    merges: list[tuple[str, str]] = []
    vocabulary = letters + [letter + "</w>" for letter in letters]
    for word in WORDS:
        left = word[0]
        for position, letter in enumerate(word[1:], start=2):
            right = letter + ("</w>" if position == len(word) else "")
            if (left, right) not in merges:
                merges.append((left, right))
            left += right
            if left not in vocabulary:
                vocabulary.append(left)
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "\n".join(f"{left} {right}" for left, right in merges) + "\n"
    )
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "CLIPTokenizer",
                "model_max_length": 77,
                "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>",
                "pad_token": "<|endoftext|>",
            }
        )
    )
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def _text_config(projection: int = TEXT_WIDTH) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=256,
        hidden_size=TEXT_WIDTH,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        projection_dim=projection,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )


def vae(**overrides: object) -> AutoencoderKL:
    """An `AutoencoderKL` with the real stride of 8. Its encoder speaks far more quietly than a trained one."""
    torch.manual_seed(1)
    settings = {
        "block_out_channels": (8, 8, 16, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "norm_num_groups": 4,
        "latent_channels": 4,
        "sample_size": 128,
    }
    return AutoencoderKL(**{**settings, **overrides}).eval()


def loud_vae() -> AutoencoderKL:
    """The same with latents as loud as a trained one's: a deviation of 1, so that noise does not drown them."""
    model = vae()
    with torch.no_grad():
        patches = torch.rand(1, 3, 16, 16).repeat_interleave(8, -1).repeat_interleave(8, -2) * 2 - 1
        gain = 1 / (model.config.scaling_factor * model.encode(patches).latent_dist.mean.std())
        model.quant_conv.weight *= gain
        model.quant_conv.bias *= gain
    return model


def unet(family: str = "sd1", **overrides: object) -> UNet2DConditionModel:
    """The UNet of ``sd1``, ``sd2`` (linear projections) or ``sdxl`` (three levels, added conditions)."""
    torch.manual_seed(2)
    settings: dict[str, object] = {
        "sample_size": 16,
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "attention_head_dim": 4,
        "cross_attention_dim": TEXT_WIDTH,
    }
    if family == "sdxl":
        settings |= {
            "block_out_channels": (16, 16, 32),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 1, 2),
            "use_linear_projection": True,
            "cross_attention_dim": 2 * TEXT_WIDTH,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + TEXT_WIDTH,
        }
    else:
        settings |= {"block_out_channels": (16, 16, 32, 32), "use_linear_projection": family == "sd2"}
    return UNet2DConditionModel(**{**settings, **overrides}).eval()


def save_sd(folder: Path, family: str = "sd1", **overrides: object) -> Path:
    """A Stable Diffusion 1.x folder (PNDM, predicts noise) or 2.x folder (DDIM, predicts v). Returns ``folder``."""
    torch.manual_seed(3)
    scheduler = (
        PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1, **BETAS)
        if family == "sd1"
        else DDIMScheduler(
            prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1, **BETAS
        )
    )
    parts = {
        "vae": vae(),
        "text_encoder": CLIPTextModel(_text_config()).eval(),
        "tokenizer": tokenizer(folder / "tokenizer"),
        "unet": unet(family),
        "scheduler": scheduler,
    }
    pipeline = StableDiffusionPipeline(
        **{**parts, **overrides}, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    pipeline.save_pretrained(folder)
    return folder


def save_inpaint(folder: Path) -> Path:
    """A Stable Diffusion 1.x inpainting folder: its unet also sees a mask and the picture behind it."""
    torch.manual_seed(3)
    StableDiffusionInpaintPipeline(
        vae=vae(),
        text_encoder=CLIPTextModel(_text_config()).eval(),
        tokenizer=tokenizer(folder / "tokenizer"),
        unet=unet("sd1", in_channels=9),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1, **BETAS),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def save_refiner(folder: Path) -> Path:
    """An SDXL refiner's folder: the second text encoder alone, and a score among the conditions."""
    torch.manual_seed(4)
    StableDiffusionXLImg2ImgPipeline(
        vae=vae(scaling_factor=0.13025, force_upcast=True),
        text_encoder=None,
        text_encoder_2=CLIPTextModelWithProjection(_text_config()).eval(),
        tokenizer=None,
        tokenizer_2=tokenizer(folder / "tokenizer_2"),
        unet=unet(
            "sdxl",
            cross_attention_dim=TEXT_WIDTH,
            projection_class_embeddings_input_dim=5 * 8 + TEXT_WIDTH,
        ),
        scheduler=EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1, **BETAS),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    ).save_pretrained(folder)
    return folder


def save_sdxl(folder: Path, **overrides: object) -> Path:
    """An SDXL folder, with two text encoders. Returns ``folder``."""
    torch.manual_seed(4)
    parts = {
        "vae": vae(scaling_factor=0.13025, force_upcast=True),
        "text_encoder": CLIPTextModel(_text_config()).eval(),
        "text_encoder_2": CLIPTextModelWithProjection(_text_config()).eval(),
        "tokenizer": tokenizer(folder / "tokenizer"),
        "tokenizer_2": tokenizer(folder / "tokenizer_2"),
        "unet": unet("sdxl"),
        "scheduler": EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1, **BETAS),
    }
    StableDiffusionXLPipeline(**{**parts, **overrides}, add_watermarker=False).save_pretrained(folder)
    return folder
