# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins both ends of a picture along the line of least difference (image quilting, Efros and Freeman 2001)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.resample import resize

_SHORTEST = 0.66  # A period shorter than this share of the picture would throw too much of it away.
_LEAST_OVERLAP = 0.06
_SEARCH = 192  # Columns of the copy on which periods are compared.
_PRICE = 0.7  # What losing all of the picture would cost, where 1 is a cut through unrelated pixels.
_FEATHER = 1.5  # Pixels: as soft as a drawn edge, no softer, or fine grain would fade along the cut.
Costs = npt.NDArray[np.float32]
Path = npt.NDArray[np.intp]


def join_columns(image: FloatArray, wrap_y: bool) -> FloatArray:
    """``(H, W, C)`` that tiles in X, of the size that came; ``wrap_y`` closes the cut where the picture wraps in Y.

    The picture is cropped to the period that fits it best (whole bricks, when there are bricks), what was beyond is
    laid over the other end up to the cut, and the result is stretched back to the full width.
    """
    columns = image.shape[1]
    period = _best_period(image, wrap_y)
    overlap = columns - period
    leaving, arriving = image[:, period:], image[:, :overlap]
    path = _cheapest_path(_difference(leaving, arriving)[None], wrap_y)[1][0]
    # Left of the cut what follows the right end, right of it the picture's own beginning.
    share = np.clip((np.arange(overlap)[None, :] - path[:, None]) / (2 * _FEATHER) + 0.5, 0, 1)
    share[:, 0], share[:, -1] = 0.0, 1.0
    joined = image[:, :period].copy()
    joined[:, :overlap] = leaving + (arriving - leaving) * share[..., None].astype(np.float32)
    return resize(joined, columns, image.shape[0], wrap_x=True, wrap_y=wrap_y)


def _best_period(image: FloatArray, wrap_y: bool) -> int:
    """The width in pixels at which both ends can be joined best, weighed against what is lost."""
    rows, columns = image.shape[:2]
    factor = min(1.0, _SEARCH / columns)
    small = resize(image, max(8, round(columns * factor)), max(8, round(rows * factor)), False, wrap_y)
    coarse = _ranked(
        small, range(int(_SHORTEST * small.shape[1]), int((1 - _LEAST_OVERLAP) * small.shape[1])), wrap_y
    )
    scale = columns / small.shape[1]
    if scale <= 1.0:
        return coarse
    reach = int(np.ceil(scale))
    middle = round(coarse * scale)
    lowest, highest = int(_SHORTEST * columns), int((1 - 0.5 * _LEAST_OVERLAP) * columns)
    candidates = [p for p in range(middle - reach, middle + reach + 1) if lowest <= p <= highest]
    # Some hundred rows say as well as all which pixel fits best.
    sample = image[:: max(1, rows // 128)]
    errors = [float(_difference(sample[:, p:], sample[:, : columns - p]).mean()) for p in candidates]
    return candidates[int(np.argmin(errors))]


def _ranked(image: FloatArray, periods: range, wrap_y: bool) -> int:
    """The period with the cheapest cut, all cut at once: overlaps are laid right-aligned into one stack."""
    columns = image.shape[1]
    widest = columns - periods[0]
    stack = np.full((len(periods), image.shape[0], widest), np.float32(1e3))
    unrelated = float(_difference(image, np.roll(image, columns // 3, axis=1)).mean()) + 1e-6
    whole = np.empty(len(periods))
    for index, period in enumerate(periods):
        overlap = columns - period
        stack[index, :, widest - overlap :] = _difference(image[:, period:], image[:, :overlap])
        whole[index] = stack[index, :, widest - overlap :].mean()
    # A cut through plain colour is cheap wherever the joints lie: only a whole overlap that fits shows a period.
    totals = 0.5 * (_cheapest_path(stack, closed=False)[0] / image.shape[0] + whole) / unrelated
    lost = 1.0 - np.array(periods) / columns
    return periods[int(np.argmin(totals + _PRICE * lost))]


def _difference(a: FloatArray, b: FloatArray) -> Costs:
    return np.abs(a - b).mean(axis=2)


def _cheapest_path(costs: Costs, closed: bool) -> tuple[Costs, Path]:
    """Top to bottom through ``(N, H, W)`` by dynamic programming: totals ``(N,)`` and columns ``(N, H)``.

    With ``closed`` each path ends where it started: it is first led twice around, and the column through which
    it passes half-way is then made its start and its end.
    """
    if not closed:
        return _descend(costs)
    middle = _descend(np.concatenate((costs, costs), axis=1))[1][:, costs.shape[1]]
    fixed = costs.copy()
    barrier = np.abs(np.arange(costs.shape[2])[None, :] - middle[:, None]) > 1
    for row in (0, -1):
        fixed[:, row][barrier] = 1e3
    return _descend(fixed)


def _descend(costs: Costs) -> tuple[Costs, Path]:
    layers, rows, columns = costs.shape
    came_from = np.empty((rows, layers, columns), np.int8)
    total = costs[:, 0].copy()
    for row in range(1, rows):
        padded = np.pad(total, ((0, 0), (1, 1)), constant_values=np.float32(np.inf))
        options = np.stack((padded[:, :-2], padded[:, 1:-1], padded[:, 2:]))
        step = options.argmin(axis=0)
        came_from[row] = step - 1
        total = np.take_along_axis(options, step[None], axis=0)[0] + costs[:, row]
    path = np.empty((layers, rows), np.intp)
    path[:, -1] = total.argmin(axis=1)
    which = np.arange(layers)
    for row in range(rows - 1, 0, -1):
        path[:, row - 1] = path[:, row] + came_from[row, which, path[:, row]]
    return total.min(axis=1), path
