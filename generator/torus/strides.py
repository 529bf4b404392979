# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes at which a module can keep the law: multiples of its stride, read from its configuration."""

from __future__ import annotations

from typing import Any

from torch import nn

_PACKED = {
    "FluxTransformer2DModel": 2,
    "FluxControlNetModel": 2,
    "QwenImageTransformer2DModel": 2,
    "QwenImageControlNetModel": 2,
}
"""Transformers whose pipelines pack squares of latents into tokens; their own ``patch_size`` says another thing."""


def stride_of(module: nn.Module) -> int:
    """The multiple that both sides of the module's input must have, and by which an image may be rolled.

    Counted in pixels for an autoencoder or an adapter, in latents for a denoiser, also where the denoiser itself is
    given packed tokens. Raises ``ValueError`` for a module whose configuration does not tell.
    """
    module = getattr(module, "_orig_mod", module)  # what torch.compile puts around
    name = type(module).__name__
    several: Any = getattr(module, "nets", None) or getattr(module, "adapters", None)
    if several:  # MultiControlNetModel and MultiAdapter
        return max(stride_of(part) for part in several)
    config: Any = getattr(module, "config", {})
    if name in _PACKED:
        return _PACKED[name]
    if isinstance(ratio := getattr(module, "spatial_compression_ratio", None), int):
        return ratio
    if isinstance(factor := getattr(module, "total_downscale_factor", None), int):
        return factor
    for key in ("block_out_channels", "encoder_block_out_channels"):
        if config.get(key):
            return 2 ** (len(config[key]) - 1)
    if config.get("all_patch_size"):
        return max(config["all_patch_size"])
    if isinstance(config.get("patch_size"), int):
        return config["patch_size"]
    raise ValueError(f"The stride of a {name} is not known.")
