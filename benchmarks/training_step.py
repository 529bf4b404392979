# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step of training the starter's denoiser takes: borders in two copies or in one, float32 or bfloat16.

``python3 dev.py bench training_step``, a minute on two cores. All ways take turns in one run, on the real network and
on random latents; the fastest round counts.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from unittest.mock import patch

import torch
from machine import described
from torch import Tensor

from generator.diffusion.hardware import has_bf16
from generator.torus import convolutions, wrap
from training.optimisers import Optimisers
from training.starter import denoiser
from training.starter.machine import call, device, weights_of
from training.starter.words import WIDTH

SIDE, LENGTH = 32, 24


class Trial:
    """The denoiser and its optimisers, in float32 alone or in bfloat16 where that is native."""

    def __init__(self, on: torch.device, batch: int, narrow: bool) -> None:
        torch.manual_seed(0)
        self.unet = denoiser.unet_of(4, WIDTH).to(on).to(memory_format=torch.channels_last)  # type: ignore[arg-type]
        how = denoiser.settings(denoiser.STEPS)
        self._on, self._narrow = on, narrow
        with patch("training.optimisers.has_bf16", lambda _: narrow):
            self._optimisers = Optimisers(
                weights_of(self.unet, on), how.rate, how.decay, how.matrix_rate, how.linear
            )
        last = torch.channels_last
        self._noisy = torch.randn(batch, 4, SIDE, SIDE, device=on).contiguous(memory_format=last)
        self._time = torch.randint(1000, (batch,), device=on)
        self._words = torch.randn(batch, LENGTH, WIDTH, device=on)

    def step(self) -> None:
        """One step, from latents to moved weights."""
        narrow = torch.autocast(self._on.type, torch.bfloat16) if self._narrow else nullcontext()
        weights = self._optimisers.shaped(self._optimisers.leaves)
        with narrow:
            found: Tensor = call(self.unet, weights, self._noisy, self._time, self._words, return_dict=False)[
                0
            ]
        found.float().square().mean().backward()
        self._optimisers.step(1e-6, 1.0)

    def seconds(self) -> float:
        """How long a step takes."""
        began = time.perf_counter()
        self.step()
        if self._on.type == "cuda":
            torch.cuda.synchronize(self._on)
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=denoiser.BATCH)
    parser.add_argument("--rounds", type=int, default=6)
    told = parser.parse_args()
    on = device()
    print(*described(on)[:2], sep="\n")
    formats = {"float32": False, **({"bfloat16": True} if has_bf16(on) else {})}
    trials = {name: Trial(on, told.batch, narrow) for name, narrow in formats.items()}
    best: dict[tuple[str, str], float] = {}
    for turn in range(told.rounds + 1):
        for name, trial in trials.items():
            for borders in ("two copies", "one copy"):
                two = patch.object(convolutions, "learns", lambda *_: False)
                with two if borders == "two copies" else nullcontext(), wrap(trial.unet):
                    taken = trial.seconds()
                if turn:  # the first of each is not counted
                    best[name, borders] = min(taken, best.get((name, borders), taken))
    first = best["float32", "two copies"]
    print(f"\n{told.batch} latents of {SIDE} x {SIDE}\n\n| computed in | borders | seconds | of the first |")
    print("|---|---|---|---|")
    for (name, borders), taken in best.items():
        print(f"| {name} | {borders} | {taken:.2f} | {taken / first:.2f} |")


if __name__ == "__main__":
    main()
