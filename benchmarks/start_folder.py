# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of Stable Diffusion 1.5's architecture and size with random float16 weights, made on the spot."""

from __future__ import annotations

import itertools
import json
import shutil
import string
from pathlib import Path
from typing import Any

VOCABULARY = 49408  # of CLIP
START, END = "<|startoftext|>", "<|endoftext|>"


def make_folder(folder: Path, *, tiny: bool = False) -> Path:
    """The folder, made where it is not there yet; ``tiny`` has the same parts with few channels."""
    if (folder / "model_index.json").is_file():
        return folder
    import torch

    print(f"Making a model with random weights in {folder} ...", flush=True)
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    torch.manual_seed(0)
    pipeline = _pipeline(partial / "words", tiny)
    pipeline.save_pretrained(partial)
    shutil.rmtree(partial / "words")
    partial.rename(folder)
    return folder


def _pipeline(words: Path, tiny: bool) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.schedulers.scheduling_pndm import PNDMScheduler
    from transformers.models.clip import CLIPTextConfig, CLIPTextModel

    few: dict[str, Any] = {"block_out_channels": (32, 32, 64, 64)} if tiny else {}
    levels: dict[str, Any] = {
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
        "sample_size": 512,
    }
    text: dict[str, Any] = {
        "hidden_size": 64 if tiny else 768,
        "intermediate_size": 256 if tiny else 3072,
        "num_attention_heads": 4 if tiny else 12,
        "num_hidden_layers": 2 if tiny else 12,
        "projection_dim": 64 if tiny else 768,
        "vocab_size": VOCABULARY,
        "bos_token_id": VOCABULARY - 2,
        "eos_token_id": VOCABULARY - 1,
        "pad_token_id": VOCABULARY - 1,
    }
    betas: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    parts: dict[str, Any] = {
        "unet": UNet2DConditionModel(sample_size=64, cross_attention_dim=text["hidden_size"], **few).half(),
        "vae": AutoencoderKL(**{**levels, **few}).half(),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**text)).half(),
        "tokenizer": tokenizer(words),
        "scheduler": PNDMScheduler(skip_prk_steps=True, steps_offset=1, **betas),
        "safety_checker": None,
        "feature_extractor": None,
    }
    return StableDiffusionPipeline(**parts, requires_safety_checker=False)


def tokenizer(folder: Path) -> Any:
    """A tokenizer with as many words as CLIP's: every combination of letters until the vocabulary is full."""
    from transformers.models.clip import CLIPTokenizer

    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    vocabulary = [*letters, *(letter + "</w>" for letter in letters)]
    merges = []
    for length in itertools.count(2):
        for word in itertools.product(string.ascii_lowercase, repeat=length):
            start = "".join(word[:-1])
            for last in (word[-1], word[-1] + "</w>"):
                if len(vocabulary) < VOCABULARY - 2:
                    merges.append(f"{start} {last}")
                    vocabulary.append(start + last)
        if len(vocabulary) == VOCABULARY - 2:
            break
    folder.mkdir()
    numbers = {word: number for number, word in enumerate([*vocabulary, START, END])}
    (folder / "vocab.json").write_text(json.dumps(numbers), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    settings = {
        "model_max_length": 77,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
