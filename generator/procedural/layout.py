# SPDX-License-Identifier: GPL-3.0-or-later
"""Rectangular and hexagonal layouts: which piece a pixel belongs to, where in the piece, how far from its border.

Every rectangular bond is a table on a grid of squares: each square names its piece. Running bond, basket weave,
herringbone, ashlar and random planks differ only in the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.procedural.space import IntArray, Space


@dataclass(frozen=True)
class Bond:
    """A periodic table of squares ``(ny, nx)``: the piece of each, and the square's place within the piece.

    ``wide`` and ``tall`` are each piece's size in squares, ``(count,)``.
    """

    piece: IntArray
    right: IntArray
    down: IntArray
    wide: IntArray
    tall: IntArray

    @property
    def count(self) -> int:
        return len(self.wide)


@dataclass(frozen=True)
class Pieces:
    """Pieces of a layout per pixel, ``(H, W)``, lengths in units.

    ``u``, ``v`` run from the piece's middle; ``edge`` is the distance to its border; ``wide`` and ``tall`` are the
    sizes of each piece, ``(count,)``.
    """

    index: IntArray
    u: FloatArray
    v: FloatArray
    edge: FloatArray
    wide: FloatArray
    tall: FloatArray

    @property
    def count(self) -> int:
        return len(self.wide)


def _bond(nx: int, ny: int, rectangles: list[tuple[int, int, int, int]]) -> Bond:
    """The table of rectangles ``(x, y, wide, tall)`` that together cover the torus exactly once."""
    piece = np.full((ny, nx), -1, np.int32)
    right, down = np.zeros_like(piece), np.zeros_like(piece)
    for number, (x, y, wide, tall) in enumerate(rectangles):
        rows = (np.arange(tall) + y)[:, None] % ny
        columns = (np.arange(wide) + x)[None, :] % nx
        piece[rows, columns] = number
        right[rows, columns] = np.arange(wide)[None, :]
        down[rows, columns] = np.arange(tall)[:, None]
    sizes = np.array(rectangles, np.int32)
    return Bond(piece, right, down, sizes[:, 2], sizes[:, 3])


def running(nx: int, ny: int, length: int = 2, shift: int = 1) -> Bond:
    """Courses of pieces ``length`` squares long, each course ``shift`` squares further; 0 stacks them."""
    return _bond(
        nx, ny, [(x + (y % length) * shift, y, length, 1) for y in range(ny) for x in range(0, nx, length)]
    )


def basket(nx: int, ny: int) -> Bond:
    """Pairs of 2 x 1 pieces, lying and standing in turn; ``nx`` and ``ny`` multiples of 4."""
    rectangles: list[tuple[int, int, int, int]] = []
    for y in range(0, ny, 2):
        for x in range(0, nx, 2):
            lying = (x + y) // 2 % 2 == 0
            rectangles += [(x, y, 2, 1), (x, y + 1, 2, 1)] if lying else [(x, y, 1, 2), (x + 1, y, 1, 2)]
    return _bond(nx, ny, rectangles)


def herringbone(nx: int, ny: int, length: int = 2) -> Bond:
    """Pieces of ``length`` x 1 in herringbone bond; ``nx`` and ``ny`` multiples of ``2 * length``."""
    rectangles: list[tuple[int, int, int, int]] = []
    for y in range(ny):
        for x in range(nx):
            place = (x - y) % (2 * length)
            if place == 0:
                rectangles.append((x, y, length, 1))
            elif place == 2 * length - 1:
                # The standing piece begins here and hangs down beside the next courses.
                rectangles.append((x, y, 1, length))
    return _bond(nx, ny, rectangles)


def ashlar(space: Space, salt: str, nx: int, ny: int, shapes: tuple[tuple[int, int], ...]) -> Bond:
    """The torus packed with rectangles drawn from ``shapes`` (wide, tall) in squares; 1 x 1 fills what is left."""
    taken = np.zeros((ny, nx), bool)
    rectangles: list[tuple[int, int, int, int]] = []
    order = np.argsort(space.random(f"{salt}/order", np.arange(nx * ny)), kind="stable")
    for turn, cell in enumerate(order):
        y, x = divmod(int(cell), nx)
        if taken[y, x]:
            continue
        start = int(space.random(f"{salt}/shape", turn)[0] * len(shapes))
        for wide, tall in (*shapes[start:], *shapes[:start], (1, 1)):
            rows, columns = (np.arange(tall) + y)[:, None] % ny, (np.arange(wide) + x)[None, :] % nx
            if wide <= nx and tall <= ny and not taken[rows, columns].any():
                taken[rows, columns] = True
                rectangles.append((x, y, wide, tall))
                break
    return _bond(nx, ny, rectangles)


def boards(space: Space, salt: str, nx: int, ny: int, shortest: int, longest: int) -> Bond:
    """``nx`` columns of boards that run down, with ends at random heights between the two lengths."""
    rectangles: list[tuple[int, int, int, int]] = []
    for x in range(nx):
        y = first = int(space.random(f"{salt}/first", x)[0] * ny)
        turn = 0
        while y < first + ny:
            left = first + ny - y
            tall = shortest + int(space.random(f"{salt}/length", x, turn)[0] * (longest - shortest + 1))
            tall = left if left - tall < shortest else tall
            rectangles.append((x, y, 1, tall))
            y, turn = y + tall, turn + 1
    return _bond(nx, ny, rectangles)


def lay(
    space: Space, bond: Bond, corner: float = 0.0, warp: tuple[FloatArray, FloatArray] | None = None
) -> Pieces:
    """Look the bond up for each pixel; ``corner`` rounds the pieces' corners, ``warp`` displaces, both in units."""
    ny, nx = bond.piece.shape
    across, down = space.extent
    sx, sy = np.float32(across / nx), np.float32(down / ny)
    shift_x, shift_y = _origin(space)
    x = np.broadcast_to(space.x + shift_x, space.shape) + (warp[0] if warp else 0)
    y = np.broadcast_to(space.y + shift_y, space.shape) + (warp[1] if warp else 0)
    x /= sx
    y /= sy
    ix, iy = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    x -= ix
    y -= iy
    square = (iy % ny) * nx + ix % nx
    del ix, iy
    x += bond.right.astype(np.float32).take(square)
    y += bond.down.astype(np.float32).take(square)
    index = bond.piece.take(square)
    wide, tall = bond.wide.astype(np.float32) * sx, bond.tall.astype(np.float32) * sy
    x *= sx
    y *= sy
    x -= (wide / 2).take(index)
    y -= (tall / 2).take(index)
    du = (wide / 2).take(index) - np.abs(x)
    dv = (tall / 2).take(index) - np.abs(y)
    return Pieces(index, x, y, _rounded(du, dv, corner), wide, tall)


def _origin(space: Space) -> tuple[np.float32, np.float32]:
    """Where the layout begins: anywhere, so that no joint of every texture lies on its border."""
    return np.float32(space.pick("layout/x")), np.float32(space.pick("layout/y"))


def _rounded(du: FloatArray, dv: FloatArray, corner: float) -> FloatArray:
    """Distance to the border of a rectangle with round corners, from the distances to its two nearest sides."""
    inner = np.minimum(du, dv)
    if corner <= 0:
        return inner
    radius = np.float32(corner)
    out = np.hypot(np.maximum(radius - du, 0), np.maximum(radius - dv, 0))
    np.subtract(radius, out, out=out)
    out += np.maximum(inner - radius, 0)
    return out


def hexagons(space: Space, per_unit: float, warp: tuple[FloatArray, FloatArray] | None = None) -> Pieces:
    """A honeycomb of about ``per_unit`` cells across a unit, stretched by a few percent to fit the torus."""
    across, down = space.extent
    nx, ny = space.count(per_unit, per_unit / (np.sqrt(3) / 2) / 2 * 2, multiple=(1, 2))
    wide, row = np.float32(across / nx), np.float32(down / ny)
    shift_x, shift_y = _origin(space)
    x = (np.broadcast_to(space.x + shift_x, space.shape) + (warp[0] if warp else 0)) / wide
    y = (np.broadcast_to(space.y + shift_y, space.shape) + (warp[1] if warp else 0)) / row
    best: tuple[npt.NDArray[np.float32], ...] | None = None
    ratio = np.float32(np.sqrt(3) / 2)
    for parity in (0, 1):
        # Centres of one parity stand on a plain rectangular grid, two rows apart.
        cy = np.floor((y - parity) / 2 + np.float32(0.5)) * 2 + parity
        cx = np.floor(x - np.float32(0.5 * parity) + np.float32(0.5)) + np.float32(0.5 * parity)
        dx, dy = x - cx, (y - cy) * ratio
        near = dx * dx + dy * dy
        if best is None:
            best = (near, dx, dy, cx, cy)
        else:
            closer = near < best[0]
            best = tuple(
                np.where(closer, new, old) for new, old in zip((near, dx, dy, cx, cy), best, strict=True)
            )
    assert best is not None
    _, dx, dy, cx, cy = best
    index = ((np.floor(cy + 0.5).astype(np.int32) % ny) * nx + np.floor(cx).astype(np.int32) % nx).astype(
        np.int32
    )
    ax, ay = np.abs(dx), np.abs(dy)
    edge = (0.5 - np.maximum(ax, ax * np.float32(0.5) + ay * ratio)) * wide
    sizes = np.full(nx * ny, wide, np.float32)
    return Pieces(index, dx * wide, dy * wide, edge.astype(np.float32), sizes, sizes)
