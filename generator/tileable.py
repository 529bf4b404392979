# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a photograph tile, keeping its size and as much of it as can be kept."""

from __future__ import annotations

import numpy as np

from generator import quilt, seams
from generator.material import FloatArray
from generator.resample import blur, resize

_BROAD = 16  # What is wider than a sixteenth of the side counts as light, and may be evened out freely.
_GRAIN = 2.0  # Pixels: the blur that takes fine grain out.
_FINE = 0.8


def make_tileable(image: FloatArray, x: bool = True, y: bool = True) -> FloatArray:
    """The picture, ``(H, W, 3)`` float32 in [0, 1], such that it tiles along the axes that are asked for.

    Axes that tile already are left alone; when all do, the picture itself comes back. The others are tried in
    two ways. *Evening* takes away the smooth part of the periodic-plus-smooth decomposition: no detail moves, but
    whatever has shapes would end in fog at the border, so that it is for fine grain alone. Else the picture is
    *cut*: the best period within it is sought, both ends are joined along the line of least difference, and the
    result is stretched to the size.

    Raises ``ValueError`` when the picture is not ``(H, W, 3)``.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"A picture of shape (H, W, 3) is needed, not {image.shape}.")
    report = seams.measure(image)
    todo = [wanted and axis.tiles is False for wanted, axis in ((x, report.x), (y, report.y))]
    if not any(todo):
        return image
    result = np.clip(np.asarray(image, np.float32), 0, 1)
    if todo[0]:
        result = _columns_joined(result, wrap_y=report.y.tiles is True)
    if todo[1]:
        turned = np.ascontiguousarray(result.swapaxes(0, 1))
        turned = _columns_joined(turned, wrap_y=todo[0] or report.x.tiles is True)
        result = np.ascontiguousarray(turned.swapaxes(0, 1))
    return result


def _columns_joined(image: FloatArray, wrap_y: bool) -> FloatArray:
    """The picture made to tile in X; ``wrap_y`` says whether it tiles in Y, which is then kept."""
    if _is_fine(image):
        evened = np.clip(image - smooth_part(image, wrap_y), 0, 1)
        if seams.measure(evened).x.tiles is not False:
            return evened
    # Uneven light goes first: no cut, however clever, can hide that one end is brighter than the other.
    return quilt.join_columns(np.clip(image - _uneven_light(image, wrap_y), 0, 1), wrap_y)


def _is_fine(image: FloatArray) -> bool:
    """Whether nearly all contrast below the scale of light is between near pixels: sand, felt, plain noise."""
    luminance = image.mean(axis=2)
    detail = luminance - blur(luminance, min(luminance.shape) / _BROAD, wrap_x=False, wrap_y=False)
    grain = detail - blur(detail, _GRAIN, wrap_x=False, wrap_y=False)
    return float(grain.std()) > _FINE * float(detail.std())


def _uneven_light(image: FloatArray, wrap_y: bool) -> FloatArray:
    """The smooth part of the picture's broadest scales alone, found on a small copy."""
    rows, columns = image.shape[:2]
    factor = min(1.0, 8 * _BROAD / columns)
    small = resize(
        image, max(2, round(columns * factor)), max(2, round(rows * factor)), False, wrap_y, "linear"
    )
    broad = blur(small, small.shape[1] / _BROAD, wrap_x=False, wrap_y=wrap_y)
    return resize(smooth_part(broad, wrap_y), columns, rows, False, wrap_y, "linear")


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
