# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that trains a network: stopped and resumed as often as needed, with the same result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.checkpoints import Log, load_state, refuse_finished, save_state
from training.curves import draw
from training.optimisers import Optimisers

Losses = Callable[[Mapping[str, Tensor], int], Mapping[str, Tensor]]
"""From weights and a step's number to the parts of its loss, already weighted; their sum is minimised."""


@dataclass(frozen=True)
class Settings:
    """What, besides data and network, decides the result. ``average`` is how far the kept weights look back.

    With a ``matrix_rate`` convolutions are moved by Muon at that rate, and with ``linear`` all other matrices too.
    """

    steps: int = 16_000
    rate: float = 6e-4
    matrix_rate: float | None = None
    least: float = 0.01
    warm_up: int = 100
    decay: float = 1e-4
    average: float = 0.998
    clip: float = 1.0
    linear: bool = False
    falling: float | None = None

    def share_at(self, step: int) -> float:
        """The share of the rates: up in a straight line, then down to the ``least`` along half a cosine.

        With ``falling`` it stays up, and falls in a straight line over that share of the steps, the last ones. Until
        then no step depends on how many there will be.
        """
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        if self.falling is not None:
            left = (self.steps - step) / max(1.0, self.falling * self.steps)
            return max(self.least, min(1.0, left))
        done = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        return self.least + 0.5 * (1 - self.least) * (1 + math.cos(math.pi * done))


def train(
    start: Mapping[str, Tensor],
    losses: Losses,
    settings: Settings,
    out: Path,
    minutes: float = math.inf,
    checkpoint_minutes: float = 3.0,
    look: Callable[[Mapping[str, Tensor], int], None] | None = None,
) -> tuple[dict[str, Tensor], int, float]:
    """Train from ``start``, or go on from the checkpoint in ``out``, for so many minutes or to the last step.

    Gives the averaged weights, the step reached, and the seconds spent in all. Step ``n`` must depend on ``n``
    alone, so that a run in pieces is the run in one piece. ``look`` gets the averaged weights at each checkpoint.
    Raises ``ValueError`` where ``out`` is finished, or holds another network.
    """
    refuse_finished(out)
    out.mkdir(parents=True, exist_ok=True)
    optimisers = Optimisers(start, settings.rate, settings.decay, settings.matrix_rate, settings.linear)
    averaged = {name: leaf.detach().clone() for name, leaf in optimisers.leaves.items()}
    path, log = out / "checkpoint.safetensors", Log(out / "log.jsonl")
    step, spent = 0, 0.0
    if path.is_file():
        step, spent = load_state(path, optimisers, averaged)
        log.forget_after(step)
    began = last_saved = time.monotonic()
    sums: dict[str, float] = {}
    counted = 0

    def keep() -> None:
        save_state(path, optimisers, averaged, step, spent + time.monotonic() - began)
        draw(out / "log.jsonl", out / "curve.png")
        if look is not None:
            with torch.no_grad():
                look(optimisers.shaped(averaged), step)

    while step < settings.steps and time.monotonic() - began < 60 * minutes:
        parts = losses(optimisers.shaped(optimisers.leaves), step)
        total = torch.stack(list(parts.values())).sum()
        if not bool(torch.isfinite(total)):
            raise FloatingPointError(f"The loss of step {step} is no number; lower the rate.")
        total.backward()
        optimisers.step(settings.share_at(step), settings.clip)
        step += 1
        # Young averages look back less far, or they would remember the start for long.
        share = min(settings.average, step / (step + 10))
        with torch.no_grad():
            for name, value in averaged.items():
                value.lerp_(optimisers.leaves[name], 1 - share)
        for name, part in (*parts.items(), ("loss", total)):
            sums[name] = sums.get(name, 0.0) + float(part.detach())
        counted += 1
        if counted == log.every or step == settings.steps:
            seconds = spent + time.monotonic() - began
            log.add(step, seconds, {name: value / counted for name, value in sums.items()})
            sums, counted = {}, 0
        if time.monotonic() - last_saved > 60 * checkpoint_minutes:
            keep()
            last_saved = time.monotonic()
    keep()
    return optimisers.shaped(averaged), step, spent + time.monotonic() - began
