# SPDX-License-Identifier: GPL-3.0-or-later
"""One height from slopes, which tell its fine parts, and from a coarse height, which tells its broad ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from generator.material import FloatArray

WEIGHT = 0.01
"""How much the coarse height counts beside the slopes. Both count alike in waves of 2 pi / sqrt(this) pixels: 63."""


def height_from_slopes(slope: FloatArray, coarse: FloatArray, weight: float = WEIGHT) -> FloatArray:
    """The periodic height ``(H, W)`` in pixels, of mean 0, that fits both best in the sense of least squares.

    ``slope`` is ``(2, H, W)``: a normal's x and y over its z, as `normal_from_height` has them; ``coarse`` is
    ``(H, W)`` in pixels. The screened Poisson equation (Bhat et al. 2008), solved by FFT with the transfer
    function of central differences.
    """
    spectrum = blended(np.fft, slope[0], slope[1], coarse, weight)
    return np.fft.irfft2(spectrum, coarse.shape).astype(np.float32)


def blended(fft: Any, across: Any, up: Any, coarse: Any, weight: float) -> Any:
    """The spectrum of that height; ``fft`` is ``numpy.fft``, or ``torch.fft`` where gradients are wanted."""
    rows, columns = coarse.shape[-2:]
    two_pi = 2 * np.pi
    wave_x, wave_y = fft.rfftfreq(columns)[None, :] * two_pi, fft.fftfreq(rows)[:, None] * two_pi
    sine_x, sine_y = _sine(wave_x), _sine(wave_y)
    # d/dx of the height is -nx/nz; rows grow downwards while +Y points up, hence the other sign there.
    spectrum = fft.rfft2(across) * (1j * sine_x) - fft.rfft2(up) * (1j * sine_y)
    spectrum = spectrum + weight * fft.rfft2(coarse)
    spectrum = spectrum / (sine_x**2 + sine_y**2 + weight)
    spectrum[..., 0, 0] = 0.0
    return spectrum


def _sine(waves: Any) -> Any:
    return np.sin(waves) if isinstance(waves, np.ndarray) else waves.sin()
