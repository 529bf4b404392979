# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture's brightness in octaves: what is dark mostly lies low, and a network need only say where, and how much.

Telling light from dark at every size is what convolutions learn slowly and a Fourier transform gives for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Blurs between the octaves, in pixels."""

UNITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Pixels of height that an octave of brightness stands for where the network says 1."""

FAINTEST = 0.02
"""Contrast below this, in sRGB, is not amplified to full strength: it is noise."""


def lifted(fft: Any, grey: Any, lifts: Sequence[Any]) -> Any:
    """The height in pixels, ``(..., H, W)``, of brightness ``grey`` whose octaves are lifted by so much each.

    The contrast of ``grey`` is brought to one strength first; ``lifts`` are ``(..., H, W)`` each, one for each of
    `UNITS`. ``fft`` is ``numpy.fft``, or ``torch.fft`` where gradients are wanted.
    """
    grey = grey - grey.mean((-2, -1))[..., None, None]
    grey = grey / ((grey * grey).mean((-2, -1))[..., None, None] + FAINTEST**2) ** 0.5
    return sum(
        lift * octave * unit for lift, octave, unit in zip(lifts, _octaves(fft, grey), UNITS, strict=True)
    )


def _octaves(fft: Any, grey: Any) -> Iterator[Any]:
    """What each blur takes away, finest first, and what the last one leaves."""
    rows, columns = grey.shape[-2:]
    square = fft.fftfreq(rows)[:, None] ** 2 + fft.rfftfreq(columns)[None, :] ** 2
    whole = fft.rfft2(grey)
    before = whole
    for sigma in SIGMAS:
        after = whole * math.e ** (square * (-2 * (math.pi * sigma) ** 2))
        yield fft.irfft2(before - after, (rows, columns))
        before = after
    yield fft.irfft2(before, (rows, columns))
