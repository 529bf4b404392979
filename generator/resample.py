# SPDX-License-Identifier: GPL-3.0-or-later
"""Resizing and blurring that keep a wrap: neighbours are fetched modulo the size, or clamped where nothing wraps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray

Kernel = Literal["lanczos", "linear"]

_BLOCK = (
    64  # Output samples made by one small matrix product: long enough for BLAS, short enough to stay banded.
)
_DIRECT_SIGMA = 1.0  # Up to here the FFT's band-limited Gaussian would ring, so the sampled one is summed up.
_CHUNK = 1 << 21  # Samples transformed at a time, so that the FFT's complex copies never dwarf the image.


def resize(
    image: FloatArray,
    width: int,
    height: int,
    wrap_x: bool = True,
    wrap_y: bool = True,
    kernel: Kernel = "lanczos",
    bounded: bool = True,
) -> FloatArray:
    """The image at ``height`` x ``width``, ``(h, w)`` or ``(h, w, C)`` float32 as it came, never leaving its range
    where it is to stay ``bounded``.

    Separable and anti-aliased: the kernel (Lanczos-3, or the triangle for ``"linear"``) is widened by the factor
    of a reduction. Samples sit at pixel centres. Along an axis that wraps, the result of a rolled image is the
    rolled result, whenever the roll is a whole number of pixels in both sizes.

    Raises ``ValueError`` for an empty image or an empty size.
    """
    if width < 1 or height < 1 or image.size == 0:
        raise ValueError(f"Cannot resize {image.shape} to {height} x {width}: a size must be at least 1.")
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image.astype(np.float32)
    planes = np.ascontiguousarray(np.moveaxis(np.atleast_3d(image), 2, 0), np.float32)
    low, high = float(planes.min()), float(planes.max())

    def along_y(stack: FloatArray) -> FloatArray:
        return _resample_rows(stack, height, wrap_y, kernel) if height != rows else stack

    def along_x(stack: FloatArray) -> FloatArray:
        return _resample_columns(stack, width, wrap_x, kernel) if width != columns else stack

    # The axis that shrinks more goes first: the other one then has less to do.
    steps = (along_y, along_x) if height * columns <= width * rows else (along_x, along_y)
    planes = steps[1](steps[0](planes))
    if bounded:
        np.clip(planes, low, high, out=planes)
    return planes[0] if image.ndim == 2 else np.ascontiguousarray(np.moveaxis(planes, 0, 2))


def blur(
    image: FloatArray,
    sigma: float | tuple[float, float],
    wrap_x: bool = True,
    wrap_y: bool = True,
) -> FloatArray:
    """The image convolved with a Gaussian of ``sigma`` pixels, or ``(sigma_x, sigma_y)``; shape kept, float32.

    Borders wrap, or repeat the outermost pixel where they do not wrap. ``(H, W)`` or ``(H, W, C)``.
    """
    sigma_x, sigma_y = sigma if isinstance(sigma, tuple) else (sigma, sigma)
    if image.ndim == 3:
        planes = [blur(image[..., c], (sigma_x, sigma_y), wrap_x, wrap_y) for c in range(image.shape[2])]
        return np.stack(planes, axis=2)
    result = np.asarray(image, np.float32)
    if sigma_y > 0:
        result = np.ascontiguousarray(_blur_rows(np.ascontiguousarray(result.T), sigma_y, wrap_y).T)
    if sigma_x > 0:
        result = _blur_rows(np.ascontiguousarray(result), sigma_x, wrap_x)
    return result.copy() if result is image else result


def _lanczos(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.abs(x) < 3.0, np.sinc(x) * np.sinc(x / 3.0), 0.0)


def _triangle(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.maximum(1.0 - np.abs(x), 0.0)


_KERNELS: dict[Kernel, tuple[Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], float]] = {
    "lanczos": (_lanczos, 3.0),
    "linear": (_triangle, 1.0),
}


def _taps(
    source: int, target: int, start: int, stop: int, kernel: Kernel
) -> tuple[int, npt.NDArray[np.float32]]:
    """First source index and banded weights ``(stop - start, span)`` of the output samples ``start .. stop - 1``."""
    function, support = _KERNELS[kernel]
    ratio = source / target
    scale = max(ratio, 1.0)
    centres = (np.arange(start, stop) + 0.5) * ratio - 0.5
    first = int(np.floor(centres[0] - support * scale))
    last = int(np.ceil(centres[-1] + support * scale))
    weights = function((np.arange(first, last + 1)[None, :] - centres[:, None]) / scale)
    return first, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _indices(first: int, count: int, size: int, wrap: bool) -> npt.NDArray[np.intp]:
    span = np.arange(first, first + count)
    return span % size if wrap else np.clip(span, 0, size - 1)


def _resample_rows(planes: FloatArray, target: int, wrap: bool, kernel: Kernel) -> FloatArray:
    """``(C, H, W)`` to ``(C, target, W)``, one banded matrix product per block of output rows."""
    channels, source, columns = planes.shape
    result = np.empty((channels, target, columns), np.float32)
    for start in range(0, target, _BLOCK):
        stop = min(start + _BLOCK, target)
        first, weights = _taps(source, target, start, stop, kernel)
        rows = _indices(first, weights.shape[1], source, wrap)
        result[:, start:stop] = weights @ planes[:, rows]
    return result


def _resample_columns(planes: FloatArray, target: int, wrap: bool, kernel: Kernel) -> FloatArray:
    """``(C, H, W)`` to ``(C, H, target)``, as above with the roles of rows and columns swapped."""
    channels, rows, source = planes.shape
    result = np.empty((channels, rows, target), np.float32)
    for start in range(0, target, _BLOCK):
        stop = min(start + _BLOCK, target)
        first, weights = _taps(source, target, start, stop, kernel)
        columns = _indices(first, weights.shape[1], source, wrap)
        inside = first >= 0 and first + columns.size <= source
        block = planes[:, :, first : first + columns.size] if inside else planes[:, :, columns]
        result[:, :, start:stop] = block @ weights.T
    return result


def _blur_rows(image: FloatArray, sigma: float, wrap: bool) -> FloatArray:
    """A Gaussian along the last axis of a contiguous ``(N, L)`` array."""
    length = image.shape[1]
    reach = int(np.ceil(4.0 * sigma))
    if sigma <= _DIRECT_SIGMA:
        return _blur_by_taps(image, sigma, reach, wrap)
    if wrap:
        return _blur_by_fft(image, sigma)
    # A kernel far wider than the image sees two constants, in equal parts; the cap only bounds the memory then.
    pad = min(reach, 4 * length)
    padded = image[:, _indices(-pad, length + 2 * pad, length, wrap=False)]
    return np.ascontiguousarray(_blur_by_fft(padded, sigma)[:, pad : pad + length])


def _blur_by_taps(image: FloatArray, sigma: float, reach: int, wrap: bool) -> FloatArray:
    length = image.shape[1]
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    result = np.empty_like(image)
    index = _indices(-reach, length + 2 * reach, length, wrap)
    band = max(1, (1 << 16) // length)  # A band of rows that stays in the cache over all taps.
    scratch = np.empty((band, length), np.float32)
    for top in range(0, image.shape[0], band):
        padded = image[top : top + band, index]
        out, temporary = result[top : top + band], scratch[: padded.shape[0]]
        np.multiply(padded[:, reach : reach + length], weights[reach], out=out)
        for tap in range(reach):
            mirrored = 2 * reach - tap
            np.add(padded[:, tap : tap + length], padded[:, mirrored : mirrored + length], out=temporary)
            temporary *= weights[tap]
            out += temporary
    return result


def _blur_by_fft(image: FloatArray, sigma: float) -> FloatArray:
    length = image.shape[1]
    # The continuous Gaussian's spectrum: for these sigmas the sampled kernel's differs by less than float32 holds.
    gain = np.exp(-2.0 * (np.pi * sigma * np.fft.rfftfreq(length)) ** 2).astype(np.float32)
    result = np.empty_like(image)
    band = max(1, _CHUNK // length)
    for top in range(0, image.shape[0], band):
        spectrum = np.fft.rfft(image[top : top + band], axis=1)
        spectrum *= gain
        result[top : top + band] = np.fft.irfft(spectrum, length, axis=1)
    return result
