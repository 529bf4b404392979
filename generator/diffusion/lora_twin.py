# SPDX-License-Identifier: GPL-3.0-or-later
"""Has diffusers and peft load LoRAs, but not into the model: into a twin of it that has its layers and no weights.

So the model never has layers of peft's in it: whatever goes wrong or is cancelled while a LoRA is loaded, the model is
as it was, and neither the wrap nor offloading nor a recorded graph has anything new to learn.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from generator.progress import GenerationError
from generator.shortage import is_out_of_memory

from .lora_files import LoraFile

Place = tuple[str, str]
"""A layer: the pipeline's part it is in, and its name there."""


class Twin:
    """Holds the matrices of some LoRAs, in main memory, and multiplies them out layer by layer."""

    def __init__(self, pipeline: Any) -> None:
        self._parts = {name: _weightless(part) for name, part in _adaptable(pipeline).items()}
        wanted = inspect.signature(type(pipeline).__init__).parameters
        settings = {name: value for name, value in pipeline.config.items() if name in wanted}
        # Without all other parts: diffusers would take away the hooks that fetch them from main memory.
        others = dict.fromkeys(pipeline.components)
        self._pipeline = type(pipeline)(**{**settings, **others, **self._parts})
        self._names: dict[LoraFile, str] = {}
        self._count = 0

    def __contains__(self, file: LoraFile) -> bool:
        return file in self._names

    def load(self, file: LoraFile, model: str) -> bool:
        """Read ``file``; whether all of it has found its place in ``model``, as that is called in a sentence.

        Raises `GenerationError`. The twin is of no use any more after that, or after anything else was raised.
        """
        self._count += 1
        name = f"lora_{self._count}"
        try:
            with _quietly():
                self._pipeline.load_lora_weights(
                    str(file.path.parent),
                    weight_name=file.path.name,
                    adapter_name=name,
                    use_safetensors=True,
                    local_files_only=True,
                )
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise foreign(file, model) from error
        self._names[file] = name
        matrices = [tensor for part in self._parts.values() for tensor in _matrices(part, name)]
        if not all(bool(torch.isfinite(tensor).all()) for tensor in matrices):
            raise GenerationError(
                "lora_broken",
                f"The LoRA {file.name} is damaged: it holds what is not a number.",
                "Copy or download the LoRA again.",
            )
        found = sum(tensor.numel() for tensor in matrices)
        if 2 * found < file.values:
            raise foreign(file, model)
        return found >= file.values

    def forget(self, file: LoraFile) -> None:
        """Give the memory of ``file`` back."""
        self._pipeline.delete_adapters(self._names.pop(file))

    def files(self) -> list[LoraFile]:
        """What is loaded."""
        return list(self._names)

    def shapes(self, file: LoraFile) -> dict[Place, torch.Size]:
        """The shapes of the weights that ``file``, which is loaded, adds to."""
        return {
            place: layer.get_base_layer().weight.shape for place, layer in self.layers({file: 1.0}).items()
        }

    def layers(self, weights: Mapping[LoraFile, float]) -> dict[Place, Any]:
        """The layers that these LoRAs, which are loaded, change; from now on with these weights."""
        if not weights:
            return {}
        names = [self._names[file] for file in weights]
        self._pipeline.set_adapters(names, list(weights.values()))
        return {
            (part, name): layer
            for part, twin in self._parts.items()
            for name, layer in _layers(twin)
            if any(adapter in layer.lora_A for adapter in names)
        }


@torch.no_grad()
def merged(layer: Any, original: Tensor, device: torch.device) -> Tensor:
    """``original`` with all that ``layer`` of the twin adds to it, in float32, computed on ``device``."""
    base = layer.get_base_layer()
    kept = [(tensor, tensor.data) for tensor in layer.parameters()]
    try:
        # First there, then wide: the other way around twice as much would have to be carried.
        base.weight.data = original.to(device).to(torch.float32, copy=True)
        for tensor, _ in kept:
            if tensor is not base.weight and tensor is not base.bias:
                tensor.data = tensor.data.to(device).float()
        layer.merge(adapter_names=[name for name in layer.active_adapters if name in layer.lora_A])
        return base.weight.data
    finally:
        for tensor, data in kept:
            tensor.data = data
        layer.merged_adapters.clear()


def _adaptable(pipeline: Any) -> dict[str, nn.Module]:
    """The parts of ``pipeline`` that diffusers loads LoRAs into."""
    names = getattr(pipeline, "_lora_loadable_modules", None)
    if not names:
        raise GenerationError(
            "lora_unsupported",
            f"Models of this kind ({type(pipeline).__name__}) cannot take LoRAs.",
            "Take the LoRAs out, or choose another model.",
        )
    try:
        import peft  # noqa: F401 - diffusers loads LoRAs through it
    except ImportError as error:
        raise GenerationError(
            "lora_unsupported", "LoRAs need the library peft, which is not installed.", "Install it."
        ) from error
    parts = {name: getattr(pipeline, name, None) for name in names}
    return {name: part for name, part in parts.items() if isinstance(part, nn.Module)}


def _weightless(part: Any) -> Any:
    """A module of the same layers whose weights are zeros that take no memory."""
    with torch.device("meta"):
        twin = (
            type(part).from_config(part.config) if hasattr(part, "from_config") else type(part)(part.config)
        )
    for module in twin.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and tensor.is_meta:
                    empty = torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
                    if tensors is module._parameters:
                        empty = nn.Parameter(empty, requires_grad=False)
                    tensors[name] = empty
    return twin.eval()


def _layers(part: nn.Module) -> Iterator[tuple[str, Any]]:
    from peft.tuners.lora import LoraLayer

    for name, module in part.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module


def _matrices(part: nn.Module, adapter: str) -> Iterator[Tensor]:
    for name, tensor in part.named_parameters():
        if f".{adapter}." in f"{name}.":
            yield tensor


def foreign(file: LoraFile, model: str) -> GenerationError:
    """What to raise for a LoRA whose layers are not those of ``model``."""
    made_for = f", but for {file.made_for}" if file.made_for else ""
    return GenerationError(
        "lora_unsupported",
        f"The LoRA {file.name} was not made for a model like {model}{made_for}.",
        "Choose a LoRA that was made for this family of models.",
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """The libraries list every layer that does not fit; one sentence says that it does not."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    before = [(logging, logging.get_verbosity()) for logging in (diffusers_logging, transformers_logging)]
    try:
        for logging, _ in before:
            logging.set_verbosity(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logging, verbosity in before:
            logging.set_verbosity(verbosity)
