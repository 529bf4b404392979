# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention in slices of its queries, for devices that write the whole table of scores down.

Each query's result is its own, so that nothing but rounding changes, and this works for every kind of model, the
autoencoder's included; diffusers' own slicing knows UNets only, and takes their fused attention away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

SLICE_BYTES = 128 << 20
"""How large a slice's table of scores may become."""


class SlicedAttention(TorchFunctionMode):
    """While open, every `scaled_dot_product_attention` runs in slices."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """As torch calls it for each of its functions."""
        if func is F.scaled_dot_product_attention:
            return _sliced(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _sliced(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **settings: Any,
) -> torch.Tensor:
    row = query.shape[:-2].numel() * key.shape[-2] * query.element_size()  # bytes of one query's scores
    length = max(1, SLICE_BYTES // max(1, row))
    if length >= query.shape[-2] or is_causal:
        return F.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, **settings)
    made = []
    for start in range(0, query.shape[-2], length):
        piece = query[..., start : start + length, :]
        mask = attn_mask
        if mask is not None and mask.shape[-2] == query.shape[-2]:
            mask = mask[..., start : start + length, :]
        made.append(F.scaled_dot_product_attention(piece, key, value, mask, dropout_p, **settings))
    return torch.cat(made, dim=-2)
