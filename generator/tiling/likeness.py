# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a tiling picture still looks like the photograph it was made from, where both ends meet.

Every small window across the border should look like some window of the photograph. Fog, ghosts, broken bricks and
visible cuts do not; the idea is that of texture optimisation (Kwatra et al. 2005) and of bidirectional similarity
(Simakov et al. 2008), here as a measure alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray
from generator.resample import resize
from generator.tiling.light import grey as grey_of

_SIDES = (200, 100, 50)  # The scales that are compared: copies of so many pixels squared.
_WINDOW = 8
_COMPONENTS = 24
_MOST = 5000  # Windows of the photograph that are looked at.
_PROBES = 600


@dataclass(frozen=True)
class Likeness:
    """Each is 0 when nothing is to be seen.

    ``strange``
        How much further the windows across the border are from the photograph's windows than those are from each
        other; 1 is as far as two windows picked by chance. Mean over all and over the worst tenth, and over scales.
    ``faded``
        Loss of fine contrast along the flattest quarter of a border, as a logarithm, beyond what the photograph has.
    ``colours``
        Distance between both pictures' colour distributions, in units of full range.
    """

    strange: float
    faded: float
    colours: float

    @property
    def total(self) -> float:
        """All of them in one figure."""
        return self.strange + 0.3 * self.faded + self.colours


class Judge:
    """Compares pictures ``(H, W, C)`` with a photo of the same size that was made to tile along the axes named.

    Either side must have 8 pixels or more.
    """

    def __init__(self, photo: FloatArray, x: bool = True, y: bool = True) -> None:
        self._photo, self._x, self._y = photo, x, y
        rows, columns = photo.shape[:2]
        self._sizes: list[tuple[int, int]] = []
        for side in _SIDES:
            factor = min(1.0, side / (rows * columns) ** 0.5)
            width, height = (max(4, round(size * factor)) for size in (columns, rows))
            if min(width, height) >= 2 * _WINDOW and (width, height) not in self._sizes:
                self._sizes.append((width, height))
        self._known = [
            _Known(resize(photo, size[0], size[1], False, False, "linear")) for size in self._sizes
        ]

    def compare(self, result: FloatArray) -> Likeness:
        """How much ``result`` looks like the photo."""
        strange = []
        for size, known in zip(self._sizes, self._known, strict=True):
            small = resize(result, size[0], size[1], self._x, self._y, "linear")
            strange.append(known.strange(_bands(small, self._x, self._y)))
        return Likeness(
            strange=float(np.mean(strange)) if strange else 0.0,
            faded=_faded(self._photo, result, self._x, self._y),
            colours=_colours(self._photo, result),
        )


class _Known:
    """The windows of a photo at one scale, reduced to their principal components."""

    def __init__(self, own: FloatArray) -> None:
        rows, columns = own.shape[:2]
        self._step = max(1, int(np.ceil((rows * columns / _MOST) ** 0.5)))
        windows, places = _windows(own, self._step)
        self._mean = windows.mean(axis=0)
        windows = windows - self._mean
        self._axes = np.linalg.eigh(windows.T @ windows)[1][:, -_COMPONENTS:]
        self._windows = windows @ self._axes
        power = float((self._windows**2).sum(axis=1).mean())
        self._scale = (2 * power) ** 0.5 + 0.01 * self._windows.shape[1] ** 0.5
        picked = np.linspace(0, len(places) - 1, min(_PROBES, len(places))).astype(int)
        rows_near, columns_near = (
            np.abs(places[picked, axis][:, None] - places[None, :, axis]) < _WINDOW for axis in (0, 1)
        )
        self._usual = float(np.median(self._nearest(self._windows[picked], rows_near & columns_near)))

    def strange(self, bands: list[FloatArray]) -> float:
        """How far the windows in some strips are from the photo's, beyond what is usual among those."""
        asked = np.concatenate([_windows(band, self._step)[0] for band in bands])
        found = np.sort(np.maximum(self._nearest((asked - self._mean) @ self._axes) - self._usual, 0))
        worst = found[-max(1, len(found) // 10) :]
        return float(found.mean() + worst.mean()) / (2 * self._scale)

    def _nearest(self, asked: FloatArray, barred: FloatArray | None = None) -> FloatArray:
        """Distance of each row of ``asked`` to the nearest window that is not ``barred``, ``(asked, known)``."""
        squares = (self._windows**2).sum(axis=1)
        result = np.empty(len(asked), np.float32)
        for start in range(0, len(asked), 256):
            part = asked[start : start + 256]
            distances = squares[None, :] - 2 * (part @ self._windows.T)
            if barred is not None:
                distances[barred[start : start + 256]] = np.inf
            result[start : start + 256] = distances.min(axis=1) + (part**2).sum(axis=1)
        result[~np.isfinite(result)] = 0  # nothing is left to compare with
        return np.sqrt(np.maximum(result, 0))


def _bands(image: FloatArray, x: bool, y: bool) -> list[FloatArray]:
    """The strips across the border in which each window sees both ends."""
    reach = _WINDOW - 1
    bands = []
    if y:
        rows = np.arange(-reach, reach) % image.shape[0]
        columns = np.arange(-reach if x else 0, image.shape[1]) % image.shape[1]
        bands.append(image[np.ix_(rows, columns)])
    if x:
        columns = np.arange(-reach, reach) % image.shape[1]
        bands.append(image[:, columns])
    return bands


def _windows(image: FloatArray, step: int) -> tuple[FloatArray, FloatArray]:
    """Square windows of ``(H, W, C)`` on a grid, ``(N, 64 * C)``, and where they are, ``(N, 2)``."""
    views = np.lib.stride_tricks.sliding_window_view(image, (_WINDOW, _WINDOW), axis=(0, 1))
    views = views[::step, ::step]
    places = np.stack(np.meshgrid(*(step * np.arange(n) for n in views.shape[:2]), indexing="ij"), axis=-1)
    return np.ascontiguousarray(views).reshape(places.size // 2, -1), places.reshape(-1, 2)


def _faded(photo: FloatArray, result: FloatArray, x: bool, y: bool) -> float:
    """How much flatter the flatter parts of a border are than those of any other line through the photograph."""
    own, new = (np.log(_contrasts(image, border) + 0.004) for image, border in ((photo, 0), (result, 1)))
    return max(
        float(_flattest(own.T).min() - _flattest(new[:, :1].T)[0]) if x else 0.0,
        float(_flattest(own).min() - _flattest(new[:1])[0]) if y else 0.0,
        0.0,
    )


def _flattest(lines: FloatArray) -> FloatArray:
    """The mean over the lowest quarter of each row of ``(N, L)``."""
    return np.sort(lines, axis=1)[:, : max(1, lines.shape[1] // 4)].mean(axis=1)


def _contrasts(image: FloatArray, border: int) -> FloatArray:
    """Mean difference between neighbours in square cells; with ``border`` the first row and column straddle it."""
    grey = grey_of(image)
    side = int(np.clip(min(grey.shape) // 24, 4, 64))
    if border:
        grey = np.roll(grey, (side // 2, side // 2), axis=(0, 1))
    jumps = np.abs(np.diff(grey, axis=1))[:-1] + np.abs(np.diff(grey, axis=0))[:, :-1]
    rows, columns = (size // side for size in jumps.shape)
    return jumps[: rows * side, : columns * side].reshape(rows, side, columns, side).mean(axis=(1, 3))


def _colours(photo: FloatArray, result: FloatArray) -> float:
    """Mean distance between the sorted values of each channel (the first Wasserstein distance)."""
    quantiles = np.linspace(0.02, 0.98, 25)
    step = max(1, int((photo.shape[0] * photo.shape[1] / 1e6) ** 0.5))
    a, b = (
        np.quantile(image[::step, ::step].reshape(-1, image.shape[2]), quantiles, axis=0)
        for image in (photo, result)
    )
    return float(np.abs(a - b).mean())
