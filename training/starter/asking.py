# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a finished model for pictures through the product itself, as an artist would, and the judges about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from generator import diffusion
from generator.diffusion.model import DiffusionModel
from generator.material import FloatArray
from generator.protocol import Request
from generator.torus import wrap
from training.starter.data import picture
from training.starter.judges import COLOURS, FAMILIES, Judge, verdicts
from training.starter.noise import GUIDANCE, STEPS

Asked = tuple[str, str, str]
"""A prompt, its family, and the group of its colour."""


class Quiet:
    """A `Progress` that nobody watches; notices are kept."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def check(self) -> None:
        """Never cancelled."""

    def loading(self, what: str, fraction: float | None = None) -> None:
        """Not shown."""

    def step(
        self,
        index: int,
        step: int,
        steps: int,
        preview: Callable[[], FloatArray | None] | None = None,
        together: int = 1,
    ) -> None:
        """Not shown."""

    def notice(self, message: str) -> None:
        """Kept for whoever wonders."""
        self.notices.append(message)


class Maker:
    """The model in a folder, loaded by the product."""

    def __init__(
        self,
        folder: Path,
        precision: str = "auto",
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        scheduler: str = "",
        device: str = "auto",
    ) -> None:
        self.progress = Quiet()
        self._folder, self._steps, self._guidance, self._scheduler = folder, steps, guidance, scheduler
        self._model: DiffusionModel = diffusion.load(folder, precision, device, self.progress)

    def make(
        self,
        prompt: str,
        size: int,
        seed: int,
        source: FloatArray | None = None,
        strength: float = 1.0,
        steps: int | None = None,
    ) -> FloatArray:
        """One base colour ``(size, size, 3)``, sRGB in [0, 1]; ``source`` has that size too."""
        request = Request(
            prompt=prompt,
            model=str(self._folder),
            width=size,
            height=size,
            seed=seed,
            strength=strength,
            maps=("basecolor",),
            num_inference_steps=steps or self._steps,
            guidance_scale=self._guidance,
            scheduler=self._scheduler,
        )
        return next(iter(self._model.generate(request, source, self.progress)))

    def seconds(self, size: int, steps: int | None = None) -> float:
        """How long one picture takes, the best of three."""
        taken = []
        for seed in range(3):
            began = time.monotonic()
            self.make("red brick wall", size, seed, steps=steps)
            taken.append(time.monotonic() - began)
        return min(taken)

    @property
    def steps(self) -> int:
        """How many steps of the sampler a picture takes where nothing else is said."""
        return self._steps

    def on_the_processor(self, precision: str) -> Maker:
        """The same folder, loaded once more: for the processor, in this number format."""
        return Maker(self._folder, precision, self._steps, self._guidance, self._scheduler, "cpu")

    def close(self) -> None:
        """Give back the memory."""
        self._model.close()


def procedural_picture(prompt: str, size: int, seed: int) -> FloatArray:
    """What the procedural model makes of the same words, at the scale that the starter has learnt."""
    return picture(prompt, size, seed).astype(np.float32) / 255


def to_judge(pictures: Sequence[FloatArray]) -> Tensor:
    """Pictures of one size as the judges see them."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) * 2 - 1


@dataclass(frozen=True)
class Told:
    """What the judges say of one picture: whether it is what was asked for, and how sure of that they are."""

    family: bool
    colour: bool
    family_share: float
    colour_share: float


def tell(judge: Judge, made: FloatArray, family: str, group: str) -> Told:
    """The judges' opinion of one picture."""
    families, colours = (scores[0].softmax(0) for scores in verdicts(judge, to_judge([made])))
    wanted, tone = FAMILIES.index(family), COLOURS.index(group)
    return Told(
        int(families.argmax()) == wanted,
        int(colours.argmax()) == tone,
        float(families[wanted]),
        float(colours[tone]),
    )


def spread(judge: Judge, pictures: Sequence[FloatArray]) -> float:
    """How different some pictures of one prompt look to the judges: the mean distance of every two."""
    with torch.no_grad(), wrap(judge):
        seen = judge.seen(to_judge(pictures))
    return float(torch.pdist(seen).mean())


def in_pairs(
    maker: Maker, asked: Sequence[Asked], size: int
) -> Iterator[tuple[Asked, FloatArray, FloatArray]]:
    """Each prompt with what the model and what the procedural model make of it."""
    for number, one in enumerate(asked):
        yield one, maker.make(one[0], size, number), procedural_picture(one[0], size, number)
