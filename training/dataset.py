# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials with exact maps to learn from: made from captions and seeds, kept in shards that are mapped into memory.

    python -m training.dataset --split train --count 2500 --size 256 --out training/out/data

writes to ``training/out/data/train-256``. Whatever shard is there already is kept, so the same command goes on
where it was stopped, and a larger ``--count`` adds to it.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from generator import procedural
from generator.material import MAPS, Material
from generator.pixels import encode_map
from training.captions import caption
from training.commands import command, finished
from training.inventions import FAMILY, invent

HELD_OUT = ("cobblestone", "hexagons", "mud", "shingles", "terrazzo", "treadplate", "wool")
"""Families that no network ever trains on; they are what the tables of errors are measured on."""

SPLITS = ("train", "held-out", "invented")
"""Families to learn from, those to measure on, and surfaces of no family (`training.inventions`)."""

SHARD = 32
"""Materials in one shard."""

FORMAT = 1
_ATTEMPTS = 50


@dataclass(frozen=True)
class Entry:
    """What one material was made from, and its ``relief`` as in `Material`."""

    index: int
    family: str
    caption: str
    seed: int
    relief: float


@dataclass(frozen=True)
class Sample:
    """One material as stored: integer maps as `generator.pixels.encode_map` gives them, by name, and its entry."""

    maps: dict[str, npt.NDArray[np.integer]]
    entry: Entry


def families(split: str) -> tuple[str, ...]:
    """The families of a split, by name. Raises ``ValueError`` for a split without any."""
    if split not in SPLITS[:2]:
        raise ValueError(f"There are no families {split!r}; choose from {', '.join(SPLITS[:2])}.")
    return tuple(
        info.name for info in procedural.families() if (info.name in HELD_OUT) == (split == "held-out")
    )


def choose(split: str, index: int, base_seed: int = 0) -> tuple[str, str, int]:
    """Family, caption and seed of material ``index``; they depend on these three arguments alone.

    Families take turns, so that any run of materials has them all in equal numbers. A caption whose words lead
    to a family of the other split, as the material or as what fills its pieces, is drawn anew.
    """
    allowed = families(split)
    rng = np.random.default_rng([base_seed, SPLITS.index(split), index])
    family = allowed[index % len(allowed)]
    for _ in range(_ATTEMPTS):
        text = caption(family, rng)
        read = procedural.parse(text)
        kinds = {read.family} | ({read.inlay} if read.inlay else set())
        if read.family == family and (split == "held-out" or not kinds & set(HELD_OUT)):
            return family, text, int(rng.integers(2**31))
    raise ValueError(f"No caption of {_ATTEMPTS} leads to {family}.")


def make(split: str, index: int, size: int, base_seed: int = 0) -> tuple[Material, Entry]:
    """Material ``index`` of a split, ``size`` pixels a side, and what it was made from."""
    if split == "invented":
        rng = np.random.default_rng([base_seed, SPLITS.index(split), index])
        seed = int(rng.integers(2**31))
        material, text = invent(seed, size, rng)
        return material, Entry(index, FAMILY, text, seed, float(material.relief))
    family, text, seed = choose(split, index, base_seed)
    material = procedural.generate(procedural.parse(text), size, size, seed)
    return material, Entry(index, family, text, seed, float(material.relief))


def write_shard(target: Path, split: str, first: int, count: int, size: int, base_seed: int) -> None:
    """Make ``count`` materials from index ``first`` on, and write the folder ``target`` with them in one step."""
    made = [make(split, index, size, base_seed) for index in range(first, first + count)]
    partial = target.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in MAPS:
        np.save(partial / f"{name}.npy", np.stack([encode_map(material, name) for material, _ in made]))
    entries = [asdict(entry) for _, entry in made]
    (partial / "entries.json").write_text(json.dumps(entries, indent=0), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def _shard_name(first: int) -> str:
    return f"shard-{first // SHARD:05d}"


class Materials:
    """The materials of some folders, mapped into memory; items are read when they are asked for."""

    def __init__(self, *folders: Path) -> None:
        self.entries: list[Entry] = []
        self._maps: list[dict[str, npt.NDArray[np.integer]]] = []
        sizes = {self._add(folder) for folder in folders}
        if len(sizes) != 1:
            raise ValueError(f"Materials of several sizes ({', '.join(map(str, sizes))}) do not go together.")
        self.size = sizes.pop()

    def _add(self, folder: Path) -> int:
        """Take a folder's materials in, and give their size."""
        about = _read_about(folder)
        if about is None:
            raise FileNotFoundError(f"{folder} holds no materials; python -m training.dataset makes them.")
        for shard in sorted(folder.glob("shard-?????")):
            maps = {name: np.load(shard / f"{name}.npy", mmap_mode="r") for name in MAPS}
            entries = json.loads((shard / "entries.json").read_text(encoding="utf-8"))
            if {len(rows) for rows in maps.values()} != {len(entries)}:
                raise ValueError(f"{shard} is damaged: delete it and make the data again.")
            self.entries += [Entry(**entry) for entry in entries]
            self._maps += [{name: maps[name][row] for name in MAPS} for row in range(len(entries))]
        return int(about["size"])

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Sample:
        return Sample(self._maps[index], self.entries[index])

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


def _read_about(folder: Path) -> dict[str, Any] | None:
    path = folder / "about.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def build(split: str, count: int, size: int, out: Path, base_seed: int = 0, workers: int = 2) -> Path:
    """Make all shards that are missing, and give their folder. Raises ``ValueError`` where other data lies there."""
    folder = out / f"{split}-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    about = {"format": FORMAT, "split": split, "size": size, "base_seed": base_seed}
    found = _read_about(folder)
    if found not in (None, about):
        raise ValueError(f"{folder} holds other data ({found}); choose another folder.")
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
    missing = []
    for first in range(0, count, SHARD):
        wanted, shard = min(SHARD, count - first), folder / _shard_name(first)
        if not shard.is_dir() or len(json.loads((shard / "entries.json").read_text())) < wanted:
            missing.append((first, wanted))
    started, done = time.monotonic(), 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [
            pool.submit(write_shard, folder / _shard_name(first), split, first, wanted, size, base_seed)
            for first, wanted in missing
        ]
        for future, (_, wanted) in zip(futures, missing, strict=True):
            future.result()
            done += wanted
            rate = done / (time.monotonic() - started)
            print(f"{split}: {done} of {sum(n for _, n in missing)}, {rate:.1f} a second", flush=True)
    return folder


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the folder holds other data."""
    parser = command("training.dataset", "Make materials to learn from.", Path("training/out/data"))
    parser.add_argument("--split", choices=SPLITS, required=True)
    parser.add_argument("--count", type=int, required=True, help="how many materials")
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    parser.add_argument("--workers", type=int, default=2)
    told = parser.parse_args(arguments)
    workers = max(1, told.workers)
    return finished(lambda: build(told.split, told.count, told.size, told.out, told.seed, workers))


if __name__ == "__main__":
    sys.exit(main())
