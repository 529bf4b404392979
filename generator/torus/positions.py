# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions on a torus, for transformers that are told where each token lies.

Such a model knows the edges of its image without any padding. Each of its frequencies ``w`` is moved to the nearest
harmonic of the grid, ``2 pi round(w L / 2 pi) / L``, so that the last token is as close to the first as any two
neighbours. With rotary positions (Su et al. 2021, RoFormer) attention sees differences of positions alone, so that
attention among tokens of the image becomes exactly toroidal. Attention between image and text stays absolute: a text
token sits at one place of the grid. Sin-cos positions are added to the tokens; they become continuous across the
border and stay absolute. For both, `rolled` spreads what is left evenly over the image.

What is coarser than half a period is lost: it becomes one constant, the value at the middle of the image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from .strides import stride_of
from .swapping import Rule, Swap, Swapping, TorusModule, is_a

Grid = tuple[int, int]


@contextmanager
def periodic_positions(
    denoiser: nn.Module, grid: Grid, x: bool = True, y: bool = True
) -> Iterator[Swapping | None]:
    """While open, the positions within ``denoiser`` go around along x and/or y.

    ``grid`` is the rows and columns of the latents, before patches are made of them. Known are Flux, Qwen-Image and
    Z-Image (rotary) and all that embed patches as SD3, PixArt and Sana do (sin-cos), with their ControlNets. A
    module without positions is left alone. An axis that is not asked for keeps its positions to the last bit.
    """
    if not (x or y):
        yield None
        return
    swapping = Swapping(denoiser, [_rule(grid)], x, y)
    try:
        swapping.open()
        yield swapping
    finally:
        swapping.close()


def has_positions(module: nn.Module) -> bool:
    """Whether anything in ``module`` tells its tokens where they are, of the kinds known here."""
    return any(True for part in module.modules() for _ in _positions(part))


def nearest_harmonic(frequencies: Tensor, length: int) -> Tensor:
    """The closest frequencies, in radians per token, that have a whole number of periods in ``length`` tokens."""
    return torch.round(frequencies * length / (2 * math.pi)) * (2 * math.pi / length)


class PeriodicPositions(TorusModule):
    """Base of the mixins: the grid in tokens, and which axes of it go around."""

    torus_grid: Grid
    theta: float

    def torus_axes(self) -> list[tuple[int, int]]:
        """The rotary axis (0 is time or the index of an image, 1 rows, 2 columns) and its length."""
        rows, columns = self.torus_grid
        return [(1, rows)] * self.torus_y + [(2, columns)] * self.torus_x


class PeriodicFluxPositions(PeriodicPositions):
    """``(N, 3)`` ids to cosines and sines ``(N, D)``, each written twice in a row.

    ``__call__`` rather than ``forward``, which a hook may have taken away.
    """

    axes_dim: list[int]

    def __call__(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        cosines, sines = super().__call__(ids)  # pyright: ignore[reportAttributeAccessIssue]
        for axis, length in self.torus_axes():
            dim, start = self.axes_dim[axis], sum(self.axes_dim[:axis])
            turn = _rotation(self.theta, dim, length, ids.device)[ids[:, axis].long() % length]
            turn = turn.repeat_interleave(2, dim=1)
            cosines[:, start : start + dim], sines[:, start : start + dim] = turn.real, turn.imag
        return cosines, sines


class PeriodicQwenPositions(PeriodicPositions):
    """Complex factors ``(N, D / 2)`` of the tokens of an image whose positions are counted from its middle."""

    axes_dim: list[int]
    scale_rope: bool

    def _compute_video_freqs(
        self, frame: int, height: int, width: int, idx: int = 0, device: torch.device | None = None
    ) -> Tensor:
        plain = super()._compute_video_freqs(frame, height, width, idx, device)  # pyright: ignore
        parts = list(plain.reshape(frame, height, width, -1).split([d // 2 for d in self.axes_dim], dim=-1))
        for axis, length in self.torus_axes():
            size = height if axis == 1 else width
            first = size // 2 - size if self.scale_rope else 0
            index = torch.arange(first, first + size, device=plain.device) % length
            turn = _rotation(self.theta, self.axes_dim[axis], length, plain.device)[index].to(plain.dtype)
            parts[axis] = (turn[:, None] if axis == 1 else turn).expand_as(parts[axis])
        return torch.cat(parts, dim=-1).reshape_as(plain)


class PeriodicZImagePositions(PeriodicPositions):
    """``(N, 3)`` ids to complex factors ``(N, D / 2)``. Its owner is no module."""

    axes_dims: list[int]

    def __call__(self, ids: Tensor) -> Tensor:
        factors = super().__call__(ids)  # pyright: ignore[reportAttributeAccessIssue]
        for axis, length in self.torus_axes():
            dim, start = self.axes_dims[axis] // 2, sum(self.axes_dims[:axis]) // 2
            turn = _rotation(self.theta, 2 * dim, length, ids.device)[ids[:, axis].long() % length]
            factors[:, start : start + dim] = turn
        return factors


class PeriodicCroppedPatches(TorusModule):
    """SD3: sin-cos positions ``(1, N, D)``, cut from the middle of a large table."""

    pos_embed_max_size: int
    patch_size: int
    base_size: int
    interpolation_scale: float

    def cropped_pos_embed(self, height: int, width: int) -> Tensor:
        plain = super().cropped_pos_embed(height, width)  # pyright: ignore[reportAttributeAccessIssue]
        whole, grid = self.pos_embed_max_size, (height // self.patch_size, width // self.patch_size)
        step = self.base_size / (whole * self.interpolation_scale)
        starts = ((whole - grid[0]) // 2, (whole - grid[1]) // 2)
        return _periodic_table(plain, grid, (step, step), starts, self.torus_x, self.torus_y)


class PeriodicPatches(TorusModule):
    """PixArt and Sana: sin-cos positions ``(1, N, D)``, stretched to the image."""

    torus_grid: Grid
    patch_size: int
    base_size: int
    interpolation_scale: float
    _buffers: dict[str, Tensor]

    # What `forward` compares the image with; properties come before what the instance keeps under these names.
    height = property(lambda self: self.torus_grid[0])
    width = property(lambda self: self.torus_grid[1])

    @property
    def pos_embed(self) -> Tensor:
        """The table for the grid, in place of the one for the size that the model was trained at."""
        kept, grid = self._buffers["pos_embed"], self.torus_grid
        known = grid == (self.__dict__["height"], self.__dict__["width"])
        plain = kept if known else self._stretched(kept)
        low, high = (self.base_size / (length * self.interpolation_scale) for length in grid)
        return _periodic_table(plain, grid, (low, high), (0, 0), self.torus_x, self.torus_y)

    def _stretched(self, kept: Tensor) -> Tensor:
        from diffusers.models.embeddings import get_2d_sincos_pos_embed

        arguments = (kept.shape[-1], self.torus_grid)
        options: dict[str, Any] = {"base_size": self.base_size, "device": kept.device, "output_type": "pt"}
        table = get_2d_sincos_pos_embed(*arguments, interpolation_scale=self.interpolation_scale, **options)
        return torch.as_tensor(table).float().unsqueeze(0)


def _positions(module: nn.Module) -> Iterator[tuple[Any, type, int]]:
    """What in this one module knows positions: the object, its mixin, and latents for each token."""
    owner: Any = module
    if is_a(module, "FluxPosEmbed"):
        yield module, PeriodicFluxPositions, 2
    elif is_a(module, "QwenEmbedRope"):
        yield module, PeriodicQwenPositions, 2
    elif is_a(module, "ZImageTransformer2DModel", "ZImageControlNetModel"):
        if getattr(owner, "rope_embedder", None) is not None:
            yield owner.rope_embedder, PeriodicZImagePositions, stride_of(owner)
    elif is_a(module, "PatchEmbed") and module._buffers.get("pos_embed") is not None:
        mixin = PeriodicCroppedPatches if owner.pos_embed_max_size else PeriodicPatches
        yield module, mixin, owner.patch_size


def _rule(grid: Grid) -> Rule:
    def rule(module: nn.Module) -> Iterator[Swap]:
        for part, mixin, patch in _positions(module):
            yield part, _on_grid(mixin, (grid[0] // patch, grid[1] // patch))

    return rule


@cache
def _on_grid(mixin: type, grid: Grid) -> type:
    return type(mixin.__name__, (mixin,), {"torus_grid": grid})


@lru_cache(maxsize=32)
def _rotation(theta: float, dim: int, length: int, device: torch.device) -> Tensor:
    """Factors ``(length, dim / 2)``, complex64, by which the tokens of one axis are turned."""
    frequencies = theta ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), nearest_harmonic(frequencies, length))
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64).to(device)


def _sincos(dim: int, length: int, step: float, start: int) -> Tensor:
    """``(length, dim)``, float64: sines and cosines for tokens ``start`` and on, ``step`` units apart.

    In the middle of the image they are what the model has learnt, and harmonic from there on.
    """
    frequencies = step * 10000.0 ** (-torch.arange(dim // 2, dtype=torch.float64) / (dim // 2))
    middle = (length - 1) / 2
    away = torch.arange(length, dtype=torch.float64) - middle
    angles = (start + middle) * frequencies + torch.outer(away, nearest_harmonic(frequencies, length))
    return torch.cat((angles.sin(), angles.cos()), dim=1)


def _periodic_table(
    plain: Tensor, grid: Grid, steps: tuple[float, float], starts: tuple[int, int], x: bool, y: bool
) -> Tensor:
    """``plain`` ``(1, N, D)`` with the half of its channels that is about a wrapped axis replaced.

    The first half tells the column, the second the row.
    """
    rows, columns = grid
    half = plain.shape[-1] // 2
    parts = list(plain.reshape(1, rows, columns, -1).split(half, dim=-1))
    if x:
        parts[0] = _sincos(half, columns, steps[1], starts[1]).to(plain).expand(1, rows, columns, half)
    if y:
        table = _sincos(half, rows, steps[0], starts[0]).to(plain)[:, None]
        parts[1] = table.expand(1, rows, columns, half)
    return torch.cat(parts, dim=-1).reshape_as(plain)
