# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a run will take, before it begins: the weights from the files' headers, the rest from the sizes.

The constants are the greatest live memory of one call, counted over every allocation of the real architectures
(``benchmarks/memory_estimate.py``); docs/memory.md compares the sums with what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from . import families, hardware, memory
from .families import Family
from .folder import ModelFolder
from .ladder import Measure, Phase, Plan
from .slices import SLICE_BYTES

_UNET = 28
"""Values for each latent and each channel of the first level: 26 for SD 1.x and 2.x, 17 for SDXL; 2 for the wrap."""
_TRANSFORMER = 18
"""Values for each token and each hidden channel: SD3 13, PixArt 13, Sana 16, Z-Image 16, Flux 18."""
_TEXT_TOKENS = 512  # at most, beside those of the image
_SLACK = 1.1  # allocators round up, and lose some to fragments
_DEVICE = 300 << 20  # the libraries' own workspaces on an accelerator
_ITEM = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}


@dataclass(frozen=True)
class Part:
    """One part's weights: how many ``values``, how many of them in its ``largest`` tensor, and bytes per value in
    the files."""

    values: int
    largest: int
    stored: int


@dataclass(frozen=True)
class Job:
    """What the memory of a run depends on besides the model: its size in pixels, passes a step, a picture to encode.

    ``batch`` images at most can be made together; how many are is for a `Plan` to say.
    """

    width: int
    height: int
    guided: bool = True
    source: bool = False
    batch: int = 1


def weights_of(folder: ModelFolder, variant: str | None) -> dict[str, Part]:
    """All parts of a model by name, from the headers of the files that are read for ``variant``."""
    from safetensors import safe_open

    parts: dict[str, Part] = {}
    for name in folder.weights:
        sizes: list[int] = []
        stored = 0
        for file in folder.files(name, variant):
            with safe_open(file, framework="numpy") as tensors:
                for key in tensors.keys():  # noqa: SIM118 - not a dictionary
                    piece = tensors.get_slice(key)
                    sizes.append(math.prod(piece.get_shape()))
                    stored = max(stored, _ITEM.get(piece.get_dtype(), 0))
        parts[name] = Part(sum(sizes), max(sizes, default=0), stored)
    return parts


def needed(
    plan: Plan, weights: Mapping[str, Part], denoiser: str, work: Mapping[Phase, int]
) -> dict[Phase, int]:
    """The bytes that each phase takes at its peak: of main memory for ``read``, else of the plan's device.

    ``denoiser`` names that part; ``work`` is what is computed, see `working`.
    """
    held = {name: part.values * plan.dtype.itemsize for name, part in weights.items()}
    heavy = weights[denoiser]
    if Measure.FP8 in plan:
        held[denoiser] = heavy.values + heavy.largest * plan.dtype.itemsize  # the layer at work is wide
    copies = {
        name: size
        for name, size in held.items()
        if plan.offloads or _is_copied(weights[name], plan, name == denoiser)
    }
    if Measure.GROUP_OFFLOAD in plan:
        held[denoiser] = 2 * heavy.largest * plan.dtype.itemsize
    if plan.offloads:
        texts = max((size for name, size in held.items() if name not in (denoiser, "vae")), default=0)
        phases: dict[Phase, int] = {
            "move": max(held.values(), default=0),
            "encode": held.get("vae", 0) + work.get("encode", 0),
            "denoise": max(texts, held[denoiser] + work.get("denoise", 0)),
            "decode": held.get("vae", 0) + work.get("decode", 0),
        }
    else:
        everything = sum(held.values())
        phases = {"move": everything}
        for phase in ("encode", "denoise", "decode"):
            phases[phase] = everything + work.get(phase, 0)
    fixed = 0 if plan.device.type == "cpu" else _DEVICE
    phases = {phase: int(size * _SLACK) + fixed for phase, size in phases.items()}
    return {"read": sum(copies.values()), **phases}


def working(pipeline: Any, family: Family, plan: Plan, job: Job) -> dict[Phase, int]:
    """The bytes that computing takes besides the weights, by phase. ``pipeline`` may lie anywhere."""
    vae = pipeline.vae
    rows, columns = families.latent_shape(pipeline, job.width, job.height)[-2:]
    factor = families.pixels_per_latent(vae)
    tiles = memory.tiles_for(vae, factor, rows, columns, plan.device, vae.dtype)
    if Measure.TILES in plan:
        tiles = memory.sparing_tiles(factor, rows, columns)
    tall, wide = (length if tiles is None else min(length, tiles.side) for length in (rows, columns))
    picture = 2 * 3 * 4 * job.width * job.height  # the finished one in float32, and a copy of it
    decode = memory.decoding_bytes(vae, factor, tall, wide, vae.dtype) + picture
    decode += _scores(1, tall * wide, vae.dtype, plan)
    found: dict[Phase, int] = {
        "decode": decode,
        "denoise": _denoising(pipeline, family, plan, job, rows, columns),
    }
    if job.source:
        found["encode"] = decode  # encoding takes less
    return found


def _denoising(pipeline: Any, family: Family, plan: Plan, job: Job, rows: int, columns: int) -> int:
    config = families.denoiser(pipeline, family).config
    passes = 2 if job.guided and family.paired else 1
    batch = 1 if Measure.ONE_BY_ONE in plan else plan.batch * passes
    if family.denoiser == "unet":
        width, tokens, level = config["block_out_channels"][0], rows * columns, _first_attention(config)
        heads = config.get("num_attention_heads") or config.get("attention_head_dim") or 8
        heads = heads[level] if isinstance(heads, (list, tuple)) else heads
        scores = _scores(batch * int(heads), tokens >> (2 * level), plan.dtype, plan)
        return _UNET * batch * tokens * width * plan.dtype.itemsize + scores
    side = families.stride(pipeline, family) // families.pixels_per_latent(pipeline.vae)
    tokens = rows * columns // side**2 + _TEXT_TOKENS
    heads = int(config.get("num_attention_heads") or config.get("n_heads") or 24)
    width = int(config.get("dim") or heads * config.get("attention_head_dim", 64))
    return _TRANSFORMER * batch * tokens * width * plan.dtype.itemsize + _scores(
        batch * heads, tokens, plan.dtype, plan
    )


def _first_attention(config: Mapping[str, Any]) -> int:
    """The first level of a UNet at which places attend to each other; the number of halvings before it."""
    kinds = config["down_block_types"]
    return next((level for level, kind in enumerate(kinds) if "Attn" in kind), len(kinds))


def _scores(heads: int, tokens: int, dtype: torch.dtype, plan: Plan) -> int:
    """The table of all tokens against all, twice, where a device writes it down instead of fusing it away."""
    if not hardware.attends_at_once(plan.device, dtype):
        return 0
    table = 2 * heads * tokens**2 * dtype.itemsize
    return min(table, 2 * SLICE_BYTES) if Measure.SLICES in plan else table


def _is_copied(part: Part, plan: Plan, is_denoiser: bool) -> bool:
    """Whether reading makes a copy in main memory; weights kept as they are stored are mapped from their file."""
    return part.stored != plan.dtype.itemsize or (is_denoiser and Measure.FP8 in plan)
