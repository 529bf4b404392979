# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations in torch; gradients flow through all but `to_array`. Import only where torch is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from generator.material import FloatArray
from generator.networks.operations import EPSILON
from generator.torus import extend
from generator.torus.borders import convolved_with_strips, gathered, gathers, strips_pay

if TYPE_CHECKING:
    from torch import Tensor


class TorchOperations:
    """`Operations` on a device, the processor unless told otherwise."""

    name = "torch"

    def __init__(self, check: Callable[[], None] | None = None, device: str = "cpu") -> None:
        import torch

        self._torch, self._functional, self._device = torch, torch.nn.functional, device
        self._check = check or _no_check

    def prepare(self, tensors: Mapping[str, FloatArray]) -> dict[str, Tensor]:
        return {name: self.to_field(values) for name, values in tensors.items()}

    def to_field(self, values: FloatArray) -> Tensor:
        tensor = self._torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self._device)
        if tensor.ndim == 4:
            return tensor.contiguous(memory_format=self._torch.channels_last)
        return tensor

    def to_array(self, field: Tensor) -> FloatArray:
        return np.ascontiguousarray(field.detach().float().cpu().numpy())

    def convolve(self, field: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        self._check()
        reach = weight.shape[-1] // 2
        if reach == 0:
            return self._functional.conv2d(field, weight, bias)
        around = (reach, reach, reach, reach)
        if not self._torch.is_grad_enabled() and strips_pay(field, around, tuple(weight.shape[-2:])):
            return convolved_with_strips(field, weight, bias, 1, True, True)
        wrapped = gathered(field, around) if gathers(field, around) else extend(field, *around)
        return self._functional.conv2d(wrapped, weight, bias)

    def prelu(self, field: Tensor, slope: Tensor) -> Tensor:
        return self._functional.prelu(field, slope)

    def leaky(self, field: Tensor) -> Tensor:
        return self._functional.leaky_relu(field, 0.1)

    def normalise(self, field: Tensor) -> Tensor:
        last = field.permute(0, 2, 3, 1)
        return self._functional.layer_norm(last, last.shape[-1:], eps=EPSILON).permute(0, 3, 1, 2)

    def unshuffle(self, field: Tensor, factor: int) -> Tensor:
        return self._functional.pixel_unshuffle(field, factor)

    def shuffle(self, field: Tensor, factor: int) -> Tensor:
        return self._functional.pixel_shuffle(field, factor)

    def nearest(self, field: Tensor, factor: int) -> Tensor:
        return self._functional.interpolate(field, scale_factor=factor, mode="nearest")

    def halve(self, field: Tensor) -> Tensor:
        return self._functional.avg_pool2d(field, 2)

    def concatenate(self, fields: list[Tensor]) -> Tensor:
        return self._torch.cat(fields, dim=1)

    def everywhere(self, field: Tensor) -> Tensor:
        return field.mean(dim=(2, 3), keepdim=True)


def _no_check() -> None:
    """Nobody waits to cancel."""
