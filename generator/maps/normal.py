# SPDX-License-Identifier: GPL-3.0-or-later
"""Height to normal and back, both exactly periodic and each other's inverse as far as differences can see."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray

_DAMPING = 1e-4


def normal_from_height(height: FloatArray, relief: float) -> FloatArray:
    """Unit normals of a periodic height field, ``(H, W, 3)`` float32, OpenGL convention (+Y towards row 0).

    ``height`` is ``(H, W)`` in [0, 1]; ``relief`` is its full range as a fraction of the shorter side. Slopes
    are central differences over neighbours fetched modulo the size.
    """
    rows, columns = height.shape
    scale = np.float32(relief * min(rows, columns) * 0.5)
    normal = np.empty((rows, columns, 3), np.float32)
    normal[..., 0] = (np.roll(height, 1, axis=1) - np.roll(height, -1, axis=1)) * scale
    # Rows grow downwards while +Y points up, hence the opposite order of the two neighbours.
    normal[..., 1] = (np.roll(height, -1, axis=0) - np.roll(height, 1, axis=0)) * scale
    normal[..., 2] = 1.0
    normal /= np.sqrt(np.einsum("hwc,hwc->hw", normal, normal))[..., None]
    return normal


def height_from_normal(normal: FloatArray, relief: float | None = None) -> tuple[FloatArray, float]:
    """The periodic height ``(H, W)`` float32 in [0, 1] that has these normals, and its relief.

    ``normal`` is ``(H, W, 3)`` as ``normal_from_height`` gives it; its length does not matter. Without ``relief``
    the height fills [0, 1] and the relief follows; a given one is kept, the height lies centred, and what it
    cannot hold is cut off.

    Least squares over all gradients by FFT (Frankot and Chellappa 1988), with the transfer function of central
    differences, i sin(w), in place of i w. Those do not see the mean, nor whatever alternates from pixel to
    pixel: such parts come back as zero, and what is nearly so is damped, lest rounded normals be amplified there.
    """
    rows, columns = normal.shape[:2]
    shorter = min(rows, columns)
    facing = np.maximum(normal[..., 2], np.float32(1e-2))
    sine_x = np.sin(2 * np.pi * np.fft.rfftfreq(columns))[None, :].astype(np.float32)
    sine_y = np.sin(2 * np.pi * np.fft.fftfreq(rows))[:, None].astype(np.float32)
    # d/dx of the height is -nx/nz; rows grow downwards while +Y points up, hence the other sign there.
    spectrum = np.fft.rfft2(normal[..., 0] / facing) * (1j * sine_x)
    spectrum -= np.fft.rfft2(normal[..., 1] / facing) * (1j * sine_y)
    spectrum /= np.maximum(sine_x**2 + sine_y**2 + _damping(rows, columns), np.float32(1e-12))
    spectrum[0, 0] = 0.0
    raised = np.fft.irfft2(spectrum, (rows, columns)).astype(np.float32)
    low, high = float(raised.min()), float(raised.max())
    if relief is None:
        if high - low < 1e-4:  # Normals of a plane, up to rounding.
            return np.full((rows, columns), 0.5, np.float32), 0.0
        return (raised - low) / np.float32(high - low), (high - low) / shorter
    if relief <= 0.0:
        return np.full((rows, columns), 0.5, np.float32), relief
    raised = (raised - np.float32(0.5 * (low + high))) / np.float32(relief * shorter)
    return np.clip(raised + np.float32(0.5), 0, 1), relief


def _damping(rows: int, columns: int) -> FloatArray:
    """Grows from nothing at the low frequencies, where heights live, to the alternating modes."""
    half_x = np.sin(np.pi * np.fft.rfftfreq(columns))[None, :] ** 4
    half_y = np.sin(np.pi * np.fft.fftfreq(rows))[:, None] ** 4
    return (_DAMPING * (half_x + half_y)).astype(np.float32)
