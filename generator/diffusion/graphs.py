# SPDX-License-Identifier: GPL-3.0-or-later
"""Records what a network has a graphics card do, and lets it be done again in one go.

A denoiser is some two thousand short pieces of work, and Python takes longer to hand them out than a fast card to do
them. A recording (a CUDA graph) is handed out at once. It holds for one call's shapes alone, reads its inputs from
where they lay, and keeps the memory it works in.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from generator.shortage import is_out_of_memory
from generator.torus.borders import kept_places

from .calls import UnknownValueError, described, tensors, with_tensors
from .free_memory import RECORDED

MOST = 4
"""Recordings kept; each holds the memory of one call. Guided or not, at two sizes."""

_log = logging.getLogger(__name__)


class Recorder(Protocol):
    """How work is recorded on one kind of device."""

    def room(self) -> bool:
        """Whether there is memory to spare for a recording of the last `measured` call."""
        ...

    def measured(self, call: Callable[[], Any]) -> Any:
        """What ``call`` gives; `room` goes by what it took."""
        ...

    def forget(self) -> None:
        """Whatever was recorded is not replayed any more, and its memory is free."""
        ...

    def record(self, call: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """What ``call`` gives, and what does the same work once more, from the same inputs into the same outputs.

        After it the outputs hold nothing yet.
        """
        ...


class CudaRecorder:
    """CUDA graphs on ``device``, which may also be AMD's."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._peak = 0
        self._stream: Any = None
        self._pool: Any = None

    def room(self) -> bool:
        """Twice what the call took beyond the weights: recordings hold it once, and whatever comes next wants some."""
        free, _ = torch.cuda.mem_get_info(self._device)
        unused = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        unused -= RECORDED.get(self._device, 0)
        return free + unused > 2 * self._peak + (1 << 30)

    def measured(self, call: Callable[[], Any]) -> Any:
        """The peak of its memory is looked at."""
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        made = call()
        self._peak = torch.cuda.max_memory_allocated(self._device) - before
        return made

    def record(self, call: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """As a CUDA graph. Other threads may go on using the device meanwhile."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            # Torch's own stream for this belongs to whichever card was recorded first.
            self._stream = self._stream or torch.cuda.Stream(self._device)
            # One memory for all: every answer is copied before anything else is replayed.
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            torch.cuda.empty_cache()
            before = torch.cuda.memory_reserved(self._device)
            graphed = torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            )
            try:
                # The outer one takes this thread off the stream also where a recording breaks off.
                with torch.cuda.stream(self._stream), graphed:
                    made = call()
            except BaseException:
                torch.cuda.synchronize(self._device)
                raise
            taken = torch.cuda.memory_reserved(self._device) - before
        RECORDED[self._device] = RECORDED.get(self._device, 0) + max(0, taken)
        return made, graph.replay

    def forget(self) -> None:
        """Nothing recorded here is replayed any more."""
        self._pool = None
        RECORDED.pop(self._device, None)


@dataclass
class _Recording:
    inputs: list[Tensor]
    outputs: Any
    replay: Callable[[], None]
    kept: list[Tensor]


class Graphs:
    """One network's recordings. ``busy`` is held by whoever else may use the device while something is recorded."""

    def __init__(self, network: nn.Module, recorder: Recorder, busy: threading.Lock) -> None:
        self._network = network
        self._recorder = recorder
        self._busy = busy
        self._recordings: OrderedDict[Any, _Recording | int] = OrderedDict()  # or how often it was seen
        self.given_up = False
        self.replayed = 0

    @contextmanager
    def running(self, *made: Any) -> Iterator[None]:
        """While open, the network's calls are replayed from their third time on.

        ``made`` is what the network is made of at present, hashable: recordings hold for nothing else.
        """
        if self.given_up or "forward" in self._network.__dict__:
            yield
            return
        for key in [key for key in self._recordings if key[0] != made]:
            del self._recordings[key]
        plain = type(self._network).forward.__get__(self._network)
        self._network.__dict__["forward"] = lambda *args, **kwargs: self._call(plain, made, args, kwargs)
        try:
            yield
        finally:
            self._network.__dict__.pop("forward", None)

    def drop(self) -> bool:
        """Give the recordings' memory back; whether there was any."""
        held = any(isinstance(kept, _Recording) for kept in self._recordings.values())
        self._recordings.clear()
        if held:
            self._recorder.forget()
        return held

    def _call(self, plain: Callable[..., Any], made: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        if self.given_up or torch.is_grad_enabled():
            return plain(*args, **kwargs)
        args, kwargs = _on_device(args, kwargs, next(self._network.parameters()).device)
        try:
            key = (made, described(args), described(kwargs))
        except UnknownValueError:
            return plain(*args, **kwargs)
        recording = self._recordings.get(key, 0)
        if recording == 0:
            # A first time as it is: libraries try their ways, and take what memory that needs.
            self._keep(key, 1)
            return plain(*args, **kwargs)
        if recording == 1:
            self._keep(key, 2)
            return self._recorder.measured(lambda: plain(*args, **kwargs))
        if not isinstance(recording, _Recording):
            recording = self._recorded(key, plain, args, kwargs)
            if recording is None:
                return plain(*args, **kwargs)
        self._recordings.move_to_end(key)
        for kept, given in zip(recording.inputs, tensors((args, kwargs)), strict=True):
            kept.copy_(given)
        recording.replay()
        self.replayed += 1
        # Whoever asked may keep the answer for several steps; the next replay writes over it.
        return with_tensors(recording.outputs, Tensor.clone)

    def _recorded(
        self, key: Any, plain: Callable[..., Any], args: tuple, kwargs: dict[str, Any]
    ) -> _Recording | None:
        if not self._recorder.room() or not self._busy.acquire(blocking=False):
            return None
        try:
            inputs: list[Tensor] = []

            def own(tensor: Tensor) -> Tensor:
                inputs.append(torch.empty_like(tensor).copy_(tensor))
                return inputs[-1]

            ours = with_tensors((args, kwargs), own)
            outputs, replay = self._recorder.record(lambda: plain(*ours[0], **ours[1]))
            described(outputs)
            recording = _Recording(inputs, outputs, replay, kept_places())
        except Exception as error:
            # Speed is all that is lost; what cannot be recorded once is not tried again.
            _log.warning("The denoiser's work cannot be recorded: %s", error)
            self.drop()
            self.given_up = True
            if is_out_of_memory(error):
                torch.cuda.empty_cache()
            return None
        finally:
            self._busy.release()
        self._keep(key, recording)
        return recording

    def _keep(self, key: Any, recording: _Recording | int) -> None:
        self._recordings[key] = recording
        while len(self._recordings) > MOST:
            self._recordings.popitem(last=False)


def _on_device(args: tuple, kwargs: dict[str, Any], device: torch.device) -> tuple[tuple, dict[str, Any]]:
    """The same with the timestep, which changes at every call, as a tensor, and all tensors on ``device``."""

    def number(value: Any) -> Any:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return torch.tensor(value, device=device) if is_number else value

    args = tuple(number(value) if index == 1 else value for index, value in enumerate(args))
    kwargs = {name: number(value) if name == "timestep" else value for name, value in kwargs.items()}
    return with_tensors((args, kwargs), lambda tensor: tensor.to(device))
