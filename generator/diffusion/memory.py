# SPDX-License-Identifier: GPL-3.0-or-later
"""When a picture is too large to pass through an autoencoder in one piece, and into what tiles it is cut then."""

from __future__ import annotations

from typing import Any

import torch

from generator.torus.tiles import Tiles

from .hardware import total_memory

_VALUES = 12
"""What the widest moment of decoding holds at every pixel, in units of the channels at full resolution. Measured
with Stable Diffusion's decoder: 1,070 values in float32 and 1,160 in bfloat16, with 128 channels."""
_SHARE = 0.4  # of the device's memory; the denoiser lies in the rest
_UNKNOWN = 4 << 30
_SIDES, _MARGIN, _OVERLAP = (256, 192, 128, 96, 64), 16, 8  # for cells of 8 pixels


def tiles_for(
    vae: Any, factor: int, rows: int, columns: int, device: torch.device, dtype: torch.dtype
) -> Tiles | None:
    """How to cut latents of ``rows`` x ``columns``, of ``factor`` pixels each; None where they fit in one piece.

    It rests on the device's whole memory, not on what is free at the moment: tiles change a picture a little, and
    the same request shall give the same picture.
    """
    budget = int(_SHARE * (total_memory(device) or _UNKNOWN))
    if decoding_bytes(vae, factor, rows, columns, dtype) <= budget:
        return None
    sides = [side * 8 // factor for side in _SIDES]
    fitting = (side for side in sides if decoding_bytes(vae, factor, side, side, dtype) <= budget)
    return _tiles(next(fitting, sides[-1]), factor)


def smallest_tiles(factor: int) -> Tiles:
    """The last resort when memory has run out."""
    return _tiles(_SIDES[-1] * 8 // factor, factor)


def sparing_tiles(factor: int, rows: int, columns: int) -> Tiles:
    """For a third of what one piece takes, or the smallest: small ones cost time, since their margins overlap."""
    sides = [side * 8 // factor for side in _SIDES]
    return _tiles(next((side for side in sides if 3 * side**2 <= rows * columns), sides[-1]), factor)


def decoding_bytes(vae: Any, factor: int, rows: int, columns: int, dtype: torch.dtype) -> int:
    """About how much memory decoding takes; encoding takes less."""
    return _VALUES * _channels(vae) * dtype.itemsize * rows * columns * factor**2


def _channels(vae: Any) -> int:
    """Channels at full resolution."""
    config = vae.config
    widths = config.get("block_out_channels") or config.get("decoder_block_out_channels")
    return int(widths[0] if widths else config.get("base_dim") or 128)


def _tiles(side: int, factor: int) -> Tiles:
    return Tiles(side, _MARGIN * 8 // factor, max(2, _OVERLAP * 8 // factor))
