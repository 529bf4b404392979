# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads heights out of brightness and colour, scale by scale, on the torus."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from generator.maps.joints import Joints, find_joints
from generator.material import FloatArray
from generator.resample import blur, resize

_SMALLEST = 8  # The pyramid ends here: what is wider than an eighth of the picture is light, not relief.
_EQUALISED = 0.6  # 0 keeps the picture's own balance of scales, 1 replaces it by that of a rough surface.
_MOST_GAIN = 2.0
_LIGHT = 10  # Light varies over a tenth of the picture and more.
_SLOPE_OF_SPECTRUM = 0.55  # Band amplitude grows as wavelength to this power: between sand and broken stone.
_TRUST = {0: 0.25, 1: 0.6}
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Structure:
    """What was read from a picture; every array is ``(H, W)`` float32 and periodic.

    ``height`` is in [0, 1]. ``joints`` in [0, 1] is 1 in the joints of a wall or floor and 0 everywhere when there
    are none; ``joint_width`` is by the shorter side. ``detail`` is the local contrast of the finest scales, in units
    of sRGB-encoded brightness; ``contrast`` the picture's overall contrast below the scale of shading.
    """

    luminance: FloatArray
    saturation: FloatArray
    height: FloatArray
    joints: FloatArray
    joint_width: float
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
    even = _evenly_lit(luminance)
    found = find_joints(even, saturation)
    if found is None:
        bands = _bands(even)
        joints, width = np.zeros_like(even), 0.0
        height = _to_unit(_equalised_sum(bands, even, len(bands)))
    else:
        bands = _bands(_without_joints(even, found))
        joints, width = found.mask, found.width
        height = _stones(found, bands, even)
    contrast = float(np.sqrt(sum(float(np.mean(np.square(band))) for band in bands[:5])))
    return Structure(luminance, saturation, height, joints, width, _detail(bands, even), contrast)


def _evenly_lit(luminance: FloatArray) -> FloatArray:
    """Divided by its own broad average, so that neither brightness nor contrast follows the light."""
    broad = blur(luminance, min(luminance.shape) / _LIGHT)
    return luminance * np.clip(broad.mean() / np.maximum(broad, np.float32(1e-3)), 0.5, 2.0)


def _without_joints(luminance: FloatArray, found: Joints) -> FloatArray:
    """The brightness of the stones, continued over the joints, so that their edges pass for no grain."""
    stone = np.clip(np.float32(1.0) - np.float32(1.5) * found.mask, 0, 1)
    reach = 1.5 * found.width * min(luminance.shape)
    around = blur(luminance * stone, reach) / np.maximum(blur(stone, reach), np.float32(1e-3))
    return luminance * stone + around * (np.float32(1.0) - stone)


def _stones(found: Joints, bands: list[FloatArray], luminance: FloatArray) -> FloatArray:
    """Stones with worn edges standing in their joints, and each with its own grain.

    How bright a whole stone is says nothing about its height, so that only scales below a stone's are read; and
    where a joint was recognised its brightness says nothing either: bright mortar lies as low as dark.
    """
    joint = found.width * min(luminance.shape)
    worn = blur(found.mask, max(0.5, 0.25 * joint)) * np.float32(0.75)
    worn += blur(found.mask, joint) * np.float32(0.25)
    finest = min(len(bands), max(2, int(np.log2(max(2.0 * joint, 4.0)))))
    grain = _to_unit(_equalised_sum(bands, luminance, finest)) - np.float32(0.5)
    return _to_unit(
        np.float32(1.0) - worn + np.float32(0.3) * grain * (np.float32(1.0) - np.float32(0.6) * worn)
    )


def _bands(image: FloatArray) -> list[FloatArray]:
    """What each level of the Laplacian pyramid (Burt and Adelson 1983) adds to the next coarser one."""
    levels = _pyramid(image)
    return [fine - _enlarge(coarse, fine) for fine, coarse in pairwise(levels)]


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


def _equalised_sum(bands: list[FloatArray], like: FloatArray, count: int) -> FloatArray:
    """The finest ``count`` bands, weighed towards the spectrum of a rough surface, so that no paint dominates."""
    total: FloatArray | None = None
    widest = len(bands) - 1
    for index in range(count - 1, -1, -1):
        band = bands[index]
        spread = float(np.sqrt(np.mean(np.square(band)))) + 1e-6
        # The finest scales are half noise; beyond a sixteenth of the picture there is more light than relief.
        target = (
            0.02
            * 2.0 ** (_SLOPE_OF_SPECTRUM * min(index, 2 * (widest - 0.75) - index))
            * _TRUST.get(index, 1.0)
        )
        gain = min((target / spread) ** _EQUALISED, _MOST_GAIN)
        limit = np.float32(3.0 * spread)
        part = np.tanh(band / limit) * (limit * np.float32(gain))
        total = part if total is None else _enlarge(total, band) + part
    return np.zeros_like(like) if total is None else total


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
