# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a picture can be made to tile: each is tried on a small copy, and the best one done in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from generator.material import FloatArray
from generator.resample import resize
from generator.tiling import light, patches, period
from generator.tiling.patches import Piece, Wraps

Method = Literal["none", "evened", "patched", "cut", "cut and patched"]
Check = Callable[[], None]

_RADII = (0.1, 0.16)  # Of a piece, as a share of the shorter side of the picture.
_LEAST_RADIUS = 6  # Pixels of the small copy: less shows no structure that could be continued.
_MOST_PIECES = 120
_VEIL = np.float32(0.03)
_SHORTEST_SIDE = 24  # Pixels: less than this can be evened alone.


@dataclass(frozen=True)
class Task:
    """Along which axes the result shall newly tile (``asked``), and along which the picture did before (``kept``)."""

    asked: Wraps
    kept: Wraps

    @property
    def result(self) -> Wraps:
        """Along which axes the result wraps."""
        return Wraps(self.asked.x or self.kept.x, self.asked.y or self.kept.y)


@dataclass(frozen=True)
class Way:
    """One way, as it was found on a small copy: shares of the sides that are kept, and pieces laid over the border.

    ``copy`` is that copy's size, ``(rows, columns)``, on which the pieces are placed.
    """

    method: Method
    columns: float = 1.0
    rows: float = 1.0
    off_beat: float = 0.0
    pieces: tuple[Piece, ...] = ()
    copy: tuple[int, int] = (0, 0)

    @property
    def stretch(self) -> tuple[float, float]:
        """By which factors the picture is stretched in X and in Y."""
        return 1 / self.columns, 1 / self.rows


def find(photo: FloatArray, small: FloatArray, task: Task, check: Check) -> list[tuple[Way, FloatArray]]:
    """All ways that are open to a photo ``(H, W, C)``, each with what it makes of the ``small`` copy."""
    rhythms = period.rhythm(photo), period.rhythm(np.ascontiguousarray(photo.swapaxes(0, 1)))
    whole = period.off_beat((1.0, 1.0), task.asked, rhythms)
    even = Way("evened", off_beat=whole)
    ways = [(even, evened(small, task))]
    if min(small.shape[:2]) < _SHORTEST_SIDE:
        return ways
    check()
    base = without_jump(small, task)
    ways += _patched(Way("patched", off_beat=whole), base, task, _RADII, check)
    for overlap in (True, False):
        check()
        found = period.best_periods(photo, task.asked, task.kept, rhythms, overlap)
        way = Way("cut", found.columns / photo.shape[1], found.rows / photo.shape[0], off_beat=found.off_beat)
        if overlap:
            ways.append((way, cut(base, way, task, check)))
        elif max(way.stretch) > 1.03 and (rhythms[0] or rhythms[1]):
            cropped = _cropped(base, way, task)
            ways += _patched(replace(way, method="cut and patched"), cropped, task, _RADII[:1], check)
    return ways


def carry_out(way: Way, photo: FloatArray, task: Task, check: Check) -> FloatArray:
    """Does to a photo of any size what was found on its small copy; same shape, in [0, 1]."""
    if way.method == "evened":
        return evened(photo, task)
    base = without_jump(photo, task)
    check()
    if way.method == "cut":
        return cut(base, way, task, check)
    if way.method == "cut and patched":
        base = _cropped(base, way, task)
    scale = base.shape[0] / way.copy[0], base.shape[1] / way.copy[1]
    return patches.cover_large(base, task.kept, task.result, way.pieces, scale, check)


def evened(photo: FloatArray, task: Task) -> FloatArray:
    """Takes away the smooth part of the periodic-plus-smooth decomposition: no detail moves."""
    result = photo
    if task.asked.x:
        result = np.clip(result - light.smooth_part(result, task.kept.y), 0, 1)
    if task.asked.y:
        turned = np.ascontiguousarray(result.swapaxes(0, 1))
        turned = np.clip(turned - light.smooth_part(turned, task.result.x), 0, 1)
        result = np.ascontiguousarray(turned.swapaxes(0, 1))
    return result


def without_jump(photo: FloatArray, task: Task) -> FloatArray:
    """The same for the broadest scales alone: no cut, however clever, can hide that one end is brighter.

    Only a little: a jump that is larger is of the things in the picture, and would end in a veil over them.
    """
    result = photo
    if task.asked.x:
        jump = np.clip(light.broad_jump(result, task.kept.y), -_VEIL, _VEIL)
        result = np.clip(result - jump, 0, 1)
    if task.asked.y:
        turned = np.ascontiguousarray(result.swapaxes(0, 1))
        jump = np.clip(light.broad_jump(turned, task.result.x), -_VEIL, _VEIL)
        result = np.clip(result - jump.swapaxes(0, 1), 0, 1)
    return result


def cut(photo: FloatArray, way: Way, task: Task, check: Check) -> FloatArray:
    """Crops to the repeat, joins what is left over along the line of least difference, and stretches to the size."""
    rows, columns = photo.shape[:2]
    result = photo
    if not task.asked.x:
        result = _middle(result, way.columns)
    if not task.asked.y:
        result = _middle(result.swapaxes(0, 1), way.rows).swapaxes(0, 1)
    if task.asked.x:
        kept = _kept(columns, way.columns)
        result = period.join_columns(np.ascontiguousarray(result), kept, task.kept.y, check)
    if task.asked.y:
        turned = np.ascontiguousarray(result.swapaxes(0, 1))
        turned = period.join_columns(turned, _kept(rows, way.rows), task.result.x, check)
        result = turned.swapaxes(0, 1)
    return resize(np.ascontiguousarray(result), columns, rows, task.result.x, task.result.y)


def _cropped(photo: FloatArray, way: Way, task: Task) -> FloatArray:
    """The part that is kept, stretched back to the size; its borders do not meet yet."""
    rows, columns = photo.shape[:2]
    part = photo[: round(rows * way.rows), : round(columns * way.columns)]
    return resize(part, columns, rows, task.kept.x, task.kept.y)


def _patched(
    way: Way, small: FloatArray, task: Task, radii: tuple[float, ...], check: Check
) -> list[tuple[Way, FloatArray]]:
    found = []
    for share in radii:
        radius = round(share * min(small.shape[:2]))
        if radius < _LEAST_RADIUS:
            continue
        if len(patches.places(small.shape[:2], radius, task.kept, task.result)) > _MOST_PIECES:
            continue
        covered = patches.cover(small, task.kept, task.result, radius, check)
        if covered is not None:
            picture, pieces = covered
            found.append((replace(way, pieces=tuple(pieces), copy=small.shape[:2]), picture))
    return found


def _kept(size: int, share: float) -> int:
    return min(size - 1, max(1, round(size * share)))


def _middle(photo: FloatArray, share: float) -> FloatArray:
    """The middle columns, so many of them."""
    kept = max(1, round(photo.shape[1] * share))
    start = (photo.shape[1] - kept) // 2
    return photo[:, start : start + kept]
