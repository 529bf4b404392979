# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist sees while an image is being made: colours at once, or small decoders where one fits and is quick."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from generator.material import FloatArray
from generator.shortage import forget_frames
from generator.torus import wrap

from .latents import Coder, decode, pixels_per_latent, starting_noise, to_picture

PATCH = (
    32  # pixels along each side of one plain colour: with Stable Diffusion's decoder most of it sees no other
)
SIDE = 512  # pixels along the longer side of a preview, at most
FIT = 0.8
"""How well the colours of a small decoder must go with those of the model's own, each of the three for itself, as a
correlation over a patchwork: 1 for a copy, about 0 for a stranger. Chosen, not measured."""
SHARE = 0.1
"""How much of a step's time a preview by a small decoder may take."""


class Previews:
    """Small pictures of latents, made to fit the model's own decoder when the first is wanted.

    One patchwork of plainly coloured latents is decoded (a tenth of the work of a 512-pixel picture). The colour of
    each of its places is regressed on the latent there: the best linear map, which needs no table of factors per
    family. Small decoders that were found are shown the same patchwork, and the one that comes closest is used,
    provided that it fits and only while it costs next to nothing.
    """

    def __init__(self, vae: Any, decoders: Sequence[Any] = ()) -> None:
        self._vae = vae
        self._found = list(decoders)
        self._map: tuple[Tensor, Tensor] | None = None
        self._decoder: Any = None
        self._seconds = math.inf  # that the decoder takes for one latent
        self._ended: float | None = None  # when the last preview was finished
        self._steps: deque[float] = deque(
            maxlen=2
        )  # two, for the pause between jobs looks like a step as well

    @property
    def decoder(self) -> Any:
        """The small decoder that fits, an ``AutoencoderTiny``; None where there is none, or none was wanted yet."""
        return self._decoder

    @contextmanager
    def on_torus(self, x: bool, y: bool) -> Iterator[None]:
        """While open, previews are periodic along these axes, as the image is."""
        with ExitStack() as stack:
            for decoder in self._found if self._decoder is None else [self._decoder]:
                stack.enter_context(wrap(decoder, x, y))
            yield

    def __call__(self, latents: Tensor) -> list[FloatArray]:
        """All of ``latents`` ``(B, C, h, w)`` as pictures of one size: ``(h, w)``, or decoded, of at most `SIDE`."""
        latents = latents.float()
        float(latents.flatten()[0])  # waits for the step, so that it is not taken for the preview's work
        if self._ended is not None:
            self._steps.append(time.perf_counter() - self._ended)
        if self._map is None:
            self._fit(latents)
        pictures = None
        allowed = SHARE * min(self._steps, default=0.0)
        if self._decoder is not None and self._seconds * latents[:, 0].numel() <= allowed:
            pictures = self._decoded(latents)
        if pictures is None:
            pictures = self._coloured(latents)
        self._ended = time.perf_counter()
        return pictures

    def _coloured(self, latents: Tensor) -> list[FloatArray]:
        assert self._map is not None
        weights, bias = self._map
        pixels = torch.einsum("bchw,cr->brhw", latents.cpu(), weights) + bias[:, None, None]
        return [to_picture(each) for each in pixels.nan_to_num(0.0).clamp(0, 1)]

    def _decoded(self, latents: Tensor) -> list[FloatArray] | None:
        began = time.perf_counter()
        try:
            with torch.no_grad():
                pixels = torch.cat([decode(self._decoder, each, _shrunk) for each in latents.split(1)])
        except Exception as error:
            # Most likely memory. Whatever it is, a preview is not worth the image.
            forget_frames(error)
            self._decoder = None
            return None
        self._seconds = (time.perf_counter() - began) / latents[:, 0].numel()
        return [to_picture(each) for each in pixels.nan_to_num(0.0)]

    def _fit(self, latents: Tensor) -> None:
        channels = latents.shape[1]
        side = math.ceil(2 * math.sqrt(channels + 1))  # four patches for each unknown
        generator = torch.Generator("cpu").manual_seed(0)
        patches = starting_noise(generator, (1, channels, side, side))
        repeat = max(1, PATCH // pixels_per_latent(self._vae))
        # In one picture, not one by one: the decoder's normalisation takes its measure from all of them.
        patchwork = patches.repeat_interleave(repeat, -1).repeat_interleave(repeat, -2)
        with torch.no_grad(), wrap(self._vae):
            colours = _colours(self._vae, patchwork)
        inputs = torch.cat([patchwork, torch.ones_like(patchwork[:, :1])], dim=1).flatten(2)[0].T
        solution = torch.linalg.lstsq(inputs, colours.T).solution
        self._map = solution[:-1], solution[-1]
        self._choose(patchwork, colours, latents.device)

    def _choose(self, patchwork: Tensor, colours: Tensor, device: torch.device) -> None:
        """Keep the one small decoder that comes closest to ``colours``, if it comes close enough."""
        best = FIT
        for decoder in self._found:
            try:
                decoder.to(device)
                with torch.no_grad(), wrap(decoder):
                    fit = _correlation(_colours(decoder, patchwork), colours)
                    began = time.perf_counter()
                    decode(decoder, patchwork)  # once more: the first time, devices prepare themselves
            except Exception as error:
                forget_frames(error)
                continue
            if fit >= best:
                best, self._decoder = fit, decoder
                self._seconds = (time.perf_counter() - began) / patchwork[0, 0].numel()
        self._found = []


def _colours(vae: Any, latents: Tensor) -> Tensor:
    """The mean colour of each latent's place in the decoded picture: ``(3, h w)``."""
    pixels = decode(vae, latents)
    return F.adaptive_avg_pool2d(pixels, (latents.shape[-2], latents.shape[-1])).nan_to_num(0.5).flatten(2)[0]


def _correlation(made: Tensor, wanted: Tensor) -> float:
    """Of the colour that agrees least; 0 where one does not vary at all."""
    pairs = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(made, wanted, strict=True)]
    return float(torch.stack(pairs).nan_to_num(0.0).min())


def _shrunk(coder: Coder, latents: Tensor, _cells: tuple[int, int]) -> Tensor:
    """A way to decode that ends in a small picture, before it leaves the device."""
    pixels = coder(latents)
    rows, columns = pixels.shape[-2:]
    shrink = math.ceil(max(rows, columns) / SIDE)
    return F.adaptive_avg_pool2d(pixels, (max(1, rows // shrink), max(1, columns // shrink)))
