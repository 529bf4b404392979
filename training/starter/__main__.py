# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the starter from nothing: data, judges, words, autoencoder, latents, denoiser, verdict, one after another.

    python -m training.starter --minutes 150

goes on where it was stopped, as often as needed: what is done is not done again. Every part is a command of its own as
well, with more to choose; `training/starter/README.md` has them in their order. Data are the same on every machine. How
many steps of which size are made is not, since a graphics card takes larger batches, and fewer; nor are the last digits
of what is computed in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.checkpoints import FINISHED, read_log
from training.commands import limited
from training.starter import autoencoder, data, denoiser, evaluate, export, judges, latents, words
from training.starter.machine import device

ROOT = denoiser.OUT.parent

PICTURES = {
    ("judges", 128): 8_000,
    ("trial", 128): 1_000,
    ("train", 64): 20_000,
    ("train", 128): 20_000,
    ("train", 256): 6_000,
}
"""How many pictures of each split and size. The smallest of training are the autoencoder's."""

NETWORK, READER, JUDGE = (
    "model/diffusion_pytorch_model.safetensors", "model/text_encoder/model.safetensors", "judge.safetensors"
)  # fmt: skip
"""What a part is there for, in its folder."""


@dataclass(frozen=True)
class Effort:
    """Steps and pictures in a batch of each part; ``captions`` to learn words from, and the sizes of denoiser and
    autoencoder; and how many minutes the judges take."""

    encoding: tuple[int, int] = (autoencoder.STEPS, autoencoder.BATCH)
    reading: tuple[int, int] = (words.STEPS, words.BATCH)
    judging: tuple[int, int] = (judges.STEPS, judges.BATCH)
    denoising: tuple[int, int] = (denoiser.STEPS, denoiser.BATCH)
    captions: int = words.CORPUS
    widths: tuple[int, ...] = denoiser.WIDTHS
    layers: int = denoiser.LAYERS
    width: int = autoencoder.WIDTH
    verdict: float = 35.0


ON_A_PROCESSOR = Effort()
ON_A_CARD = Effort((16_000, 96), (4_000, 128), (4_000, 64), (20_000, 512), layers=2, width=48, verdict=8.0)


class Clock:
    """How much of the time is left."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes

    @property
    def minutes(self) -> float:
        """Minutes left, 0 when time is up."""
        return max(0.0, (self._end - time.monotonic()) / 60)


class Work:
    """All parts of the work under one folder; each says whether it is done when its time is up."""

    def __init__(
        self, root: Path, effort: Effort, pictures: dict[tuple[str, int], int], clock: Clock, seed: int
    ) -> None:
        self._root, self._effort, self._pictures = root, effort, pictures
        self._clock, self._seed = clock, seed

    def _data(self, split: str, size: int) -> Path:
        return self._root / "data" / f"{split}-{size}"

    def _trained(self, name: str, result: str, steps: int) -> bool:
        """Whether all steps are made and the result was written after the last of them, or it came finished."""
        folder = self._root / name
        if (folder / FINISHED).is_file():
            return True
        log, made = read_log(folder / "log.jsonl"), folder / result
        if not log or log[-1]["step"] < steps or not made.is_file():
            return False
        return made.stat().st_mtime >= (folder / "checkpoint.safetensors").stat().st_mtime

    @property
    def _sizes(self) -> list[int]:
        return sorted(size for split, size in self._pictures if split == "train")

    @property
    def _judged(self) -> int:
        return next(size for split, size in self._pictures if split == "judges")

    def data(self) -> bool:
        """Make the pictures."""
        for (split, size), count in self._pictures.items():
            workers = os.cpu_count() or 2
            data.build(split, count, size, self._root / "data", self._seed, workers, self._clock.minutes)
            if len(data.Pictures(self._data(split, size))) < count:
                return False
        return True

    def judges(self) -> bool:
        """Train the judges."""
        steps, batch = self._effort.judging
        if not self._trained("judges", JUDGE, steps):
            pictures, trial = (self._data(split, self._judged) for split in ("judges", "trial"))
            out, minutes = self._root / "judges", self._clock.minutes
            judges.run(pictures, trial, out, judges.settings(steps), minutes, batch, seed=self._seed)
        return self._trained("judges", JUDGE, steps)

    def words(self) -> bool:
        """Train the text encoder."""
        steps, batch = self._effort.reading
        if not self._trained("words", READER, steps):
            captions, minutes = self._effort.captions, self._clock.minutes
            words.run(self._root / "words", words.settings(steps), minutes, batch, captions, seed=self._seed)
        return self._trained("words", READER, steps)

    def autoencoder(self) -> bool:
        """Train the autoencoder."""
        steps, batch = self._effort.encoding
        if not self._trained("autoencoder", NETWORK, steps):
            settings = autoencoder.settings(steps)
            pictures = self._data("train", self._sizes[0])
            out, minutes = self._root / "autoencoder", self._clock.minutes
            autoencoder.run(pictures, out, settings, minutes, self._effort.width, batch, self._seed)
        return self._trained("autoencoder", NETWORK, steps)

    def latents(self) -> bool:
        """Encode the pictures."""
        for size in self._sizes:
            parts = self._root / "autoencoder/model", self._root / "words/model"
            latents.build(self._data("train", size), self._root / "latents", *parts, seed=self._seed)
        return True

    def denoiser(self) -> bool:
        """Train the denoiser."""
        steps, batch = self._effort.denoising
        if not self._trained("denoiser", NETWORK, steps):
            settings = denoiser.settings(steps)
            folders = [self._root / "latents" / f"train-{size}" for size in self._sizes]
            parts = self._root / "autoencoder/model", self._root / "words/model"
            out, minutes = self._root / "denoiser", self._clock.minutes
            denoiser.run(folders, out, *parts, settings, minutes, batch, *self._shape(out), seed=self._seed)
        return self._trained("denoiser", NETWORK, steps)

    def _shape(self, out: Path) -> tuple[tuple[int, ...], int]:
        """Widths and layers of the denoiser that was begun, on whatever machine, or of the one that this one makes."""
        path = out / "model" / "config.json"
        if not path.is_file():
            return self._effort.widths, self._effort.layers
        found = json.loads(path.read_text(encoding="utf-8"))
        return tuple(found["block_out_channels"]), int(found["layers_per_block"])

    def export(self) -> Path:
        """Put the model together, as far as it has come."""
        codec, reader, network = (
            self._root / part / "model" for part in ("autoencoder", "words", "denoiser")
        )
        return export.assemble(codec, reader, network, self._root / "model")

    def judged(self, out: Path) -> int:
        """Judge the model; gives what the command gives."""
        judge = self._root / "judges" / "judge.safetensors"
        return evaluate.main(
            ["--model", str(self._root / "model"), "--judges", str(judge), "--out", str(out), "--card"]
        )


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when a folder holds other work."""
    parser = argparse.ArgumentParser(
        prog="python -m training.starter", description="Make the starter from nothing."
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="where everything is kept")
    limited(parser)
    parser.add_argument("--judge-into", type=Path, help="where the verdict goes (default: beside the model)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    effort = ON_A_CARD if device().type == "cuda" else ON_A_PROCESSOR
    clock = Clock(options.minutes)
    work = Work(options.root, effort, PICTURES, clock, options.seed)
    parts: tuple[Callable[[], bool], ...]
    parts = (work.data, work.judges, work.words, work.autoencoder, work.latents, work.denoiser)
    try:
        for part in parts:
            print(f"== {part.__name__}", flush=True)
            done = part()
            if part == work.denoiser:
                print(work.export())
            if not done:
                print(f"Time is up in the part {part.__name__}; the same command goes on from here.")
                return 0
        if clock.minutes < effort.verdict:
            print("All is trained; the same command has it judged, but there is no time left for that now.")
            return 0
        return work.judged(options.judge_into or options.root / "evaluation")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
