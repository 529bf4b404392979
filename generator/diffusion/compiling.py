# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles the blocks that a network repeats, in the background, while its first images run as they are.

A call goes to the compiled block only where that very call (its shapes, formats and layouts, and how the block is
made) has been tried before, on a thread of our own and on random numbers, and gave what the plain block gives. So no
image ever waits for a compiler, and a compiler that is wrong or fails costs speed and nothing else. Sizes are left
open where the compiler can: a new one is tried again, but seldom compiled again.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from generator.importing import IMPORTING
from generator.places import state_folder
from generator.shortage import is_out_of_memory
from generator.torus.swapping import is_a

from .calls import UnknownValueError, build, described, tensors, twin, with_tensors

BLOCKS = ("BasicTransformerBlock", "ResnetBlock2D", "Downsample2D", "Upsample2D", "AutoencoderTinyBlock")
"""What convolutional networks are made of. The models' own lists of what they repeat leave out where the wraps are."""

TOLERANCES = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""How far a compiled block may be from the plain one, by the largest value: only order of summation may differ."""

IDLE_SECONDS = 5.0
"""After so long without work the thread ends; the next call that is to be compiled starts another."""

VARIABLES = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
_MOST_VARIANTS = 256  # ways in which one class of block is made, times layouts: a large UNet has some 40
_log = logging.getLogger(__name__)

Key = tuple
Plain = Callable[..., Any]


def keep_compiled() -> None:
    """Let compilers keep what they make in the user's own folder, so that the next start finds it there."""
    for variable, name in VARIABLES.items():
        os.environ.setdefault(variable, str(state_folder() / "compiled" / name))


@dataclass(eq=False)
class _Work:
    """A call to be compiled; ``block`` is None once nobody wants it any more."""

    key: Key
    owner: object | None
    block: nn.Module | None
    args: Any
    kwargs: Any


class Compiler:
    """The compiled blocks of one process, and the thread that makes more of them. All methods are safe in any thread.

    ``done`` counts the batches of work finished: where it grows, more blocks are ready than before.
    """

    def __init__(self) -> None:
        self.done = 0
        self.rejected: list[str] = []
        self._ready: dict[Key, Plain] = {}
        self._fresh: dict[Key, Plain] = {}
        self._known: set[Key] = set()
        self._numbers: dict[tuple, int] = {}
        self._functions: dict[Any, Plain] = {}
        self._work: queue.Queue[_Work] = queue.Queue()
        self._waiting: list[_Work] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.busy = threading.Lock()  # held while anything runs on a device beside the images

    def ready(self) -> dict[Key, Plain]:
        """What can be called now: it does not change under whoever holds it."""
        return self._ready

    def number(self, made: tuple) -> int:
        """A number for the way in which a block is made (`build`), the same for the same way."""
        with self._lock:
            return self._numbers.setdefault(made, len(self._numbers))

    def want(self, key: Key, owner: object, block: nn.Module, args: Any, kwargs: Any) -> None:
        """Have this call compiled, unless ``owner`` is forgotten first; asked for again it costs nothing."""
        with self._lock:
            if key in self._known:
                return
            self._known.add(key)
            made = twin(block)
            made.__dict__.pop("forward", None)
            # The call's tensors are not kept: the thread draws its own.
            outlines = (with_tensors(given, _outline) for given in (args, kwargs))
            self._waiting.append(_Work(key, owner, made, *outlines))
            self._work.put(self._waiting[-1])
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="compiler", daemon=True)
                self._thread.start()

    def forget(self, owner: object) -> None:
        """Let go of the weights of all blocks that wait for ``owner``'s sake."""
        with self._lock:
            for work in (work for work in self._waiting if work.owner is owner):
                work.block = work.owner = None
                self._known.discard(work.key)

    def reject(self, key: Key, block: nn.Module, error: Exception) -> None:
        """Never use what was compiled for this call again: it went well when it was tried, and now it did not."""
        with self._lock:
            self._ready = {known: function for known, function in self._ready.items() if known != key}
            self.done += 1
            self._complain(block, error)

    def wait(self, seconds: float) -> bool:
        """Until there is nothing left to do, or so long; whether all is done."""
        finished = threading.Event()
        threading.Thread(target=lambda: (self._work.join(), finished.set()), daemon=True).start()
        return finished.wait(seconds)

    def _run(self) -> None:
        with IMPORTING:
            importlib.import_module("torch._inductor.compile_fx")  # the first compilation would
        _allow_variants()
        while True:
            try:
                work = self._work.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._waiting:
                        continue
                    self._thread = None
                    return
            self._do(work)
            del work
            self._work.task_done()

    def _do(self, work: _Work) -> None:
        with self._lock:
            self._waiting.remove(work)
            block, work.block = work.block, None
        if block is not None:
            try:
                with self.busy:
                    self._fresh[work.key] = self._compiled(block, work.args, work.kwargs)
            except Exception as error:
                if is_out_of_memory(error):
                    with self._lock:
                        self._known.discard(work.key)  # another time there may be room
                self._complain(block, error)
        with self._lock:
            if not self._waiting and self._fresh:
                self._ready, self._fresh = {**self._ready, **self._fresh}, {}
                self.done += 1

    def _complain(self, block: nn.Module, error: Exception) -> None:
        self.rejected.append(f"{type(block).__name__}: {type(error).__name__}: {error}")
        _log.info("A block stays as it is.", exc_info=error)

    def _compiled(self, block: nn.Module, args: Any, kwargs: Any) -> Plain:
        """The compiled function for a block of this class, tried with this call. Raises where it does not hold."""
        from torch.fx.experimental import _config as shapes

        plain = type(block).forward
        if plain not in self._functions:
            self._functions[plain] = torch.compile(plain, dynamic=True, fullgraph=True)
        function = self._functions[plain]
        draw = functools.partial(_drawn, torch.Generator().manual_seed(0), _device(block))
        args, kwargs = (with_tensors(given, draw) for given in (args, kwargs))
        # Sides that happen to be equal must not be taken to be always so.
        with torch.no_grad(), shapes.patch(use_duck_shape=False):  # pyright: ignore[reportAttributeAccessIssue]
            # One right after the other: while it was compiled, a LoRA may have come into the weights.
            function(block, *args, **kwargs)
            made, expected = function(block, *args, **kwargs), plain(block, *args, **kwargs)
        for ours, theirs in zip(tensors(made), tensors(expected), strict=True):
            error = float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-6))
            if not error <= TOLERANCES.get(theirs.dtype, 1e-3):
                raise ArithmeticError(f"off by {error:.1%}")
        return function


COMPILER = Compiler()
"""One for the process: models that are made alike share what is compiled."""


class Blocks:
    """The blocks of one network, sent to what is compiled of them."""

    def __init__(self, network: nn.Module, compiler: Compiler) -> None:
        self._compiler = compiler
        names = (*BLOCKS, *(getattr(network, "_repeated_blocks", None) or ()))
        found = _outermost(network, names)
        self._blocks = [block for block in found if next(block.parameters(), None) is not None]
        self._numbers: dict[tuple, int] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """While open, calls of the blocks are compiled ones, as far as these were ready when it was opened.

        To be opened after all that changes the classes of parts; what is met for the first time is compiled then.
        """
        ready = self._compiler.ready()
        if ready:
            _allow_variants()
        with ExitStack() as stack:
            for block in self._blocks:
                if any("forward" in part.__dict__ for part in block.modules()):
                    continue  # an offloading hook's, which a compiler must not see through
                block.__dict__["forward"] = self._sending(block, ready)
                stack.callback(block.__dict__.pop, "forward", None)
            yield

    def drop(self) -> None:
        """Hold nothing of the network in the compiler's hands."""
        self._compiler.forget(self)

    def _number(self, block: nn.Module) -> int:
        """As `Compiler.number`; looked up by what can change about a block while its network is held."""
        weight = next(block.parameters())
        classes = tuple(map(type, block.modules()))
        key = (id(block), classes, weight.dtype, weight.device, weight.stride())
        if key not in self._numbers:
            self._numbers[key] = self._compiler.number(build(block))
        return self._numbers[key]

    def _sending(self, block: nn.Module, ready: dict[Key, Plain]) -> Plain:
        plain, device = type(block).forward, _device(block)
        made = self._number(block)

        def forward(*args: Any, **kwargs: Any) -> Any:
            try:
                key = (made, described(args), described(kwargs))
            except UnknownValueError:
                return plain(block, *args, **kwargs)
            if any(tensor.device != device for tensor in tensors((args, kwargs))):
                return plain(block, *args, **kwargs)
            function = ready.get(key)
            if function is not None:
                if _is_tracing():
                    return plain(block, *args, **kwargs)
                try:
                    return function(block, *args, **kwargs)
                except Exception as error:
                    if is_out_of_memory(error):
                        raise
                    self._compiler.reject(key, block, error)
                    return plain(block, *args, **kwargs)
            self._compiler.want(key, self, block, args, kwargs)
            return plain(block, *args, **kwargs)

        return forward


def _outermost(network: nn.Module, names: tuple[str, ...]) -> Iterator[nn.Module]:
    for part in network.children():
        if is_a(part, *names):
            yield part
        else:
            yield from _outermost(part, names)


def _allow_variants() -> None:
    """Let one class be compiled in all the ways in which it is made; newer releases keep this for each thread."""
    import torch._dynamo

    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, _MOST_VARIANTS)
    config.accumulated_recompile_limit = max(config.accumulated_recompile_limit, 4 * _MOST_VARIANTS)


def _is_tracing() -> bool:
    """Whether a thread traces at the moment: some releases of torch then refuse compiled code in every thread."""
    return bool(getattr(sys.modules.get("torch.fx._symbolic_trace"), "_is_fx_tracing_flag", False))


def _device(block: nn.Module) -> torch.device:
    return next(block.parameters()).device


def _outline(tensor: Tensor) -> Tensor:
    """The tensor without its numbers."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _drawn(random: torch.Generator, device: torch.device, outline: Tensor) -> Tensor:
    """A tensor like ``outline``, on ``device``, with other numbers."""
    made = torch.empty_strided(outline.shape, outline.stride(), dtype=outline.dtype, device=device)
    if outline.is_floating_point():
        return made.copy_(torch.randn(outline.shape, generator=random))
    return made.zero_()
