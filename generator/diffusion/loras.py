# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRAs in a model that is kept warm: their products are added to its weights, and taken off to the last bit.

A LoRA left beside its layer costs two more layers in every one, in every step, and another wrap where it convolves.
Added to the weight it costs nothing: the model stays the modules, the shapes and the addresses that it was, so that
it wraps, is fetched from main memory, is replayed as a graph and runs compiled exactly as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from generator.progress import Progress
from generator.protocol import Lora

from .ladder import Plan
from .lora_files import LoraFile, look_into
from .lora_twin import Place, Twin, foreign, merged
from .originals import Files, Originals, no_files


class Loras:
    """Which LoRAs are in the weights of one ``pipeline``.

    ``state`` describes them, hashable: whatever was computed under another state is out of date. Weights are
    written where they lie, so that their addresses stay. ``files`` names the files that a part was read from.
    """

    state: tuple[Any, ...] = ()

    def __init__(self, pipeline: Any, plan: Plan, files: Files = no_files) -> None:
        self._pipeline = pipeline
        self._originals = Originals(files, plan.dtype)
        self._twin: Twin | None = None
        self._changed: set[Place] = set()

    def apply(self, loras: Sequence[Lora], device: torch.device, model: str, progress: Progress) -> None:
        """Have exactly these LoRAs in the weights, which wait for their next use; compute on ``device``.

        ``model`` is its name for the artist. Raises `GenerationError` for a LoRA that is of no use here, and then
        nothing has changed; `CancelledError`, whatever lack of memory raises, and `OriginalsLostError`: after these
        the next call puts everything right.
        """
        weights: dict[LoraFile, float] = {}
        for lora in loras:
            file = look_into(lora.file)
            weights[file] = weights.get(file, 0.0) + lora.weight
        weights = {file: weight for file, weight in weights.items() if weight}
        state = tuple((str(file.path), file.size, file.modified, weight) for file, weight in weights.items())
        if state == self.state:
            return
        self._load(weights, model, progress)
        with torch.no_grad(), self._originals.reading():
            self._write(weights, device, progress)
        self._forget_others(weights)
        self.state = state

    def _load(self, weights: dict[LoraFile, float], model: str, progress: Progress) -> None:
        for file in weights:
            if self._twin is not None and file in self._twin:
                continue
            progress.loading(f"Loading the LoRA {file.name}")
            twin, self._twin = self._twin or Twin(self._pipeline), None
            whole = twin.load(file, model)
            for place, shape in twin.shapes(file).items():
                if self._weight(place).shape != shape:
                    raise foreign(file, model)  # diffusers makes room for some that control a model
            self._twin = twin
            if not whole:
                progress.notice(f"A part of the LoRA {file.name} has no place in {model} and is left out.")

    def _write(self, weights: dict[LoraFile, float], device: torch.device, progress: Progress) -> None:
        layers = {} if self._twin is None else self._twin.layers(weights)
        progress.loading("Adding the LoRAs to the model" if layers else "Taking the LoRAs out of the model")
        self.state = (object(),)  # until all is done, like nothing else
        for place in self._changed - layers.keys():
            progress.check()
            self._originals.restore(*_named(place), self._weight(place))
            self._changed.remove(place)
        for place, layer in layers.items():
            progress.check()
            live = self._weight(place)
            original = self._originals.of(*_named(place), live)
            self._changed.add(place)
            live.copy_(merged(layer, original, device).to(live.dtype))

    def _weight(self, place: Place) -> Tensor:
        part, name = place
        return getattr(self._pipeline, part).get_submodule(name).weight

    def _forget_others(self, weights: dict[LoraFile, float]) -> None:
        if self._twin is None:
            return
        if not weights:
            self._twin = None
            return
        for file in self._twin.files():
            if file not in weights:
                self._twin.forget(file)


def _named(place: Place) -> tuple[str, str]:
    part, layer = place
    return part, f"{layer}.weight"
