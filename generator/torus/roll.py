# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves the picture under a denoiser at every step, so that no place of it is always the edge.

A model that knows where its tokens lie treats the border of its image differently. Rolled by another offset at each
step, every place is the border equally often, and what the border does is averaged away.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .strides import stride_of

Grid = tuple[int, int]
Offset = tuple[int, int]

_IMAGES = (
    "sample", "hidden_states", "x", "controlnet_cond", "control_context",
    "down_intrablock_additional_residuals",
)  # fmt: skip
"""What models call the inputs that lie in the image's plane. Residuals of a ControlNet are not among them: they come
from a network that was rolled by the same offset."""
_TIMES = ("timestep", "t")


@contextmanager
def rolled(
    modules: Sequence[nn.Module], grid: Grid, seed: int, x: bool = True, y: bool = True
) -> Iterator[None]:
    """While open, each call of a denoiser sees its image rolled along x and/or y, and its answer is rolled back.

    ``grid`` is the rows and columns of the latents. The offset depends on ``seed`` and the timestep alone, so that
    the calls with and without words share it, and all ``modules`` do. ControlNets among them are rolled but answer
    in the rolled place, where the denoiser expects it. The latents between the steps are never moved: schedulers
    keep what they were told before. Modules that are told no time, such as T2I adapters, are left alone; what they
    found is rolled where the denoiser is given it.

    Images may be ``(B, C, H, W)`` at any scale of the grid, packed tokens ``(B, N, C)`` row by row of which the
    first are the image, or a list of ``(C, F, H, W)``. A module that runs under ``Module.compile`` breaks its graph
    at these hooks; one made by ``torch.compile`` does not.
    """
    timed = {
        module: names for module in modules if set(names := _parameter_names(module)).intersection(_TIMES)
    }
    stride = max((stride_of(module) for module in timed), default=1)
    plane = _Plane(grid, stride, seed, x, y)
    with ExitStack() as stack:
        for module, names in timed.items() if x or y else ():
            before, after = _hooks(plane, names)
            stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
            if not is_control_network(module):
                stack.callback(module.register_forward_hook(after, with_kwargs=True).remove)
        yield


def is_control_network(module: nn.Module) -> bool:
    """Whether ``module`` speaks to a denoiser rather than being one."""
    return "ControlNet" in type(getattr(module, "_orig_mod", module)).__name__


class _Plane:
    """The torus that offsets are drawn on."""

    def __init__(self, grid: Grid, stride: int, seed: int, x: bool, y: bool) -> None:
        self.grid, self.stride, self.seed, self.axes = grid, stride, seed, (y, x)

    def offset(self, timestep: float) -> Offset:
        """Rows and columns of latents, multiples of the stride, from the seed and the timestep alone."""
        draw = random.Random(f"{self.seed} {timestep!r}")
        steps = [draw.randrange(max(1, length // self.stride)) for length in self.grid]  # always both
        down, right = (step * self.stride * axis for step, axis in zip(steps, self.axes, strict=True))
        return down, right

    def roll(self, image: Any, offset: Offset, packed: int) -> Any:
        """``image`` in any of the layouts; what has none is given back as it is.

        ``packed`` is the side of the square of latents that one token of packed images stands for.
        """
        if isinstance(image, (list, tuple)):
            return type(image)([self.roll(part, offset, packed) for part in image])
        if not isinstance(image, Tensor) or image.ndim < 3:
            return image
        if image.ndim == 3:
            return self._roll_tokens(image, offset, packed)
        shift = [
            step * size // length
            for step, size, length in zip(offset, image.shape[-2:], self.grid, strict=True)
        ]
        return torch.roll(image, shift, (-2, -1))

    def _roll_tokens(self, tokens: Tensor, offset: Offset, packed: int) -> Tensor:
        rows, columns = (length // packed for length in self.grid)
        image, rest = tokens[:, : rows * columns], tokens[:, rows * columns :]
        shift = [step // packed for step in offset]
        image = image.unflatten(1, (rows, columns)).roll(shift, (1, 2)).flatten(1, 2)
        return torch.cat((image, rest), dim=1) if rest.shape[1] else image


def _parameter_names(module: nn.Module) -> list[str]:
    inner = getattr(module, "_orig_mod", module)
    return list(inspect.signature(type(inner).forward).parameters)[1:]


def _hooks(plane: _Plane, names: list[str]) -> tuple[Any, Any]:
    """The hooks before and after a call; no state passes between them, and nothing between calls."""

    def offset(args: tuple, kwargs: dict[str, Any]) -> Offset:
        given = dict(zip(names, args, strict=False)) | kwargs
        time = next(given[name] for name in _TIMES if given.get(name) is not None)
        return plane.offset(float(time.flatten()[0]) if isinstance(time, Tensor) else float(time))

    def before(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        found, packed = offset(args, kwargs), stride_of(module)

        def moved(name: str, value: Any) -> Any:
            return plane.roll(value, found, packed) if name in _IMAGES else value

        # A call may give more by position than the signature of the module names; that is not ours to judge.
        positional = tuple(moved(name, value) for name, value in zip(names, args, strict=False))
        return positional + args[len(positional) :], {k: moved(k, value) for k, value in kwargs.items()}

    def after(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
        down, right = offset(args, kwargs)
        back, packed = (-down, -right), stride_of(module)
        if hasattr(output, "sample"):
            output.sample = plane.roll(output.sample, back, packed)
            return output
        if isinstance(output, tuple):
            return (plane.roll(output[0], back, packed), *output[1:])
        return plane.roll(output, back, packed)

    return before, after
