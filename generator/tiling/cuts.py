# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of least difference between two pictures that lie over each other (Efros and Freeman 2001)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray

Costs = npt.NDArray[np.float32]
Path = npt.NDArray[np.intp]

WALL = np.float32(1e3)
"""A cost that no path takes upon itself unless there is no other way."""


def cheapest_path(costs: Costs, closed: bool) -> tuple[Costs, Path]:
    """Top to bottom through ``(N, H, W)`` by dynamic programming: totals ``(N,)`` and columns ``(N, H)``.

    A path moves by at most one column per row. With ``closed`` each path ends where it started: it is first led
    twice around, and the column through which it passes half-way is then made its start and its end.
    """
    if not closed:
        return _descend(costs)
    middle = _descend(np.concatenate((costs, costs), axis=1))[1][:, costs.shape[1]]
    fixed = costs.copy()
    barrier = np.abs(np.arange(costs.shape[2])[None, :] - middle[:, None]) > 1
    for row in (0, -1):
        fixed[:, row][barrier] = WALL
    return _descend(fixed)


def _descend(costs: Costs) -> tuple[Costs, Path]:
    layers, rows, columns = costs.shape
    # A column of walls on either side, so that each step is two minima over shifted views.
    totals = np.full((rows, layers, columns + 2), np.float32(np.inf))
    totals[0, :, 1:-1] = costs[:, 0]
    for row in range(1, rows):
        above, below = totals[row - 1], totals[row, :, 1:-1]
        np.minimum(above[:, :-2], above[:, 1:-1], out=below)
        np.minimum(below, above[:, 2:], out=below)
        below += costs[:, row]
    path = np.empty((layers, rows), np.intp)
    path[:, -1] = totals[-1].argmin(axis=1) - 1
    which = np.arange(layers)[:, None]
    for row in range(rows - 1, 0, -1):
        near = path[:, row, None] + np.arange(3)[None, :]
        path[:, row - 1] = path[:, row] - 1 + totals[row - 1, which, near].argmin(axis=1)
    return totals[-1].min(axis=1), path


class Loop:
    """Closed lines around a centre, between two radii: the polar grid on which they are sought.

    A window of ``(2 * outer + 1)`` squared pixels has its centre in its middle. Directions are samples of about a
    pixel each at the outer circle, radii are whole pixels.
    """

    def __init__(self, inner: int, outer: int) -> None:
        self.inner, self.outer = inner, outer
        directions = max(16, round(np.pi * (inner + outer)))
        angles = 2 * np.pi * np.arange(directions) / directions
        radii = np.arange(inner, outer + 1)
        self._rows = np.rint(outer + radii[None, :] * np.sin(angles)[:, None]).astype(np.intp)
        self._columns = np.rint(outer + radii[None, :] * np.cos(angles)[:, None]).astype(np.intp)
        y, x = np.mgrid[-outer : outer + 1, -outer : outer + 1].astype(np.float32)
        self.distance: FloatArray = np.hypot(y, x)
        turn = np.arctan2(y, x) / (2 * np.pi) % 1.0 * directions
        self._before = np.floor(turn).astype(np.intp) % directions
        self._after = (self._before + 1) % directions
        self._share = (turn - np.floor(turn)).astype(np.float32)

    def cheapest(self, costs: Costs) -> tuple[int, Path]:
        """Through ``(N, S, S)`` windows: which has the cheapest line, and its radii ``(directions,)``."""
        polar = np.ascontiguousarray(costs[:, self._rows, self._columns])
        # Whether a line also closes makes little difference to what it costs.
        chosen = int(cheapest_path(polar, closed=False)[0].argmin()) if len(polar) > 1 else 0
        path = cheapest_path(polar[chosen : chosen + 1], closed=True)[1]
        return chosen, path[0] + self.inner

    def inside(self, radii: Path, feather: float) -> FloatArray:
        """1 within a line and 0 beyond it, ``(S, S)``, with a rim of ``2 * feather`` pixels."""
        edge = radii.astype(np.float32)
        limit = edge[self._before] * (1 - self._share) + edge[self._after] * self._share
        return np.clip((limit - self.distance) / np.float32(2 * feather) + np.float32(0.5), 0, 1)
