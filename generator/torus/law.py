# SPDX-License-Identifier: GPL-3.0-or-later
"""The law of the torus, ``f(roll(x)) == roll(f(x))``, as a number."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def violation(
    function: Callable[[Tensor], Tensor], image: Tensor, shift: tuple[int, int], scale: float = 1.0
) -> float:
    """By how much ``function`` breaks the law for ``image`` ``(..., H, W)`` rolled by ``shift`` ``(down, right)``.

    ``scale`` is how much larger the output is than the input: 8 for a decoder, 1/8 for an encoder. The greatest
    difference over the greatest value: 1e-15 in float64 for what is periodic, 0.1 to 1 for what is not. Infinite
    where the output is not a number.
    """
    with torch.no_grad():
        rolled = function(image.roll(shift, (-2, -1)))
        plain = function(image)
        expected = plain.roll((round(shift[0] * scale), round(shift[1] * scale)), (-2, -1))
        error = float((rolled - expected).abs().max() / plain.abs().max().clamp_min(1e-30))
    return error if error == error else float("inf")
