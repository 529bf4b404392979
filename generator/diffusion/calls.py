# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells one call of a module from another for a compiler or a recording: everything but the numbers in tensors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

_CONSTANTS = (bool, int, float, str, type(None), torch.dtype, torch.device)


class UnknownValueError(TypeError):
    """An argument of a kind that is not known here, so nothing can be said about the call."""


def described(value: Any) -> Any:
    """A hashable description of an argument. Raises `UnknownValueError`."""
    if isinstance(value, Tensor):
        return (
            "tensor",
            tuple(value.shape),
            value.stride(),
            value.dtype,
            value.device,
            value.requires_grad,
            value.is_inference(),
        )
    if isinstance(value, dict):
        return dict, tuple((key, described(item)) for key, item in value.items())
    if isinstance(value, (tuple, list)):
        return type(value), tuple(described(item) for item in value)
    if isinstance(value, _CONSTANTS):
        return type(value), value
    raise UnknownValueError(f"An argument of {type(value).__name__}")


def tensors(value: Any) -> list[Tensor]:
    """All tensors in an argument, in a fixed order."""
    found: list[Tensor] = []
    with_tensors(value, lambda tensor: found.append(tensor) or tensor)
    return found


def with_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same argument with every tensor in it replaced by what ``change`` makes of it."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: with_tensors(item, change) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(with_tensors(item, change) for item in value)
    return value


def build(module: nn.Module) -> tuple:
    """A hashable description of how ``module`` is made: its parts' classes, plain attributes and weights' shapes.

    What wraps or adapts a part has classes of its own, so it shows here.
    """
    return tuple((name, type(part), _attributes(part)) for name, part in module.named_modules())


def _attributes(part: nn.Module) -> tuple:
    found = []
    # A compiler looks at whether a number is 1 or 1.0, and so must we.
    for name, value in {**part.__dict__, **part._parameters, **part._buffers}.items():
        with suppress(UnknownValueError):
            found.append((name, described(value)))
    return tuple(found)


def twin(module: nn.Module) -> nn.Module:
    """A second tree of modules around the same weights, which keeps its classes when those of ``module`` change."""
    made = object.__new__(type(module))
    made.__dict__.update(module.__dict__)
    made.__dict__["_modules"] = {
        name: None if part is None else twin(part) for name, part in module._modules.items()
    }
    return made
