# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that makes a denoiser, with its ControlNets, work on a torus: one entry for all families."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import nn

from .positions import has_positions, periodic_positions
from .roll import rolled
from .swapping import is_a
from .wrapping import wrap

_CONVOLUTIONAL = (
    "UNet2DConditionModel", "UNet2DModel", "ControlNetModel", "ControlNetUnionModel", "MultiControlNetModel",
    "T2IAdapter", "MultiAdapter", "SanaTransformer2DModel", "SanaControlNetModel",
)  # fmt: skip
"""Networks whose only way to know their edges is the padding of a convolution (Sana where it has no positions)."""


@contextmanager
def on_torus(
    denoisers: Sequence[nn.Module], grid: tuple[int, int], seed: int, x: bool = True, y: bool = True
) -> Iterator[None]:
    """While open, ``denoisers``, one and its ControlNets, make images that tile along x and/or y.

    ``grid`` is the rows and columns of the latents, a multiple of `stride_of` each. What convolutions do is exact;
    where a model also has positions (not `is_exact`), these go around as well, and the image is rolled under it at
    every step by offsets drawn from ``seed``.
    """
    with ExitStack() as stack:
        for denoiser in denoisers:
            stack.enter_context(wrap(denoiser, x, y))
        if not all(is_exact(denoiser) for denoiser in denoisers):
            for denoiser in denoisers:
                stack.enter_context(periodic_positions(denoiser, grid, x, y))
            stack.enter_context(rolled(denoisers, grid, seed, x, y))
        yield


def is_exact(denoiser: nn.Module) -> bool:
    """Whether `wrap` alone makes ``denoiser`` keep the law. A family not known here is taken to have positions."""
    inner = getattr(denoiser, "_orig_mod", denoiser)
    return is_a(inner, *_CONVOLUTIONAL) and not has_positions(inner)
