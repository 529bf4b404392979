# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the wrap hold here? Devices have had wrong borders (MPS, DirectML), so every model is asked once on each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from generator.torus.law import violation

from .codec import Codec
from .latents import channels, decoded, encoded
from .placing import runs_on

LIMITS = {torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}
"""How far the law may be missed by rounding alone; what is broken misses it by 0.1 to 1 in any format."""


class Laws:
    """What was found for one model on one device, by part, number format and axes; each is asked once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._found: dict[tuple[str, torch.dtype, bool, bool], float] = {}

    def check_codec(self, codec: Codec, x: bool, y: bool) -> None:
        """Try the encoder and the decoder, wrapped along these axes at the moment."""
        vae = codec.vae
        latents = torch.empty(1, channels(vae), 1, 1, dtype=vae.dtype, device=runs_on(vae))
        pixels = latents[:, :1].expand(-1, 3, -1, -1)
        trials = {
            "decoder": lambda: _decoder(lambda z: decoded(vae, z), latents, codec.factor, (x, y)),
            "encoder": lambda: _encoder(lambda p: encoded(vae, p), pixels, codec.factor, (x, y)),
        }
        for part, trial in trials.items():
            key = (part, vae.dtype, x, y)
            if key not in self._found:
                self._found[key] = trial()

    def watching(
        self, denoiser: nn.Module, stride: int, dtype: torch.dtype, x: bool, y: bool
    ) -> AbstractContextManager[None]:
        """While open, the first call of ``denoiser`` is tried beforehand, unless that is known; see `watched`."""
        key = ("denoiser", dtype, x, y)
        if key in self._found:
            return nullcontext()
        return watched(denoiser, stride, (x, y), lambda error: self._found.__setitem__(key, error))

    def knows_denoiser(self, dtype: torch.dtype, x: bool, y: bool) -> bool:
        """Whether the denoiser need not be tried any more before it runs along these axes."""
        return not (x or y) or ("denoiser", dtype, x, y) in self._found

    def complaint(self, dtype: torch.dtype, x: bool, y: bool) -> str | None:
        """The beginning of a sentence when a part does not hold what it should here; None when all is well."""
        for (part, found, *axes), error in self._found.items():
            # Infinite is an overflow, which is looked after where it shows in a picture.
            if axes == [x, y] and found in (dtype, torch.float32) and LIMITS[found] < error < math.inf:
                return f"On {self._device} this model's {part} does not join its edges exactly (off by {error:.1%})"
        return None


@contextmanager
def watched(
    denoiser: nn.Module, stride: int, axes: tuple[bool, bool], tell: Callable[[float], None]
) -> Iterator[None]:
    """While open, the first call of ``denoiser`` is tried beforehand on a small image of its own.

    ``stride`` in latents is the smallest shift that the law holds for, ``axes`` are ``(x, y)``. The conditions are
    those of the call itself, whatever they are. ``tell`` is given the violation.
    """

    def look(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        handle.remove()
        given: Tensor = args[0] if args else kwargs["sample"]
        small = _noise(given.shape[:-2], 2 * stride).to(given)

        def call(image: Tensor) -> Tensor:
            if args:
                return module(image, *args[1:], **kwargs)[0]
            return module(**{**kwargs, "sample": image})[0]

        tell(violation(lambda image: call(image).float(), small, _shift(stride, axes)))

    handle = denoiser.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _decoder(coder: Callable[[Tensor], Tensor], like: Tensor, factor: int, axes: tuple[bool, bool]) -> float:
    """The law for a decoder, which makes ``factor`` pixels of each latent; ``like`` has its format and channels."""
    small = _noise(like.shape[:-2], 8).to(like)
    return violation(lambda latents: coder(latents).float(), small, _shift(3, axes), factor)


def _encoder(coder: Callable[[Tensor], Tensor], like: Tensor, factor: int, axes: tuple[bool, bool]) -> float:
    """The law for an encoder, which makes one latent of ``factor`` pixels; ``like`` has its format and channels."""
    small = _noise(like.shape[:-2], 8 * factor).to(like)
    return violation(lambda pixels: coder(pixels).float(), small, _shift(factor, axes), 1 / factor)


def _noise(leading: torch.Size, side: int) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(0)
    return torch.randn((*leading, side, side), generator=generator)


def _shift(step: int, axes: tuple[bool, bool]) -> tuple[int, int]:
    """``(down, right)``, along the axes that are wrapped."""
    x, y = axes
    return step if y else 0, step if x else 0
