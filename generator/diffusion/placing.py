# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a pipeline where its plan says: on a device, in 8 bits, or in main memory with a way to fetch what is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .ladder import Measure, Plan

FP8 = getattr(torch, "float8_e4m3fn", None)


def runs_on(part: Any) -> torch.device:
    """The device that a part computes on, also while its weights wait in main memory."""
    hook = getattr(part, "_hf_hook", None)
    device = getattr(hook, "execution_device", None)
    return part.device if device is None else torch.device(device)


def keep_in_eight_bits(denoiser: Any, dtype: torch.dtype) -> None:
    """Store the weights of ``denoiser``, convolutions too, in float8 (e4m3); each layer computes in ``dtype``.

    Norms, embeddings and what the model itself excepts stay as they are, but no narrower than ``dtype``. There is no
    way back: read the model again.
    """
    denoiser.enable_layerwise_casting(storage_dtype=FP8, compute_dtype=dtype)
    if dtype == torch.float32:  # it may have been read as it is stored, to spare memory
        for tensor in (*denoiser.parameters(), *denoiser.buffers()):
            if tensor.dtype in (torch.float16, torch.bfloat16):
                tensor.data = tensor.data.to(dtype)


class Offloading:
    """Weights that wait in main memory: whole parts (`Measure.MODEL_OFFLOAD`), of the denoiser single layers.

    Of all parts of ``pipeline`` no more than one is on the device of ``plan`` at a time. Without either measure the
    pipeline is simply moved there.
    """

    def __init__(self, pipeline: Any, denoiser: Any, plan: Plan) -> None:
        self._hooks: list[Any] = []
        if not plan.offloads:
            pipeline.to(plan.device)
            return
        from accelerate import cpu_offload_with_hook

        parts = {name: part for name, part in pipeline.components.items() if isinstance(part, nn.Module)}
        order = [name for name in (pipeline.model_cpu_offload_seq or "").split("->") if name in parts]
        before = None
        for name in [*order, *(name for name in parts if name not in order)]:
            if parts[name] is denoiser and Measure.GROUP_OFFLOAD in plan:
                continue
            _, before = cpu_offload_with_hook(parts[name], plan.device, prev_module_hook=before)
            self._hooks.append(before)
        if Measure.GROUP_OFFLOAD in plan:
            cpu = torch.device("cpu")
            denoiser.enable_group_offload(
                onload_device=plan.device, offload_device=cpu, offload_type="leaf_level"
            )
            # Its layers do not know of the chain in which one whole part makes room for the next.
            denoiser.register_forward_pre_hook(lambda *_: self.rest())

    def rest(self) -> None:
        """Send everything that has been fetched as a whole back to main memory."""
        for hook in self._hooks:
            if next(hook.model.parameters()).device.type != "cpu":
                hook.offload()


@contextmanager
def one_by_one(denoiser: nn.Module) -> Iterator[None]:
    """While open, ``denoiser`` computes the images of a batch, which are a step's passes, one after another."""
    found = denoiser.__dict__.get("forward")  # a hook's, around the class's own

    def forward(*args: Any, **kwargs: Any) -> Any:
        call = found or type(denoiser).forward.__get__(denoiser)
        batch = _length(args[0] if args else next(iter(kwargs[name] for name in _IMAGES if name in kwargs)))
        if batch < 2:
            return call(*args, **kwargs)
        made = [call(*_share(args, index, batch), **_share(kwargs, index, batch)) for index in range(batch)]
        return _joined(made)

    denoiser.__dict__["forward"] = forward
    try:
        yield
    finally:
        if found is None:
            del denoiser.__dict__["forward"]
        else:
            denoiser.__dict__["forward"] = found


_IMAGES = ("sample", "hidden_states", "x")


def _length(images: Any) -> int:
    return len(images) if isinstance(images, (list, tuple)) else images.shape[0]


def _share(given: Any, index: int, batch: int) -> Any:
    """What of a call's arguments belongs to one image: the rest is common to all of them."""
    if isinstance(given, Tensor):
        return given[index : index + 1] if given.ndim and given.shape[0] == batch else given
    if isinstance(given, dict):
        return {name: _share(value, index, batch) for name, value in given.items()}
    if isinstance(given, list) and len(given) == batch:
        return given[index : index + 1]  # Z-Image's: one tensor for each image
    return tuple(_share(value, index, batch) for value in given) if isinstance(given, tuple) else given


def _joined(made: Sequence[Any]) -> Any:
    """The answers of several calls as that of one: a tuple, or a class of diffusers that holds a ``sample``."""
    first = made[0]
    if isinstance(first, tuple):
        return (_joined_images([answer[0] for answer in made]), *first[1:])
    return type(first)(sample=_joined_images([answer.sample for answer in made]))


def _joined_images(images: Sequence[Any]) -> Any:
    if isinstance(images[0], list):
        return [image for some in images for image in some]
    return torch.cat(list(images), dim=0)
