# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the ways to be faster a model takes on its device, and the one switch that turns them off."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from generator.progress import GenerationError

from .compiling import COMPILER, Blocks, keep_compiled
from .graphs import CudaRecorder, Graphs
from .ladder import Measure, Plan

VARIABLE = "DREAM_TEXTURES_ACCELERATION"
"""Environment variable: one of `WISHES`. Pictures differ by rounding alone, but they do differ."""

WISHES = ("auto", "off", "graphs", "compiled")
_HARMLESS = {Measure.TILES}
"""Measures for less memory that leave the denoiser's weights and calls as they are."""


@dataclass(frozen=True)
class Ways:
    """Whether work is recorded as graphs, and whether blocks are compiled in the background."""

    graphs: bool
    compiled: bool


def choose(device: torch.device, stays: bool, wish: str | None = None) -> Ways:
    """What is done on ``device`` by a process that ``stays`` for further jobs, or makes this one and ends.

    ``wish`` is one of `WISHES`; left out, it is that of `VARIABLE`. Raises `GenerationError` for another.
    """
    wish = (wish or os.environ.get(VARIABLE, "") or "auto").strip().lower()
    if wish not in WISHES:
        raise GenerationError(
            "acceleration",
            f"{VARIABLE} is {wish!r}, which is no way to be faster.",
            f"Choose one of: {', '.join(WISHES)}.",
        )
    on_card = device.type == "cuda"  # AMD's as well
    # Compiling takes longer than one image; and Windows has no Triton unless someone has put it there.
    pays = on_card and stays and importlib.util.find_spec("triton") is not None
    return Ways(graphs=on_card and wish != "off", compiled=wish == "compiled" or (wish == "auto" and pays))


class Acceleration:
    """What makes one placed model faster. Does nothing where its plan leaves nothing to gain or no memory for it."""

    def __init__(self, denoiser: nn.Module, decoder: nn.Module | None, plan: Plan, stays: bool) -> None:
        self.ways = choose(plan.device, stays)
        if not _HARMLESS.issuperset(plan.measures):
            self.ways = Ways(False, False)
        self.graphs: Graphs | None = None
        self._denoiser = self._decoder = None
        if self.ways.graphs:
            # Convolutions are timed once for each size, and the fastest kept. On AMD that search takes minutes.
            torch.backends.cudnn.benchmark = torch.version.hip is None
            self.graphs = Graphs(denoiser, CudaRecorder(plan.device), COMPILER.busy)
        if self.ways.compiled:
            keep_compiled()
            self._denoiser = Blocks(denoiser, COMPILER)
            self._decoder = None if decoder is None else Blocks(decoder, COMPILER)

    @contextmanager
    def denoising(self, *made: Any) -> Iterator[None]:
        """While open, the denoiser is faster.

        ``made`` is what it is made of besides its weights, hashable; the weights may change where they lie.
        """
        with ExitStack() as stack:
            compiled = 0
            if self._denoiser is not None:
                compiled = COMPILER.done
                stack.enter_context(self._denoiser.running())
            if self.graphs is not None:
                stack.enter_context(self.graphs.running(compiled, *made))
            yield

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """While open, the decoder is faster."""
        with ExitStack() as stack:
            if self._decoder is not None:
                stack.enter_context(self._decoder.running())
            yield

    def drop(self) -> bool:
        """Give back the memory that being faster takes; whether there was any."""
        for blocks in (self._denoiser, self._decoder):
            if blocks is not None:
                blocks.drop()
        return self.graphs is not None and self.graphs.drop()
