# SPDX-License-Identifier: GPL-3.0-or-later
"""Uneven light in a photograph: what keeps its ends from agreeing although the surface would."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.resample import blur, resize

_BROAD = 16  # What is wider than a sixteenth of the side counts as light, and may be evened out freely.
_LEAST = 0.05  # Fall-off of the light, as a share of the mean, that is worth a correction.
_SMOOTH = 0.75  # Share of the broad variation that a bowl or a slope must explain to pass for light.
_CELLS = 12  # The picture is reduced to so many squares on its shorter side to find its light.
_STRONGEST = 4.0  # No pixel is made brighter or darker by more than this factor.


def grey(image: FloatArray) -> FloatArray:
    """The mean of the colours of ``(H, W, C)``; written out, since NumPy is slow at means over so short an axis."""
    return np.float32(1 / 3) * (image[..., 0] + image[..., 1] + image[..., 2])


def smooth_part(image: FloatArray, wrap_y: bool) -> FloatArray:
    """What keeps ``(H, W, C)`` from being periodic in X: subtract it, and the border jumps no more.

    The smooth component of Moisan's decomposition (Periodic plus smooth image decomposition, JMIV 2011): the
    solution of Poisson's equation whose right-hand side is the jump at the border, here at that of one axis alone.
    Along Y the picture is taken as periodic, or as mirrored where it does not wrap.
    """
    rows, columns = image.shape[:2]
    if columns < 2:
        return np.zeros_like(image)
    result = np.empty(image.shape, np.float32)
    period = rows if wrap_y else 2 * rows
    waves = 2 * np.cos(2 * np.pi * np.arange(columns) / columns)[None, :]
    waves = waves + 2 * np.cos(2 * np.pi * np.fft.rfftfreq(period))[:, None] - 4
    waves[0, 0] = 1.0
    # Of the right-hand side only two columns differ from zero: its spectrum along X is known beforehand.
    ends = 1 - np.exp(2j * np.pi * np.arange(columns) / columns)
    for channel in range(image.shape[2]):
        jump = image[:, -1, channel] - image[:, 0, channel]
        if not wrap_y:
            jump = np.concatenate((jump, jump[::-1]))
        spectrum = np.fft.rfft(jump)[:, None] * ends[None, :] / waves
        spectrum[0, 0] = 0.0
        result[..., channel] = np.fft.irfft(np.fft.ifft(spectrum, axis=1), period, axis=0)[:rows]
    return result


def broad_jump(image: FloatArray, wrap_y: bool) -> FloatArray:
    """The smooth part of the picture's broadest scales alone, ``(H, W, C)``, found on a small copy."""
    rows, columns = image.shape[:2]
    factor = min(1.0, 8 * _BROAD / columns)
    small = resize(
        image, max(2, round(columns * factor)), max(2, round(rows * factor)), False, wrap_y, "linear"
    )
    broad = blur(small, small.shape[1] / _BROAD, wrap_x=False, wrap_y=wrap_y)
    return resize(smooth_part(broad, wrap_y), columns, rows, False, wrap_y, "linear")


def fall_off(image: FloatArray, along_x: bool = True, along_y: bool = True) -> FloatArray | None:
    """By what to multiply ``(H, W, C)`` for even light, ``(H, W, 1)``; None where the light is even enough.

    Light falls off as a slope or a bowl: a quadratic in the place is fitted to the logarithm of the broad luminance,
    and believed where it explains nearly all of it. A picture that is uneven by itself, a wall with one dark corner
    of moss, is not explained by so simple a form, and is left as it is.
    """
    rows, columns = image.shape[:2]
    scale = _CELLS / min(rows, columns)
    width, height = (min(size, 8 * _CELLS, max(3, round(size * scale))) for size in (columns, rows))
    small = resize(grey(image), width, height, False, False, "linear")
    level = np.log(np.maximum(small, np.float32(0.01))).astype(np.float64)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = [np.ones_like(x)]
    terms += [x, x * x] if along_x else []
    terms += [y, y * y] if along_y else []
    terms += [x * y] if along_x and along_y else []
    basis = np.stack([term.ravel() for term in terms], axis=1)
    weights = np.linalg.lstsq(basis, level.ravel(), rcond=None)[0]
    fitted = (basis @ weights).reshape(level.shape)
    spread = float(level.var())
    if np.ptp(fitted) < _LEAST or spread <= 0 or float(fitted.var()) < _SMOOTH * spread:
        return None
    gain = np.exp(np.clip(np.log(small.mean()) - fitted, -np.log(_STRONGEST), np.log(_STRONGEST)))
    return resize(gain.astype(np.float32), columns, rows, False, False, "linear")[..., None]
