# SPDX-License-Identifier: GPL-3.0-or-later
"""Periodic noise of any frequency and stretch, and the periodic blur.

Value noise on a hashed lattice, interpolated by cubic B-splines, which are separable: a whole sum of octaves
is one matrix product, an order of magnitude faster than looking up four corners for every pixel.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.procedural.space import Space

_DENSE = 192
"""Lattices up to this many cells are interpolated by a matrix product, finer ones by their four taps."""

_UNIT_VARIANCE = np.float32(3.61)
"""1 / standard deviation of B-spline noise on uniform values in [-1, 1]: sqrt(3) / (151 / 315)."""


_PHASES = 8
"""Lattices begin at one of so many fractions of a cell, or all octaves would have a knot on the border."""


@lru_cache(maxsize=64)
def _taps(pixels: int, cells: int, phase: int) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Lattice indices and cubic B-spline weights of each pixel centre, both ``(4, pixels)``."""
    position = (np.arange(pixels) + 0.5) * (cells / pixels) + phase / _PHASES
    base = np.floor(position)
    t = position - base
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    indices = (base.astype(np.intp)[None] + np.arange(-1, 3)[:, None]) % cells
    return indices, weights.astype(np.float32)


@lru_cache(maxsize=64)
def _matrix(pixels: int, cells: int, phase: int) -> FloatArray:
    """The same interpolation as a matrix ``(pixels, cells)``."""
    indices, weights = _taps(pixels, cells, phase)
    matrix = np.zeros((pixels, cells), np.float32)
    for index, weight in zip(indices, weights, strict=True):
        np.add.at(matrix, (np.arange(pixels), index), weight)
    return matrix


def _spread_rows(lattice: FloatArray, pixels: int, phase: int) -> FloatArray:
    """Interpolate along axis 0: ``(cells, n)`` to ``(pixels, n)``."""
    cells = lattice.shape[0]
    if cells <= _DENSE:
        return _matrix(pixels, cells, phase) @ lattice
    indices, weights = _taps(pixels, cells, phase)
    out = lattice[indices[0]] * weights[0][:, None]
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        out += lattice[index] * weight[:, None]
    return out


def _add_columns(out: FloatArray, rows: FloatArray, phase: int) -> None:
    """Interpolate along axis 1 and add: ``(H, cells)`` onto ``(H, W)``, a strip at a time to stay in the cache."""
    height, pixels = out.shape
    indices, weights = _taps(pixels, rows.shape[1], phase)
    step = max(1, 65536 // pixels)
    for top in range(0, height, step):
        strip = rows[top : top + step]
        for index, weight in zip(indices, weights, strict=True):
            out[top : top + step] += strip.take(index, axis=1) * weight


def noise(
    space: Space,
    frequency: float,
    salt: str,
    octaves: int = 1,
    gain: float = 0.5,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> FloatArray:
    """Smooth periodic noise ``(H, W)``, mean near 0 and standard deviation near 1.

    ``frequency`` is the number of lattice cells per unit of the first octave; each following octave doubles it
    and scales its amplitude by ``gain``. ``stretch`` lengthens the features along x and y. Octaves finer than
    two pixels are left out, fading, and what remains keeps its amplitude, so that sizes agree.
    """
    space.pulse()
    shape = space.shape
    lefts: list[FloatArray] = []
    rights: list[FloatArray] = []
    fine: list[tuple[FloatArray, int]] = []
    total = np.sqrt(sum(gain ** (2 * k) for k in range(octaves)))
    for octave in range(octaves):
        nx, ny = space.count(frequency * 2**octave / stretch[0], frequency * 2**octave / stretch[1])
        finest = min(shape[1] / nx, shape[0] / ny)
        visible = float(np.clip((finest - 1.3) / 1.2, 0.0, 1.0))
        if visible == 0.0:
            break
        lattice = space.random(f"{salt}/{octave}", np.arange(ny)[:, None], np.arange(nx)[None, :]) * 2 - 1
        phases = (space.random(f"{salt}/{octave}/phase", np.arange(2)) * _PHASES).astype(int).tolist()
        rows = _spread_rows(
            lattice * np.float32(visible * gain**octave / total) * _UNIT_VARIANCE, shape[0], phases[1]
        )
        if nx <= _DENSE:
            lefts.append(rows)
            rights.append(_matrix(shape[1], nx, phases[0]))
        else:
            fine.append((rows, phases[0]))
    out = np.zeros(shape, np.float32)
    if lefts:
        np.matmul(np.concatenate(lefts, axis=1), np.concatenate(rights, axis=1).T, out=out)
    for rows, phase in fine:
        space.pulse()
        _add_columns(out, rows, phase)
    return out


def ridges(
    space: Space,
    frequency: float,
    salt: str,
    octaves: int = 3,
    gain: float = 0.55,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> FloatArray:
    """Sharp-crested periodic noise ``(H, W)`` in [0, 1]: 1 on a network of thin lines, falling off to both sides."""
    out = np.zeros(space.shape, np.float32)
    total = 0.0
    for octave in range(octaves):
        weight = gain**octave
        layer = noise(space, frequency * 2**octave, f"{salt}.{octave}", stretch=stretch)
        np.abs(layer, out=layer)
        layer *= np.float32(0.9)
        np.minimum(layer, 1, out=layer)
        np.subtract(1, layer, out=layer)
        out += layer * np.float32(weight)
        total += weight
    out /= np.float32(total)
    return out


def blur(field: FloatArray, sigma: float, pixel: float) -> FloatArray:
    """Periodic Gaussian blur of ``(H, W)``; ``sigma`` and ``pixel`` (one pixel's length) are in units."""
    sigma_pixels = sigma / pixel
    if sigma_pixels < 0.2:
        return field.copy()
    rows, columns = field.shape
    fy = np.exp(-2 * (np.pi * sigma_pixels * np.fft.fftfreq(rows)) ** 2).astype(np.float32)
    fx = np.exp(-2 * (np.pi * sigma_pixels * np.fft.rfftfreq(columns)) ** 2).astype(np.float32)
    spectrum = np.fft.rfft2(field)
    spectrum *= fy[:, None]
    spectrum *= fx[None, :]
    return np.fft.irfft2(spectrum, s=field.shape).astype(np.float32, copy=False)


def runoff(source: FloatArray, length: float, pixel: float) -> FloatArray:
    """What flows down from a ``source`` ``(H, W)`` and thins out over ``length`` units, periodic.

    A one-sided exponential along y: the source itself keeps its value where nothing comes from above.
    """
    rows = source.shape[0]
    fade = np.exp(-np.arange(rows, dtype=np.float64) * (pixel / length))
    reach = np.fft.rfft(fade)[:, None]
    out = np.fft.irfft(np.fft.rfft(source, axis=0) * reach, n=rows, axis=0)
    out *= 1 / max(1.0, 0.25 * length / pixel)
    return out.astype(np.float32)


def evened(score: FloatArray, space: Space, reach: float = 0.12, share: float = 0.7) -> FloatArray:
    """The score without a ``share`` of its masses larger than ``reach`` units, by which the eye finds a repeat."""
    out = blur(score, reach, space.pixel)
    out *= np.float32(-share)
    out += score
    return out
