# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that are read as they are stored, and then made what a plan wants: in its number format, on its device.

Reading them in another format than their own takes diffusers and transformers many times longer.
"""

from __future__ import annotations

from typing import Any

import torch

from . import free_memory
from .ahead import Ahead, brought
from .folder import ModelFolder, values_stored
from .ladder import Measure, Plan

PLAIN = ("UNet2DConditionModel", "AutoencoderKL", "CLIPTextModel", "CLIPTextModelWithProjection")
"""Parts that hold nothing but what is in their files, all of it in one number format. Others make tables in the
format that they are read in, or keep some of their layers wider."""
ROOMY = 3
"""How many times a model must fit into the memory that is free for its weights to be brought there early, before all
is known that decides where they had better lie."""
FORMATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_NUMBERS = ("I64", "I32", "I16", "I8", "U8", "BOOL")
_CLIP = "text_model."  # releases of transformers differ in whether names begin so


def formats(folder: ModelFolder, dtype: torch.dtype) -> dict[str, torch.dtype]:
    """The number format that each part with weights is to be read in for a model that computes in ``dtype``."""
    variant = folder.variant(half=dtype.itemsize < 4)
    found: dict[str, torch.dtype] = {}
    for name in folder.weights:
        stored = [kind for kind in values_stored(folder.files(name, variant)) if kind not in _NUMBERS]
        as_stored = len(stored) == 1 and folder.classes.get(name) in PLAIN
        found[name] = FORMATS.get(stored[0], dtype) if as_stored else dtype
    return found


def started(folder: ModelFolder, device: torch.device, dtype: torch.dtype) -> Ahead | None:
    """All weights that can be cast, on their way to ``device``; None where there is not plenty of room for a model."""
    variant = folder.variant(half=dtype.itemsize < 4)
    parts = {name: folder.files(name, variant) for name in folder.weights}
    size = sum(values_stored(files).total() for files in parts.values()) * dtype.itemsize
    room = free_memory.available(device)
    if room is None or room < ROOMY * size:
        return None
    plain = {name: files for name, files in parts.items() if folder.classes.get(name) in PLAIN}
    return Ahead(plain, device, dtype, _wants_channels_last(folder)) if plain else None


def suits(ahead: Ahead, plan: Plan) -> bool:
    """Whether ``ahead`` brings weights to where ``plan`` wants them."""
    alike = (ahead.device, ahead.dtype) == (plan.device, plan.dtype)
    return alike and not plan.offloads and Measure.FP8 not in plan


def cast_parts(folder: ModelFolder, pipeline: Any, plan: Plan, ahead: Ahead | None) -> None:
    """Give every part that was read as stored the number format of ``plan``: from ``ahead``, or in main memory."""
    for name, kind in folder.classes.items():
        part = getattr(pipeline, name, None)
        if kind not in PLAIN or part is None or (name == "unet" and Measure.FP8 in plan):
            continue
        there = {} if ahead is None else ahead.take(name)
        if not there and all(tensor.dtype == plan.dtype for tensor in part.parameters()):
            continue  # they stay mapped
        cast = {}
        for key, tensor in part.state_dict().items():
            found = there.pop(key, None)
            found = there.pop(_CLIP + key, None) if found is None else found
            if found is None or found.shape != tensor.shape:
                found = brought(tensor, tensor.device, plan.dtype, _wants_channels_last(folder))
            cast[key] = found
        part.load_state_dict(cast, assign=True)


def _wants_channels_last(folder: ModelFolder) -> bool:
    return "unet" in folder.weights
