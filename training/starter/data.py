# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures with captions: base colours of the procedural materials, whole tori at one scale, kept in shards.

    python -m training.starter.data --split train --size 128 --count 20000

writes to ``training/out/starter/data/train-128``. Shards that are there are kept, so the same command goes on where it
was stopped, and a larger ``--count`` adds to it. A brick has the same number of pixels in every size: a small torus
shows a smaller part of the world, and not the same part from farther away. Where pieces must go into it a whole number
of times, as bricks must, a torus of 64 has to have others, and is not shown to who learns layouts.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from generator import procedural
from generator.pixels import to_uint8
from generator.procedural.description import Description
from training.captions import family_names
from training.commands import command, finished, limited
from training.starter.captions import compose

DATA = Path("training/out/starter/data")

SPLITS = ("train", "judges", "trial")
"""To learn from; for the judges, who see every combination; and what the judges themselves are judged on."""

PIXELS_PER_UNIT = 256
"""The scale of the world: pixels to what is one whole texture for the procedural model."""

SHARD = 128
"""Pictures in one shard."""

FORMAT = 1


@dataclass(frozen=True)
class Nearer(Description):
    """A description whose features are ``nearness`` times as large."""

    nearness: float = 1.0

    @property
    def size(self) -> float:
        return super().size * self.nearness


@dataclass(frozen=True)
class Scene:
    """What a picture was made from."""

    index: int
    family: str
    caption: str
    seed: int


def scene(split: str, index: int, base_seed: int = 0) -> Scene:
    """Scene ``index`` of a split; it depends on these three alone. Families take turns."""
    names = family_names()
    rng = np.random.default_rng([base_seed, 40 + SPLITS.index(split), index])
    family = names[index % len(names)]
    text = compose(family, rng, held_out=split != "train")
    return Scene(index, family, text, int(rng.integers(2**31)))


def picture(text: str, size: int, seed: int) -> npt.NDArray[np.uint8]:
    """The base colour ``(size, size, 3)`` that the procedural model makes of these words, at the scale of the world."""
    read = procedural.parse(text)
    values = {field.name: getattr(read, field.name) for field in fields(Description)}
    nearer = Nearer(**values, nearness=PIXELS_PER_UNIT / size)
    return to_uint8(procedural.generate(nearer, size, size, seed).basecolor)


def write_shard(target: Path, split: str, first: int, count: int, size: int, base_seed: int) -> None:
    """Make ``count`` pictures from index ``first`` on, and write the folder ``target`` with them in one step."""
    scenes = [scene(split, index, base_seed) for index in range(first, first + count)]
    partial = target.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    np.save(partial / "pictures.npy", np.stack([picture(s.caption, size, s.seed) for s in scenes]))
    (partial / "scenes.json").write_text(json.dumps([asdict(s) for s in scenes], indent=0), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def build(
    split: str,
    count: int,
    size: int,
    out: Path,
    base_seed: int = 0,
    workers: int = 2,
    minutes: float = math.inf,
) -> Path:
    """Make the shards that are missing, for so many minutes, and give their folder.

    Raises ``ValueError`` where other data lies there.
    """
    folder = out / f"{split}-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    about = {"format": FORMAT, "split": split, "size": size, "base_seed": base_seed, "scale": PIXELS_PER_UNIT}
    path = folder / "about.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else about
    if found != about:
        raise ValueError(f"{folder} holds other data ({found}); choose another folder.")
    path.write_text(json.dumps(about), encoding="utf-8")
    missing = []
    for first in range(0, count, SHARD):
        wanted, shard = min(SHARD, count - first), folder / f"shard-{first // SHARD:05d}"
        if (
            not shard.is_dir()
            or len(json.loads((shard / "scenes.json").read_text(encoding="utf-8"))) < wanted
        ):
            missing.append((shard, split, first, wanted, size, base_seed))
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers are as many as there are cores
    started, done = time.monotonic(), 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        # A few ahead of the workers and no more, so that little is lost when time is up.
        for place in range(0, len(missing), 2 * workers):
            some = missing[place : place + 2 * workers]
            for future in [pool.submit(write_shard, *job) for job in some]:
                future.result()
            done += sum(job[3] for job in some)
            rate = done / (time.monotonic() - started)
            print(
                f"{split}-{size}: {done} of {sum(job[3] for job in missing)}, {rate:.1f} a second", flush=True
            )
            if time.monotonic() - started > 60 * minutes:
                break
    return folder


class Pictures:
    """The pictures of a folder, mapped into memory shard by shard, and what they were made from."""

    def __init__(self, folder: Path) -> None:
        about = folder / "about.json"
        if not about.is_file():
            raise FileNotFoundError(
                f"{folder} holds no pictures; python -m training.starter.data makes them."
            )
        self.size = int(json.loads(about.read_text(encoding="utf-8"))["size"])
        self.shards = sorted(folder.glob("shard-?????"))
        self.scenes: list[Scene] = []
        self._arrays: list[npt.NDArray[np.uint8]] = []
        for shard in self.shards:
            array = np.load(shard / "pictures.npy", mmap_mode="r")
            scenes = [
                Scene(**entry) for entry in json.loads((shard / "scenes.json").read_text(encoding="utf-8"))
            ]
            if len(scenes) != len(array):
                raise ValueError(f"{shard} is damaged: delete it and make the data again.")
            self.scenes += scenes
            self._arrays.append(array)
        if not self.scenes:
            raise FileNotFoundError(f"{folder} is empty; python -m training.starter.data fills it.")

    def __len__(self) -> int:
        return len(self.scenes)

    def all(self) -> npt.NDArray[np.uint8]:
        """Every picture ``(N, H, W, 3)``, in memory."""
        return np.concatenate(self._arrays)

    def each_shard(self) -> list[tuple[str, npt.NDArray[np.uint8], list[Scene]]]:
        """Name, pictures and scenes of each shard."""
        found, place = [], 0
        for shard, array in zip(self.shards, self._arrays, strict=True):
            found.append((shard.name, array, self.scenes[place : place + len(array)]))
            place += len(array)
        return found


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the folder holds other data."""
    parser = command("training.starter.data", "Make pictures to learn from.", DATA)
    limited(parser)
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--count", type=int, default=20_000, help="how many pictures")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    told = parser.parse_args(arguments)
    workers = max(1, told.workers)
    return finished(
        lambda: build(told.split, told.count, told.size, told.out, told.seed, workers, told.minutes)
    )


if __name__ == "__main__":
    sys.exit(main())
