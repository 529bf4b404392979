# SPDX-License-Identifier: GPL-3.0-or-later
"""One axis made periodic in the plainest way, below every module: what a wrapped model is compared with.

Every call of a convolution or of zero padding is intercepted and its padding along that axis replaced by circular
padding. The other axis goes through untouched, so that comparing bits shows that `wrap` leaves it alone as well.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

RANK = {F.conv2d: 2, F.conv3d: 3}


def _circular(image: torch.Tensor, axis: int, before: int, after: int) -> torch.Tensor:
    """With a border of its own; ``cat`` keeps the layout in memory, on which the last bit may depend."""
    size = image.shape[axis]
    copies = torch.cat([image] * (3 + (before + after) // size), dim=axis)
    return copies.narrow(axis, -before % size, before + size + after)


class PeriodicAxis(TorchFunctionMode):
    """Use as a context; ``axis`` is -1 for x and -2 for y."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in RANK:
            return self.convolution(function, *args, **kwargs)
        if function is F.pad:
            return self.pad(*args, **kwargs)
        return function(*args, **kwargs)

    def convolution(self, function, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        rank = RANK[function]
        padding = [padding] * rank if isinstance(padding, int) else list(padding)
        width, padding[self.axis] = padding[self.axis], 0
        if width:
            input = _circular(input, self.axis, width, width)
        return function(input, weight, bias, stride, tuple(padding), dilation, groups)

    def pad(self, input, pad, mode="constant", value=None):
        widths = list(pad)
        first = 2 * (-1 - self.axis)
        zeros = mode == "constant" and not value  # linear attention appends ones to its tokens
        if not zeros or input.ndim < 4 or len(widths) <= first + 1:
            return F.pad(input, pad, mode, value)
        before, after = widths[first : first + 2]
        widths[first : first + 2] = [0, 0]
        return F.pad(_circular(input, self.axis, before, after), widths, mode, value)
