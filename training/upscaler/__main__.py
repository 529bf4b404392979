# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a network that makes textures larger.

    python -m training.upscaler --data training/out/data/train-256 --out training/out/upscaler --kind colour

goes on where the last run in that folder was stopped, keeps a log and its curve, and writes
``upscaler-colour-x4.safetensors`` there at the end of every run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from generator.networks.torch_operations import TorchOperations
from generator.protocol import FACTORS
from generator.upscaling.compact import Shape, apply, sizes
from training.checkpoints import export
from training.commands import finished, trainer
from training.dataset import Materials
from training.loop import Settings, train
from training.upscaler.beginning import begin
from training.upscaler.losses import SPECTRAL, losses
from training.upscaler.samples import KINDS, Draw

FEATURES, DEPTH = 48, 12
STEPS, RATE = 5_000, 1e-3

SIDE, COUNT = 64, 2
"""Pixels of the small pictures and how many of them make a batch."""


def run(
    data: Path,
    out: Path,
    kind: str,
    shape: Shape,
    settings: Settings,
    minutes: float = math.inf,
    seed: int = 0,
    side: int = SIDE,
    count: int = COUNT,
    spectral: float = SPECTRAL,
) -> Path:
    """Train for so many minutes, and give the file of weights as the product reads it."""
    materials = Materials(data)
    if side * shape.scale > materials.size:
        raise ValueError(
            f"Materials of {materials.size} pixels have no parts of {side * shape.scale}; choose a smaller --side."
        )
    operations, draw = TorchOperations(), Draw(materials, kind, shape.scale, seed)
    # What a false neighbour at the border of a part has reached does not count; a whole torus has no border.
    margin = 0 if side * shape.scale == materials.size else min(shape.halo, side // 4) * shape.scale

    def step_losses(weights: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        small, truth = draw.batch(step, count, side)
        small = small.contiguous(memory_format=torch.channels_last)
        return losses(apply(operations, weights, shape, small), truth, margin, spectral)

    name = f"upscaler-{kind}-x{shape.scale}"
    weights, step, seconds = train(begin(shape, seed), step_losses, settings, out / name, minutes)
    made = out / f"{name}.safetensors"
    about = {
        "architecture": "SRVGGNetCompact",
        "kind": kind,
        "command": f"python -m training.upscaler --kind {kind} --factor {shape.scale} --steps {settings.steps} "
        f"--rate {settings.rate:g} --side {side} --count {count} --seed {seed}",
        "scale": str(shape.scale),
        "features": str(shape.features),
        "depth": str(shape.depth),
        "step": str(step),
        "hours": f"{seconds / 3600:.2f}",
        "materials": str(len(materials)),
        "size": str(materials.size),
        "families": " ".join(sorted({entry.family for entry in materials.entries})),
        "parameters": str(sum(math.prod(size) for size in sizes(shape).values())),
    }
    export(made, weights, about)
    return made


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the data or the folder will not do."""
    does, out = "Train a network that makes textures larger.", Path("training/out/upscaler")
    parser = trainer("training.upscaler", does, out, STEPS, RATE)
    parser.add_argument("--data", type=Path, default=Path("training/out/data/train-256"))
    parser.add_argument("--factor", type=int, choices=FACTORS, default=4)
    parser.add_argument("--kind", choices=KINDS, default="colour", help="base colours, or all other maps")
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--depth", type=int, default=DEPTH, help="convolutions in all")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of the small pictures")
    parser.add_argument("--count", type=int, default=COUNT, help="pictures in a batch")
    parser.add_argument("--spectral", type=float, default=SPECTRAL, help="what the spectrum counts")
    told = parser.parse_args(arguments)
    shape = Shape(3 if told.kind == "colour" else 1, told.features, told.depth, told.factor)
    how = Settings(steps=told.steps, rate=told.rate)
    return finished(
        lambda: run(
            told.data, told.out, told.kind, shape, how, told.minutes, told.seed, told.side, told.count,
            told.spectral,
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
