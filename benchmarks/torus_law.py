# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every family of models works on a torus, shown with small random networks in float64.

    python benchmarks/torus_law.py [--check] [--markdown FILE]

The first table is the law ``f(roll(x)) == roll(f(x))``: the greatest difference over the greatest value, unpatched,
with every `Conv2d` set to circular padding as other tools do, and wrapped. The second is about transformers that are
told where each token lies, for which it cannot be exact; these are trained for a minute each, so that there is a seam
to speak of. ``--check`` ends with 1 when a bound is not kept.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import small_models
import small_transformers
import torch
from finished_seams import BATCH, Seam, finished_seam, train
from small_models import Case, noise
from torch import nn

from generator.torus import periodic_positions, wrap
from generator.torus.law import violation

COMMAND = "python benchmarks/torus_law.py --markdown docs/torus-law.md"
SEEDS = range(2)
TRAINING = 300  # steps, of eight crops each
GRID, SHIFT = (16, 24), (4, -6)
LEAST = 0.005
"""What an unpatched network must break the law by, lest a bound be kept because nothing is tested."""
FINISHED = 0.2
"""By how much the mean seam ratio of finished pictures may differ from 1."""


@dataclass(frozen=True)
class Exact:
    """A row of the first table."""

    case: Case
    unpatched: float
    circular: float
    ours: float
    along_x: float
    along_y: float

    @property
    def kept(self) -> bool:
        return max(self.ours, self.along_x, self.along_y) <= self.case.bound and self.unpatched > LEAST


@dataclass(frozen=True)
class Positioned:
    """A row of the second table."""

    family: str
    unpatched: float
    periodic: float
    plain_seam: Seam
    our_seam: Seam

    @property
    def kept(self) -> bool:
        seam = self.our_seam
        return abs(seam.mean - 1) <= FINISHED and abs(seam.mean - 1) < abs(self.plain_seam.mean - 1)


@contextmanager
def every_conv2d_circular(module: nn.Module) -> Iterator[None]:
    """What other tools do: the padding mode of each `Conv2d`, for both axes at once."""
    convolutions: list[Any] = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    modes = [part.padding_mode for part in convolutions]
    try:
        for part in convolutions:
            part.padding_mode = "circular"
        yield
    finally:
        for part, mode in zip(convolutions, modes, strict=True):
            part.padding_mode = mode


def exact(case: Case) -> Exact:
    """All figures about one network in one direction."""
    down, right = case.shift

    def broken(shift: tuple[int, int] = case.shift) -> float:
        return violation(case.run, case.image, shift, case.scale)

    unpatched = broken()
    with every_conv2d_circular(case.module):
        circular = broken()
    with wrap(case.module):
        ours = broken()
    with wrap(case.module, x=True, y=False):
        along_x = broken((0, right))
    with wrap(case.module, x=False, y=True):
        along_y = broken((down, 0))
    return Exact(case, unpatched, circular, ours, along_x, along_y)


def positioned(family: str, training: int = TRAINING, seeds: range = SEEDS) -> Positioned:
    """All figures about one transformer: the law with random weights, seams with trained ones."""
    torch.set_num_threads(1)
    denoiser = small_transformers.POSITIONED[family]()
    image = noise(1, small_transformers.CHANNELS, *GRID)

    def broken() -> float:
        return violation(lambda latents: denoiser.call(latents, torch.tensor([0.5])), image, SHIFT)

    unpatched = broken()
    with wrap(denoiser.module), periodic_positions(denoiser.module, GRID):
        periodic = broken()
    train(denoiser, training)
    seams = [finished_seam(denoiser, seeds, ours) for ours in (False, True)]
    return Positioned(family, unpatched, periodic, *seams)


def exact_rows() -> Iterator[Exact]:
    for build in small_models.EXACT.values():
        for case in build():
            yield exact(case)


def main() -> int:
    """Prints the tables; 1 when something is asked to be checked and a bound is not kept."""
    parser = argparse.ArgumentParser(description="Whether every family of models works on a torus.")
    parser.add_argument("--check", action="store_true", help="end with 1 when a bound is not kept")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables with an explanation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="models to train at a time")
    parser.add_argument("--exact", action="store_true", help="the first table alone, which takes seconds")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)  # more wait for each other longer than they help, with networks this small
    print(
        f"{'':26} {'':10} {'unpatched':>10} {'circular':>10} {'ours':>8} {'x only':>8} {'y only':>8} {'bound':>8}"
    )
    rows: list[Exact] = []
    for row in exact_rows():
        rows.append(row)
        figures = f"{row.unpatched:10.2g} {row.circular:10.2g} {row.ours:8.0e} {row.along_x:8.0e} {row.along_y:8.0e}"
        verdict = "ok" if row.kept else "NOT KEPT"
        print(
            f"{row.case.family:26} {row.case.direction:10} {figures} {row.case.bound:8.0e} {verdict}",
            flush=True,
        )
    others: list[Positioned] = []
    families = () if options.exact else tuple(small_transformers.POSITIONED)
    if families:
        print(f"\n{'':26} {'unpatched':>10} {'periodic':>10}   seam before   seam after")
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for other in pool.map(positioned, families):
            others.append(other)
            verdict = "ok" if other.kept else "NOT KEPT"
            figures = (
                f"{other.unpatched:10.2g} {other.periodic:10.2g}   {other.plain_seam}   {other.our_seam}"
            )
            print(f"{other.family:26} {figures}   {verdict}", flush=True)
    if options.markdown:
        from torus_law_page import page

        options.markdown.write_text(
            page(rows, others, COMMAND, TRAINING, len(SEEDS) * BATCH), encoding="utf-8"
        )
    return int(options.check and not all(row.kept for row in (*rows, *others)))


if __name__ == "__main__":
    raise SystemExit(main())
