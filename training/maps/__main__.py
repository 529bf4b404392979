# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the estimator of maps.

    python -m training.maps --data training/out/data/train-256 --out training/out/maps --minutes 60

goes on where the last run in that folder was stopped, keeps a log, its curve and a sheet of what the network sees,
and writes ``maps.safetensors`` there at the end of every run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from generator.maps.network import CHANNELS, Plan, see
from generator.networks.torch_operations import TorchOperations
from training.checkpoints import export
from training.commands import finished, trainer
from training.dataset import Materials
from training.inventions import FAMILY
from training.loop import Settings, train
from training.maps.losses import losses
from training.maps.samples import Draw
from training.maps.sheet import draw_sheet
from training.photos import KINDS, photograph

_DATA = Path("training/out/data")

SHARES = {"flat": 0.22, "even": 0.13, "sky": 0.2, "sun": 0.25, "flash": 0.2}
"""How often each kind of picture is shown."""

STEPS, RATE = 12_000, 4e-3

SIZES = ((128, 8),)
LATE_SIZES = ((128, 8), (256, 3))
"""Sides and numbers of surfaces in a batch, in turns; whole tori always, so that no border is ever learnt. Most of the
way is made with small pictures, of which a processor sees twice as many; large ones come in at the end."""

LATE = 0.7
"""The share of the steps after which they do."""


def start(plan: Plan, seed: int) -> dict[str, Tensor]:
    """Random weights: He's, but smaller in the second half of each block and much smaller in the head."""
    random = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in plan.shapes().items():
        if name.endswith("bias"):
            made[name] = torch.zeros(shape)
            if name == "head.bias":
                made[name] = _usual(shape[0])
            continue
        # At first the base colour is the picture itself, the surface plane and everything else in the middle.
        gain = 0.03 if name == "head.weight" else 0.1 if name.endswith((".b.weight", ".gate.weight")) else 1.0
        deviation = gain * math.sqrt(2 / math.prod(shape[1:]))
        made[name] = torch.randn(shape, generator=random) * deviation
    return made


def _usual(count: int) -> Tensor:
    """The head's bias: somewhat rough, no metal, hardly any occlusion, and 0 for all else."""
    usual = {"roughness": 0.6, "metallic": -2.0, "ao": 2.5}
    bias = torch.cat([torch.full((size,), usual.get(name, 0.0)) for name, size in CHANNELS.items()])
    return bias.repeat_interleave(count // len(bias))


def kinds_for(count: int, random: torch.Generator) -> list[str]:
    """The kind of each picture of a batch."""
    shares = torch.tensor([SHARES[kind] for kind in KINDS])
    return [KINDS[int(n)] for n in torch.multinomial(shares, count, replacement=True, generator=random)]


def run(
    data: Sequence[Path],
    out: Path,
    plan: Plan,
    settings: Settings,
    minutes: float,
    seed: int = 0,
    sizes: tuple[tuple[int, int], ...] = SIZES,
    late_sizes: tuple[tuple[int, int], ...] | None = None,
) -> Path:
    """Train for so many minutes, and give the file of weights as the product reads it."""
    materials = Materials(*data)
    operations, draw = TorchOperations(), Draw(materials, seed)

    def step_losses(weights: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        turns = (late_sizes or sizes) if step >= LATE * settings.steps else sizes
        side, count = turns[step % len(turns)]
        truth, random = draw.batch(step, count, side)
        with torch.no_grad():
            picture = photograph(truth, kinds_for(count, random), random)
        picture = picture.contiguous(memory_format=torch.channels_last)
        return losses(see(operations, weights, plan, picture), picture, truth, random)  # type: ignore[arg-type]

    def look(weights: Mapping[str, Tensor], step: int) -> None:
        truth, random = Draw(materials, seed + 1).batch(0, 8, min(256, materials.size))
        kinds = [KINDS[n % len(KINDS)] for n in range(8)]
        picture = photograph(truth, kinds, random)
        draw_sheet(out / "sheet.jpg", picture, see(operations, weights, plan, picture), truth)  # type: ignore[arg-type]
        print(f"step {step}: {out / 'sheet.jpg'}", flush=True)

    weights, step, seconds = train(start(plan, seed), step_losses, settings, out, minutes, look=look)
    made = out / "maps.safetensors"
    families = sorted({entry.family for entry in materials.entries})
    export(
        made,
        weights,
        {
            **plan.metadata(),
            "command": f"python -m training.maps --steps {settings.steps} "
            f"--rate {settings.matrix_rate or settings.rate:g} --seed {seed}",
            "step": str(step),
            "hours": f"{seconds / 3600:.2f}",
            "materials": str(len(materials)),
            "invented": str(sum(entry.family == FAMILY for entry in materials.entries)),
            "families": " ".join(families),
            "parameters": str(sum(int(np.prod(shape)) for shape in plan.shapes().values())),
        },
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the data or the folder will not do."""
    out = Path("training/out/maps")
    parser = trainer("training.maps", "Train the estimator of maps.", out, STEPS)
    folders = [_DATA / "train-256", _DATA / "invented-256"]
    parser.add_argument("--data", type=Path, nargs="+", default=folders, help="one or more")
    parser.add_argument("--rate", type=float, default=RATE, help="Muon's, for convolutions")
    parser.add_argument("--widths", type=int, nargs="+", default=list(Plan.widths))
    parser.add_argument("--blocks", type=int, default=Plan.blocks)
    told = parser.parse_args(arguments)
    how = Settings(steps=told.steps, rate=1e-3, matrix_rate=told.rate)
    plan = Plan(tuple(told.widths), told.blocks)
    return finished(
        lambda: run(told.data, told.out, plan, how, told.minutes, told.seed, late_sizes=LATE_SIZES)
    )


if __name__ == "__main__":
    sys.exit(main())
