# SPDX-License-Identifier: GPL-3.0-or-later
"""Voronoi cells of a jittered grid on the torus: nearest points, cell numbers, distance to the border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.procedural.space import IntArray, Space

_MARGIN = 3
_NEIGHBOURS = 12


@dataclass(frozen=True)
class Cells:
    """What is known of each pixel's cell; lengths in units, all ``(H, W)``.

    ``index`` numbers the cell, ``beyond`` the cell across the nearest border; ``near`` is the distance to the
    cell's point (F1), ``edge`` the distance to the cell's border; ``u``, ``v`` lead from the point to the pixel.
    """

    index: IntArray
    beyond: IntArray
    near: FloatArray
    edge: FloatArray
    u: FloatArray
    v: FloatArray
    count: int
    size: float


@dataclass(frozen=True)
class _Lattice:
    """The points with a margin of their own copies all round, and each cell's bisectors towards its neighbours."""

    nx: int
    ny: int
    stride: int
    step: tuple[np.float32, np.float32]
    px: FloatArray
    py: FloatArray
    number: IntArray
    normal_x: FloatArray
    normal_y: FloatArray
    half: FloatArray
    towards: IntArray


def _lattice(
    space: Space, per_unit: float, salt: str, jitter: float, stretch: tuple[float, float]
) -> _Lattice:
    nx, ny = space.count(per_unit / stretch[0], per_unit / stretch[1])
    across, down = (length / factor for length, factor in zip(space.extent, stretch, strict=True))
    step = np.float32(across / nx), np.float32(down / ny)
    iy, ix = np.mgrid[-_MARGIN : ny + _MARGIN, -_MARGIN : nx + _MARGIN]
    number = (iy % ny) * nx + ix % nx
    px = (ix + 0.5 + jitter * (space.random(f"{salt}/x", number) - 0.5)) * step[0]
    py = (iy + 0.5 + jitter * (space.random(f"{salt}/y", number) - 0.5)) * step[1]
    inner = slice(_MARGIN, -_MARGIN)
    offsets = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]

    def moved(table: npt.NDArray[np.generic], dy: int, dx: int) -> npt.NDArray[np.generic]:
        return table[_MARGIN + dy : _MARGIN + dy + ny, _MARGIN + dx : _MARGIN + dx + nx].ravel()

    ahead_x = np.stack([moved(px, *o) for o in offsets]) - px[inner, inner].ravel()
    ahead_y = np.stack([moved(py, *o) for o in offsets]) - py[inner, inner].ravel()
    towards = np.stack([moved(number, *o) for o in offsets])
    length = np.hypot(ahead_x, ahead_y)
    order = np.argsort(length, axis=0, kind="stable")[:_NEIGHBOURS]
    length = np.take_along_axis(length, order, 0)
    return _Lattice(
        nx, ny, nx + 2 * _MARGIN, step,
        px.astype(np.float32).ravel(), py.astype(np.float32).ravel(), number.astype(np.int32).ravel(),
        (np.take_along_axis(ahead_x, order, 0) / length).astype(np.float32),
        (np.take_along_axis(ahead_y, order, 0) / length).astype(np.float32),
        (length / 2).astype(np.float32),
        np.take_along_axis(towards, order, 0).astype(np.int32),
    )  # fmt: skip


def voronoi(
    space: Space,
    per_unit: float,
    salt: str,
    jitter: float = 0.85,
    warp: tuple[FloatArray, FloatArray] | None = None,
    rounding: float = 0.0,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Cells:
    """Cells at about ``per_unit`` points per unit and axis; ``jitter`` in [0, 0.9] moves them off the grid.

    ``warp`` (two ``(H, W)`` arrays in units) displaces the pixels before the search. ``rounding`` in units makes
    ``edge`` a soft minimum over the borders, so that level sets have round corners, as worn stones do.
    ``stretch`` lengthens the cells along x and y; ``near`` and ``edge`` are then measured in the unstretched cell.
    """
    table = _lattice(space, per_unit, salt, jitter, stretch)
    shape = space.shape
    # A grid line on the border would gather the cells' borders there.
    begin = [np.float32(space.pick(f"{salt}/begin-{axis}")) for axis in "xy"]
    index, beyond = np.empty(shape, np.int32), np.empty(shape, np.int32)
    near, edge = np.empty(shape, np.float32), np.empty(shape, np.float32)
    u, v = np.empty(shape, np.float32), np.empty(shape, np.float32)
    strip = max(1, 49152 // shape[1])
    for top in range(0, shape[0], strip):
        space.pulse()
        rows = slice(top, min(top + strip, shape[0]))
        full = (rows.stop - rows.start, shape[1])
        x = np.broadcast_to(space.x + begin[0], full) + (warp[0][rows] if warp else 0)
        y = np.broadcast_to(space.y[rows] + begin[1], full) + (warp[1][rows] if warp else 0)
        x *= np.float32(1 / stretch[0])
        y *= np.float32(1 / stretch[1])
        _nearest(table, x, y, (index[rows], near[rows], u[rows], v[rows]))
        _border(table, index[rows], u[rows], v[rows], rounding, edge[rows], beyond[rows])
        u[rows] *= np.float32(stretch[0])
        v[rows] *= np.float32(stretch[1])
    return Cells(index, beyond, near, edge, u, v, table.nx * table.ny, float(max(table.step)))


def _nearest(
    table: _Lattice, x: FloatArray, y: FloatArray, out: tuple[IntArray, FloatArray, FloatArray, FloatArray]
) -> None:
    index, near, u, v = out
    cx, cy = np.floor(x / table.step[0]).astype(np.int32), np.floor(y / table.step[1]).astype(np.int32)
    wx, wy = cx % table.nx, cy % table.ny
    x = x - (cx - wx).astype(np.float32) * table.step[0]
    y = y - (cy - wy).astype(np.float32) * table.step[1]
    base = ((wy + _MARGIN) * table.stride + wx + _MARGIN).astype(np.intp)
    best = base.copy()
    nearest = np.full(x.shape, np.inf, np.float32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            at = base + (dy * table.stride + dx)
            distance = np.square(table.px.take(at) - x)
            distance += np.square(table.py.take(at) - y)
            closer = distance < nearest
            np.copyto(best, at, where=closer)
            np.minimum(nearest, distance, out=nearest)
    index[...] = table.number.take(best)
    near[...] = np.sqrt(nearest)
    u[...] = x - table.px.take(best)
    v[...] = y - table.py.take(best)


def _border(
    table: _Lattice, index: IntArray, u: FloatArray, v: FloatArray, rounding: float,
    edge: FloatArray, beyond: IntArray,
) -> None:  # fmt: skip
    edge.fill(np.inf)
    softened = np.zeros(u.shape, np.float32)
    sharpness = np.float32(1.0 / rounding) if rounding else np.float32(0)
    for k in range(len(table.half)):
        distance = table.half[k].take(index)
        distance -= table.normal_x[k].take(index) * u
        distance -= table.normal_y[k].take(index) * v
        closer = distance < edge
        np.copyto(beyond, table.towards[k].take(index), where=closer)
        np.minimum(edge, distance, out=edge)
        if rounding:
            distance *= -sharpness
            softened += np.exp(distance, out=distance)
    if rounding:
        # The soft minimum lies below the hard one; at a straight border the two agree to first order.
        edge[...] = np.log(softened) * np.float32(-rounding)
