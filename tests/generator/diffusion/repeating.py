# SPDX-License-Identifier: GPL-3.0-or-later
"""A small network of blocks that repeat, and a recorder of work for processors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from generator.diffusion.calls import tensors


class ReplayedOnCpu:
    """Records work as the functions that did it. Like a graph it reads and writes the same memory each time."""

    def __init__(self, _device: torch.device | None = None) -> None:
        self.recorded = 0
        self.has_room = True

    def room(self) -> bool:
        return self.has_room

    def measured(self, call: Callable[[], Any]) -> Any:
        return call()

    def forget(self) -> None:
        pass

    def record(self, call: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        self.recorded += 1
        outputs = call()

        def replay() -> None:
            for kept, made in zip(tensors(outputs), tensors(call()), strict=True):
                kept.copy_(made)

        for kept in tensors(outputs):
            kept.fill_(float("nan"))  # nothing has been computed by recording alone
        return outputs, replay


class Block(nn.Module):
    """A stand-in for what a network repeats; `compiling.BLOCKS` is made to name it."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        return torch.nn.functional.silu(self.conv(image)) * self.scale


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block(), Block(1)])  # a compiler tells 1 from 1.0

    def forward(
        self, sample: Tensor, timestep: Tensor | float, more: dict[str, Tensor] | None = None
    ) -> tuple[Tensor]:
        for block in self.blocks:
            sample = sample + block(sample)
        if more is not None:
            sample = sample + more["words"].mean()
        return (sample * (timestep / 1000),)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
