# SPDX-License-Identifier: GPL-3.0-or-later
"""How a network's calls reach the device: one by one, recorded, or compiled; with what the product itself uses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

import torch
from torch import nn

from generator.diffusion.compiling import Blocks, Compiler
from generator.diffusion.graphs import CudaRecorder, Graphs

Engine = Literal["eager", "graphs", "compiled"]


class Running:
    """One network under one engine, kept between its turns. ``compiled`` is recorded as well where that can be."""

    def __init__(self, hot: nn.Module, engine: Engine, compiler: Compiler) -> None:
        device = next(hot.parameters()).device
        self._compiler = compiler
        self._blocks = Blocks(hot, compiler) if engine == "compiled" else None
        self._graphs = None
        if engine != "eager" and device.type == "cuda":
            self._graphs = Graphs(hot, CudaRecorder(device), threading.Lock())

    @contextmanager
    def turn(self) -> Iterator[None]:
        """While open, calls of the network go this way."""
        with ExitStack() as stack, torch.no_grad():
            if self._blocks is not None:
                stack.enter_context(self._blocks.running())
            if self._graphs is not None:
                stack.enter_context(self._graphs.running(self._compiler.done if self._blocks else 0))
            yield

    def drop(self) -> None:
        """Give the recordings' memory back, and let nothing more be compiled."""
        if self._blocks is not None:
            self._blocks.drop()
        if self._graphs is not None:
            self._graphs.drop()

    @property
    def told(self) -> str:
        """What became of the recordings, where it was other than wanted."""
        if self._graphs is None or self._graphs.replayed:
            return ""
        return "not recorded: it failed" if self._graphs.given_up else "not recorded: no memory to spare"


def engines(device: torch.device) -> tuple[Engine, ...]:
    """Those that there are on ``device``."""
    return ("eager", "graphs", "compiled") if device.type == "cuda" else ("eager", "compiled")
