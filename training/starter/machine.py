# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between a graphics card and a processor: number format, memory layout, compiler. Nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from generator.diffusion.hardware import has_bf16

Function = TypeVar("Function", bound=Callable[..., Any])


def device() -> torch.device:
    """The graphics card where there is one, else the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda")


def narrow(on: torch.device) -> AbstractContextManager[Any]:
    """While open, what may is computed in bfloat16, where the device has instructions for it; else all is float32."""
    return torch.autocast(on.type, torch.bfloat16) if has_bf16(on) else nullcontext()


def compiled(function: Function, on: torch.device) -> Function:
    """The function, compiled on a card; a processor gains nothing from that at these sizes."""
    return torch.compile(function, dynamic=False) if on.type == "cuda" else function  # type: ignore[return-value]


def placed(module: Any, on: torch.device | str) -> Any:
    """The module, on that device: as `to`, whose types diffusers and transformers have lost."""
    return module.to(on)


def weights_of(module: nn.Module, on: torch.device) -> dict[str, Tensor]:
    """The module's parameters on that device, to begin with."""
    return {name: value.detach().to(on) for name, value in module.named_parameters()}


def beginning_with(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those weights whose names begin so, without that."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def put_into(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into the module that they belong to."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(weights[name])


def call(module: nn.Module, weights: Mapping[str, Tensor], *arguments: Any, **settings: Any) -> Any:
    """The module's output with these weights in place of its own."""
    return functional_call(module, dict(weights), arguments, settings)


def seeded(*numbers: int) -> torch.Generator:
    """Random numbers that depend on these alone, the same on every device: they are drawn on the processor."""
    import numpy as np

    return torch.Generator().manual_seed(int(np.random.default_rng(numbers).integers(2**62)))
