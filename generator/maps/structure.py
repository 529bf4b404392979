# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads heights out of brightness and colour, scale by scale, on the torus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray
from generator.resample import resize

_SMALLEST = 8  # The pyramid ends here: what is wider than an eighth of the picture is light, not relief.
_RIDGE_LEVELS = 6
_EQUALISED = 0.6  # 0 keeps the picture's own balance of scales, 1 replaces it by that of a rough surface.
_SLOPE_OF_SPECTRUM = 0.55  # Band amplitude grows as wavelength to this power: between sand and broken stone.
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Structure:
    """What was read from a picture; every array is ``(H, W)`` float32 and periodic.

    ``height`` is in [0, 1]. ``joints`` in [0, 1] is high on long thin lows such as joints and cracks. ``detail``
    is the local contrast of the finest scales, in units of sRGB-encoded brightness; ``contrast`` the picture's
    overall contrast below the scale of shading, in the same units.
    """

    luminance: FloatArray
    saturation: FloatArray
    height: FloatArray
    joints: FloatArray
    detail: FloatArray
    contrast: float


def read_structure(basecolor: FloatArray) -> Structure:
    """Height and its companions from a periodic ``(H, W, 3)`` sRGB picture in [0, 1].

    Shape from shading has no answer for one picture of unknown paint. What holds for most surfaces seen from
    above: light falls less into lows, so dark is low, the more so where it is thin; broad changes of brightness
    are light or paint; and grey lines between coloured fields are mortar, however bright they are.
    """
    luminance = basecolor @ _LUMA
    brightest = basecolor.max(axis=2)
    saturation = (brightest - basecolor.min(axis=2)) / np.maximum(brightest, np.float32(0.05))
    levels = _pyramid(luminance)
    bands = [fine - _enlarge(coarse, fine) for fine, coarse in zip(levels, levels[1:], strict=False)]
    joints = _joints(levels, _pyramid(saturation)[: len(levels)])
    relief = _equalised_sum(bands, luminance)
    # Where a joint was recognised its own brightness says nothing any more: bright mortar lies as low as dark.
    relief = _to_unit(relief) * (np.float32(1.0) - joints) - np.float32(0.35) * joints
    contrast = float(np.sqrt(sum(float(np.mean(np.square(band))) for band in bands[:5]))) if bands else 0.0
    return Structure(luminance, saturation, _to_unit(relief), joints, _detail(bands, luminance), contrast)


def _pyramid(image: FloatArray) -> list[FloatArray]:
    levels = [image]
    while min(levels[-1].shape) >= 2 * _SMALLEST:
        rows, columns = levels[-1].shape
        levels.append(resize(levels[-1], (columns + 1) // 2, (rows + 1) // 2, kernel="linear"))
    return levels


def _enlarge(image: FloatArray, like: FloatArray) -> FloatArray:
    return resize(image, like.shape[1], like.shape[0], kernel="linear")


def _to_unit(field: FloatArray) -> FloatArray:
    """Stretched so that all but the outermost half per cent fills [0.03, 0.97], softly bent beyond."""
    sample = field[:: max(1, field.shape[0] // 512), :: max(1, field.shape[1] // 512)]
    low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
    if high - low < 1e-6:
        return np.full(field.shape, 0.5, np.float32)
    centred = (field - np.float32(0.5 * (low + high))) * np.float32(1.88 / (high - low))
    # A clip that is straight to 0.9 of the half range, then saturates: no plateaus at the extremes.
    excess = np.abs(centred) - np.float32(0.9)
    over = excess > 0
    centred[over] = np.sign(centred[over]) * (np.float32(0.9) + np.float32(0.1) * np.tanh(excess[over] * 10))
    return centred * np.float32(0.5) + np.float32(0.5)


def _equalised_sum(bands: list[FloatArray], like: FloatArray) -> FloatArray:
    """The bands weighed towards the spectrum of a rough surface, each compressed so that no paint dominates."""
    total: FloatArray | None = None
    widest = len(bands) - 1
    for index in range(widest, -1, -1):
        band = bands[index]
        spread = float(np.sqrt(np.mean(np.square(band)))) + 1e-6
        # Beyond a sixteenth of the picture the weight falls again: there shading and paint take over.
        target = 0.02 * 2.0 ** (_SLOPE_OF_SPECTRUM * min(index, 2 * (widest - 0.75) - index))
        gain = min((target / spread) ** _EQUALISED, 4.0)
        limit = np.float32(3.0 * spread)
        part = np.tanh(band / limit) * (limit * np.float32(gain))
        total = part if total is None else _enlarge(total, band) + part
    return np.zeros_like(like) if total is None else total


def _joints(levels: list[FloatArray], saturation: list[FloatArray]) -> FloatArray:
    """Where a long thin low runs, in [0, 1]: dark lines, and bright ones far greyer than what they part."""
    found: FloatArray | None = None
    for index in range(min(len(levels), _RIDGE_LEVELS) - 1, -1, -1):
        valley, ridge = _lines(levels[index])
        # The line in saturation that goes with grey mortar between coloured bricks.
        greyer, _ = _lines(saturation[index])
        mortar = np.minimum(ridge, greyer)
        here = _ramp(valley, 0.03, 0.12)
        np.maximum(here, _ramp(mortar, 0.05, 0.15), out=here)
        found = here if found is None else np.maximum(_enlarge(found, here), here)
    assert found is not None  # A pyramid has one level at least.
    return found


def _lines(image: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Strength of dark and of bright lines about three pixels wide, from the Hessian's eigenvalues."""
    up, down = np.roll(image, 1, axis=0), np.roll(image, -1, axis=0)
    left, right = np.roll(image, 1, axis=1), np.roll(image, -1, axis=1)
    xx = left + right - 2 * image
    yy = up + down - 2 * image
    xy = (np.roll(up, 1, axis=1) + np.roll(down, -1, axis=1) - np.roll(up, -1, axis=1) - np.roll(down, 1, axis=1)) / 4
    mean, spread = (xx + yy) * 0.5, np.hypot((xx - yy) * 0.5, xy)
    # Curved across, straight along: the smaller curvature, of either sign, counts against a line.
    dark = np.maximum(mean + spread - 2 * np.abs(mean - spread), 0)
    bright = np.maximum(spread - mean - 2 * np.abs(mean + spread), 0)
    return dark, bright


def _ramp(field: FloatArray, low: float, high: float) -> FloatArray:
    t = np.clip((field - np.float32(low)) * np.float32(1.0 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def _detail(bands: list[FloatArray], like: FloatArray) -> FloatArray:
    """Local root mean square of the three finest bands, averaged over some sixteen pixels."""
    if len(bands) < 2:
        return np.zeros_like(like)
    energy: FloatArray | None = None
    for band in reversed(bands[:3]):
        square = np.square(band)
        energy = square if energy is None else _enlarge(energy, band) + square
    assert energy is not None
    rows, columns = max(like.shape[0] // 16, 4), max(like.shape[1] // 16, 4)
    coarse = resize(energy, columns, rows, kernel="linear")
    return np.sqrt(np.maximum(_enlarge(coarse, like), 0))
