# SPDX-License-Identifier: GPL-3.0-or-later
"""How training makes a network periodic: as the product does, but in the way that is cheapest to go back through."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generator.torus import extend, rule, wrap
from generator.torus.convolutions import WrappedConvolution
from generator.torus.swapping import Swap

__all__ = ["wrap"]


class LearningConvolution(WrappedConvolution):
    """The product's periodic convolution; where gradients are wanted, with a border that is concatenated.

    The product reads its border by index, which is the fastest without gradients. Backwards that is a sum by index:
    slow everywhere, and a sort of all pixels for bfloat16 on a card, where slices and additions will do.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not (torch.is_grad_enabled() and self.torus_x and self.torus_y) or isinstance(self.padding, str):
            return super()._conv_forward(input, weight, bias)
        down, across = self.padding
        framed = extend(input, across, across, down, down)
        return F.conv2d(framed, weight, bias, self.stride, 0, self.dilation, self.groups)  # type: ignore[arg-type]


@rule
def _learning(module: nn.Module) -> Iterator[Swap]:
    # A later rule's mixin takes the place of an earlier one's, so this stands where the product's would.
    if (
        isinstance(module, nn.Conv2d)
        and module.padding_mode == "zeros"
        and module.padding not in ("valid", (0, 0))
    ):
        yield module, LearningConvolution
