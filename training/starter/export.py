# SPDX-License-Identifier: GPL-3.0-or-later
"""Put autoencoder, text encoder and denoiser together as one Stable Diffusion folder in halves.

    python -m training.starter.export

writes ``training/out/starter/model``, which diffusers loads without custom code, and its model card. Folders that are
too large to be shipped are refused.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

from generator.diffusion import few_steps
from training.checkpoints import reached
from training.commands import finished
from training.starter import autoencoder, denoiser, words
from training.starter.captions import held_out_prompts
from training.starter.noise import GUIDANCE, STEPS, scheduler

OUT = Path("training/out/starter/model")
LARGEST_FOLDER, LARGEST_FILE = 60_000_000, 45_000_000
"""Bytes of what may be shipped."""

TRAINED = "training.json"
"""The file in the folder that says how far the denoiser was trained."""

_SHARD = "40MB"

CARD = """---
license: gpl-3.0
pipeline_tag: text-to-image
library_name: diffusers
---
# builtin:starter

Experimental. A small diffusion model of materials, for every machine, offline: it makes base colours that tile,
from words and from pictures, and knows nothing but materials. {parameters:.1f} million
parameters, {megabytes:.0f} MB in halves.

- **Made of** nothing but the procedural materials of Dream Textures and their captions; `training/starter` makes it
  again. Denoiser: {steps} steps, {hours:.1f} hours. {asked} combinations of material and colour were held out.
- **To be used** with {few} steps and a guidance of {guidance:g}, at 512 x 512 pixels and above; sides in multiples of
  {multiple} pixels tile exactly in Dream Textures, which makes every convolution periodic.
- **Words**: materials, colours, wear, bonds and sizes in English, in any order. Others are ignored.
- **It cannot** draw objects, letters or people, and knows no artist and no brand.
"""

_TABLE = "## Figures\n"


def assemble(codec: Path, reader: Path, network: Path, out: Path) -> Path:
    """Write the folder, anew. Raises ``ValueError`` where it is too large to be shipped."""
    parts = denoiser.read_parts(codec, reader, torch.device("cpu"))
    unet = UNet2DConditionModel.from_pretrained(network, local_files_only=True)
    made_of: dict[str, Any] = {"vae": parts.codec, "scheduler": scheduler()}
    pipeline = StableDiffusionPipeline(
        text_encoder=parts.text,
        tokenizer=parts.tokenizer,
        unet=unet,
        **made_of,
        safety_checker=None,  # type: ignore[arg-type]
        feature_extractor=None,  # type: ignore[arg-type]
        requires_safety_checker=False,
    )
    pipeline.to(dtype=torch.float16)
    partial = out.with_name(f"{out.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    pipeline.save_pretrained(partial, max_shard_size=_SHARD)
    for name in ("vocab.json", "merges.txt"):  # for transformers 4, which does not read tokenizer.json
        shutil.copyfile(reader / "tokenizer" / name, partial / "tokenizer" / name)
    for path in partial.rglob("config.json"):
        _settle(path)
    made_for = {"steps": STEPS, "guidance": GUIDANCE}
    (partial / few_steps.TOLD).write_text(json.dumps(made_for) + "\n", encoding="utf-8")
    steps, seconds = reached(network.parent / "checkpoint.safetensors")
    told = {"steps": steps, "seconds": seconds}
    (partial / TRAINED).write_text(json.dumps(told) + "\n", encoding="utf-8")
    weigh(partial)
    count = sum(p.numel() for part in (parts.codec, parts.text, unet) for p in part.parameters())
    (partial / "README.md").write_text(
        CARD.format(
            parameters=count / 1e6,
            megabytes=_size(partial) / 1e6,
            steps=f"{steps:,}",
            hours=seconds / 3600,
            asked=len({(family, group) for _, family, group in held_out_prompts(500)}),
            few=STEPS,
            guidance=GUIDANCE,
            multiple=autoencoder.STRIDE * 2 ** (len(unet.config["block_out_channels"]) - 1),
        ),
        encoding="utf-8",
    )
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return out


def weigh(folder: Path) -> None:
    """Raises ``ValueError`` where the folder, or a file in it, is too large to be shipped."""
    if _size(folder) > LARGEST_FOLDER:
        raise ValueError(
            f"The model has {_size(folder) / 1e6:.0f} MB, and {LARGEST_FOLDER / 1e6:.0f} may be shipped; train a "
            "narrower denoiser."
        )
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size > LARGEST_FILE:
            raise ValueError(
                f"{path.name} has {path.stat().st_size / 1e6:.0f} MB, and {LARGEST_FILE / 1e6:.0f} may be shipped."
            )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _settle(path: Path) -> None:
    """Take out of a configuration where on this machine its part was read from, and have it computed in float32.

    Else transformers takes the format of the file, diffusers does not, and the two do not fit together.
    """
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings.pop("_name_or_path", None)
    if "decoder_block_out_channels" in settings:
        settings.pop(
            "block_out_channels", None
        )  # a copy that diffusers makes, and complains of when it reads it
    settings |= {name: "float32" for name in ("dtype", "torch_dtype") if name in settings}
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def add_figures(folder: Path, table: str) -> None:
    """Put a table of figures into the model card, in place of the one before."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8").partition(_TABLE)[0].rstrip()
    card.write_text(f"{text}\n\n{_TABLE}\n{table.strip()}\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when a part is missing or the model too large."""
    parser = argparse.ArgumentParser(
        prog="python -m training.starter.export", description="Write the model's folder."
    )
    parser.add_argument("--autoencoder", type=Path, default=autoencoder.OUT / "model")
    parser.add_argument("--words", type=Path, default=words.OUT / "model")
    parser.add_argument("--denoiser", type=Path, default=denoiser.OUT / "model")
    parser.add_argument("--out", type=Path, default=OUT)
    told = parser.parse_args(arguments)
    return finished(lambda: assemble(told.autoencoder, told.words, told.denoiser, told.out))


if __name__ == "__main__":
    sys.exit(main())
