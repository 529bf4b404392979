# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a finished folder apart again, so that it can be trained further where nothing else was kept.

    python -m training.starter.unpack --model generator/weights/starter

writes autoencoder, words and denoiser as their own trainings would have left them, but for the optimisers' moments,
which are not shipped and come back by themselves. ``python -m training.starter`` goes on from there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from training.checkpoints import FINISHED, Log, save_state
from training.commands import finished
from training.optimisers import Optimisers
from training.starter import autoencoder, denoiser, export, words
from training.starter.latents import fingerprint
from training.starter.machine import placed, weights_of

MODEL = Path("generator/weights/starter")
ROOT = denoiser.OUT.parent


def unpack(model: Path, root: Path) -> Path:
    """Write the parts of ``model`` under ``root``, and give the denoiser's folder.

    Raises ``FileExistsError`` where one of them has been begun there, ``OSError`` and ``ValueError`` where ``model`` is
    not a folder that `training.starter.export` wrote.
    """
    names = ("autoencoder", "words", "denoiser")
    for name in names:
        if (root / name).exists():
            raise FileExistsError(f"{root / name} has been begun; delete it, or choose another --root.")
    steps, seconds = _trained(model / export.TRAINED)
    unet = UNet2DConditionModel.from_pretrained(model / "unet", local_files_only=True)
    partial = root / "unpacked.part"
    shutil.rmtree(partial, ignore_errors=True)
    codec, reader, network = (partial / name for name in names)
    shutil.copytree(model / "vae", codec / "model")
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(model / name, reader / "model" / name)
    shutil.copytree(model / "unet", network / "model")
    for folder, last in ((codec, autoencoder.STEPS), (reader, words.STEPS), (network, steps)):
        Log(folder / "log.jsonl").add(last, seconds if folder == network else 0.0, {})
    for folder in (codec, reader):
        (folder / FINISHED).touch()
    (network / denoiser.BESIDE).write_text(fingerprint(codec / "model", reader / "model"), encoding="utf-8")
    start = weights_of(placed(unet, "cpu").to(memory_format=torch.channels_last), torch.device("cpu"))
    how = denoiser.settings(denoiser.STEPS)
    optimisers = Optimisers(start, how.rate, how.decay, how.matrix_rate, how.linear)
    averaged = {name: leaf.detach().clone() for name, leaf in optimisers.leaves.items()}
    save_state(network / "checkpoint.safetensors", optimisers, averaged, steps, seconds)
    for name in names:
        (partial / name).rename(root / name)
    partial.rmdir()
    return root / names[-1]


def _trained(path: Path) -> tuple[int, float]:
    told = json.loads(path.read_text(encoding="utf-8"))
    try:
        return int(told["steps"]), float(told["seconds"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} does not say how far the denoiser was trained.") from error


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when there is no such folder, or work would be lost."""
    parser = argparse.ArgumentParser(
        prog="python -m training.starter.unpack", description="Take a finished folder apart, to train on."
    )
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--root", type=Path, default=ROOT)
    told = parser.parse_args(arguments)
    return finished(lambda: unpack(told.model, told.root))


if __name__ == "__main__":
    sys.exit(main())
