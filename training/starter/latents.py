# SPDX-License-Identifier: GPL-3.0-or-later
"""Encode the pictures once, each moved by chance several times, and number the words of their captions.

    python -m training.starter.latents --data training/out/starter/data/train-128

writes to ``training/out/starter/latents/train-128`` and goes on where it was stopped. Latents of another autoencoder,
or words of another tokenizer, are refused: they would mean nothing to the denoiser.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor
from transformers import CLIPTokenizer

from generator.diffusion.latents import encoded
from generator.torus import wrap
from training.commands import command, finished
from training.starter import autoencoder, words
from training.starter.captions import varied
from training.starter.data import DATA, Pictures, Scene
from training.starter.machine import device, placed, seeded
from training.starter.rolls import Tori, to_pixels
from training.starter.tokens import LENGTH, numbered

LATENTS = Path("training/out/starter/latents")
MOVED, SAID = 3, 6
"""How often each picture of the smallest tori is encoded, rolled and mirrored by chance, and how often each caption is
put into words. Of larger tori there is enough to see in one go."""

_CHUNK = 32


def fingerprint(*folders: Path) -> str:
    """A number that changes with any file in these folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def seen_often(codec: AutoencoderTiny, tori: Tori, random: torch.Generator, often: int) -> Tensor:
    """Latents ``(N, often, h, w, C)``, float16, in the units of the denoiser."""
    made = []
    for first in range(0, len(tori), _CHUNK):
        chosen = torch.arange(first, min(first + _CHUNK, len(tori)))
        ways = [encoded(codec, to_pixels(tori.drawn(chosen, random))) for _ in range(often)]
        made.append(torch.stack(ways, 1) * codec.config["scaling_factor"])
    return torch.cat(made).permute(0, 1, 3, 4, 2).half().cpu()


def worded(tokenizer: CLIPTokenizer, scenes: Sequence[Scene], said: int, seed: int) -> np.ndarray:
    """Tokens ``(N, said, LENGTH)``: the caption as it is, then said otherwise."""
    texts = []
    for scene in scenes:
        rng = np.random.default_rng([seed, 80, scene.index])
        texts += [scene.caption, *(varied(scene.caption, rng) for _ in range(said - 1))]
    return numbered(tokenizer, texts).astype(np.int32).reshape(len(scenes), said, LENGTH)


def build(
    data: Path,
    out: Path,
    codec: Path,
    reader: Path,
    moved: int | None = None,
    said: int = SAID,
    seed: int = 0,
) -> Path:
    """Encode the shards that are missing, and give their folder. Raises ``ValueError`` where others' lie there."""
    pictures, folder = Pictures(data), out / data.name
    folder.mkdir(parents=True, exist_ok=True)
    made_by = fingerprint(codec, reader / "tokenizer")
    moved = moved or (MOVED if pictures.size <= 64 else 1)
    about = {"made_by": made_by, "size": pictures.size, "moved": moved, "said": said, "seed": seed}
    path = folder / "about.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else about
    if found != about:
        raise ValueError(
            f"{folder} holds latents of another autoencoder or tokenizer; delete it, or choose another folder."
        )
    path.write_text(json.dumps(about), encoding="utf-8")
    on = device()
    network = placed(AutoencoderTiny.from_pretrained(codec, local_files_only=True), on).eval()
    tokenizer = CLIPTokenizer.from_pretrained(reader / "tokenizer", local_files_only=True)
    started, done = time.monotonic(), 0
    for number, (name, fields, scenes) in enumerate(pictures.each_shard()):
        target = folder / name
        if target.is_dir() and len(json.loads((target / "scenes.json").read_text(encoding="utf-8"))) == len(
            scenes
        ):
            continue
        partial = target.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        tori = Tori(torch.from_numpy(np.array(fields)).to(on), scenes)
        with torch.no_grad(), wrap(network):
            np.save(
                partial / "latents.npy", seen_often(network, tori, seeded(seed, 81, number), moved).numpy()
            )
        np.save(partial / "tokens.npy", worded(tokenizer, scenes, said, seed))
        shutil.copyfile(data / name / "scenes.json", partial / "scenes.json")
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        done += len(scenes)
        print(
            f"{folder.name}: {name}, {done / (time.monotonic() - started):.0f} pictures a second", flush=True
        )
    return folder


class Latents:
    """A folder of latents on a device: ``fields`` ``(N * moved, h, w, C)`` and ``tokens`` ``(N, said, LENGTH)``."""

    def __init__(self, folder: Path, on: torch.device) -> None:
        shards = sorted(folder.glob("shard-?????"))
        if not shards:
            raise FileNotFoundError(
                f"{folder} holds no latents; python -m training.starter.latents makes them."
            )
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self.made_by, self.size = str(about["made_by"]), int(about["size"])
        self.moved, self.said = int(about["moved"]), int(about["said"])
        entries = [e for s in shards for e in json.loads((s / "scenes.json").read_text(encoding="utf-8"))]
        self.scenes = [Scene(**entry) for entry in entries]
        fields = torch.from_numpy(
            np.concatenate([np.load(shard / "latents.npy") for shard in shards])
        ).flatten(0, 1)
        self.tori = Tori(fields.to(on), [scene for scene in self.scenes for _ in range(self.moved)])
        self.tokens = torch.from_numpy(
            np.concatenate([np.load(shard / "tokens.npy") for shard in shards])
        ).to(on)

    def __len__(self) -> int:
        return len(self.scenes)

    def drawn(self, chosen: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents ``(B, C, h, w)`` float32, rolled by chance, and tokens ``(B, LENGTH)`` of one of their captions."""
        ways = torch.randint(self.moved, (len(chosen),), generator=random)
        said = torch.randint(self.said, (len(chosen),), generator=random)
        latents = self.tori.drawn(chosen * self.moved + ways, random, mirrored=False).float()
        on = self.tokens.device
        return latents, self.tokens[chosen.to(on), said.to(on)].long()


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when something that it needs is missing or does not belong together."""
    parser = command("training.starter.latents", "Encode the pictures.", LATENTS)
    folders = [DATA / f"train-{size}" for size in (64, 128, 256)]
    parser.add_argument("--data", type=Path, nargs="+", default=folders)
    parser.add_argument("--autoencoder", type=Path, default=autoencoder.OUT / "model")
    parser.add_argument("--words", type=Path, default=words.OUT / "model")
    parser.add_argument("--moved", type=int, help="how often each picture is encoded (default: by size)")
    told = parser.parse_args(arguments)
    parts = told.autoencoder, told.words, told.moved

    def work() -> None:
        for data in told.data:
            print(build(data, told.out, *parts, seed=told.seed), flush=True)

    return finished(work)


if __name__ == "__main__":
    sys.exit(main())
