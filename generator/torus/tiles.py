# SPDX-License-Identifier: GPL-3.0-or-later
"""Large pictures through an encoder or decoder on little memory: tiles of a torus.

A decoder's memory grows with the picture; a tile's does not. Tiles are fetched modulo the size, each with a margin
that is thrown away because it saw the tile's edge, and what remains fades into its neighbours with weights that add
up to one everywhere, across the picture's own border too. Group normalisation takes its measure from each tile
alone, so that the result is close to the one made in one piece, not equal to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tiles:
    """How to cut. All lengths are cells: one latent, or the square of pixels that becomes one latent.

    ``side`` is a tile's whole length, ``margin`` what is thrown away at each of its ends (12 to 16 cells hide the
    edge from Stable Diffusion's decoder), ``overlap`` the even length over which it fades into its neighbour.
    Raises ``ValueError`` where that leaves nothing.
    """

    side: int
    margin: int = 16
    overlap: int = 8

    def __post_init__(self) -> None:
        if self.margin < 0 or self.overlap < 0 or self.overlap % 2 or self.step < max(self.overlap, 1):
            raise ValueError(f"A tile of {self.side} cells has no room for {self.margin} and {self.overlap}.")

    @property
    def step(self) -> int:
        """The greatest distance from one tile to the next."""
        return self.side - 2 * self.margin - self.overlap


@dataclass(frozen=True)
class _Piece:
    """One tile along one axis. ``read`` are its samples in the input, ``write`` those in the output that it adds
    to, from its own ``first`` on, with ``weights``.
    """

    read: Tensor
    first: int
    write: Tensor
    weights: Tensor


def tiled(
    coder: Callable[[Tensor], Tensor],
    image: Tensor,
    tiles: Tiles,
    cells: tuple[int, int],
    x: bool = True,
    y: bool = True,
    check: Callable[[], None] = lambda: None,
) -> Tensor:
    """``coder(image)`` for ``image`` ``(B, C, H, W)``, made of tiles; float32, on the device of ``image``.

    ``cells`` is the length of a cell in the input and in the output: ``(1, 8)`` for Stable Diffusion's decoder and
    ``(8, 1)`` for its encoder. ``x`` and ``y`` say which axes are a torus. An axis not longer than one tile is not
    cut, so that ``coder`` itself must wrap there: call this inside `wrap` with the same axes. ``check`` is called
    before each tile and may raise.
    Raises ``ValueError`` when the size is not a whole number of cells.
    """
    coarse, fine = cells
    rows, columns = (length // coarse for length in image.shape[-2:])
    if (rows * coarse, columns * coarse) != tuple(image.shape[-2:]):
        raise ValueError(f"{tuple(image.shape[-2:])} is not a whole number of cells of {coarse}.")
    across = list(_pieces(columns, tiles, cells, x, image.device))
    result: Tensor | None = None
    for down in _pieces(rows, tiles, cells, y, image.device):
        band = image.index_select(-2, down.read)
        for right in across:
            check()
            made = coder(band.index_select(-1, right.read)).to(image.device, torch.float32)
            if result is None:
                result = made.new_zeros((*made.shape[:2], rows * fine, columns * fine))
            made = made.narrow(-2, down.first, down.write.numel()).narrow(
                -1, right.first, right.write.numel()
            )
            made = made * (down.weights[:, None] * right.weights)
            result[..., down.write[:, None], right.write] += made
    assert result is not None
    return result


def _pieces(
    length: int, tiles: Tiles, cells: tuple[int, int], closed: bool, device: torch.device
) -> Iterator[_Piece]:
    """The tiles along an axis of ``length`` cells, evenly spread; at every sample their weights sum to one."""
    coarse, fine = cells

    def samples(first: int, end: int, scale: int) -> Tensor:
        return torch.arange(first * scale, end * scale, device=device)

    if length <= tiles.side:
        everything = samples(0, length, fine)
        yield _Piece(
            samples(0, length, coarse), 0, everything, torch.ones_like(everything, dtype=torch.float32)
        )
        return
    count = -(-length // tiles.step)
    reach = tiles.overlap // 2
    for index, (start, end) in enumerate(pairwise(round(i * length / count) for i in range(count + 1))):
        # A border that does not wrap is the picture's own: nothing to fade into, and no margin beyond it.
        at_start, at_end = not closed and index == 0, not closed and index == count - 1
        low, high = start - (0 if at_start else reach), end + (0 if at_end else reach)
        first = max(0, low - tiles.margin) if not closed else low - tiles.margin
        last = min(length, high + tiles.margin) if not closed else high + tiles.margin
        write = samples(low, high, fine)
        place = (write + 0.5) / fine
        rise = torch.ones_like(place) if at_start else _ramp(place - start, reach)
        fall = torch.ones_like(place) if at_end else 1 - _ramp(place - end, reach)
        yield _Piece(
            samples(first, last, coarse).remainder(length * coarse),
            (low - first) * fine,
            write.remainder(length * fine),
            rise * fall,
        )


def _ramp(place: Tensor, reach: int) -> Tensor:
    """From 0 to 1 between ``-reach`` and ``reach``."""
    return (place / (2 * reach) + 0.5).clamp(0, 1) if reach else (place > 0).to(torch.float32)
