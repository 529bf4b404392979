# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to make a model tile, each as a context: none, two that others use, written anew here, and ours."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from generator.torus import wrap

Way = Callable[[nn.Module], AbstractContextManager[Any]]


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    """The convolutions that pad."""
    found = (part for part in module.modules() if isinstance(part, nn.Conv2d))
    return [part for part in found if any(part._reversed_padding_repeated_twice)]


@contextmanager
def one_axis_after_the_other(module: nn.Module) -> Iterator[None]:
    """Every convolution pads its input along x, then along y, each by circular ``F.pad``: what dream-textures does."""

    def forward(self: nn.Conv2d, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        left, right, top, bottom = self._reversed_padding_repeated_twice
        image = F.pad(image, (left, right, 0, 0), mode="circular")
        image = F.pad(image, (0, 0, top, bottom), mode="circular")
        return F.conv2d(image, weight, bias, self.stride, 0, self.dilation, self.groups)

    changed = convolutions(module)
    for part in changed:
        part._conv_forward = types.MethodType(forward, part)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for part in changed:
            del part._conv_forward


@contextmanager
def native_circular(module: nn.Module) -> Iterator[None]:
    """``padding_mode="circular"`` on every convolution, torch's own."""
    changed = convolutions(module)
    for part in changed:
        part.padding_mode = "circular"
    try:
        yield
    finally:
        for part in changed:
            part.padding_mode = "zeros"


WAYS: dict[str, Way] = {
    "plain": lambda _: nullcontext(),
    "dream-textures' way": one_axis_after_the_other,
    "native circular": native_circular,
    "ours": wrap,
}
"""The first is what the others are compared with; it does not tile."""
