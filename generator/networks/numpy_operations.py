# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations in NumPy alone, so that networks run where torch is not: in strips, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from generator.material import FloatArray
from generator.networks.operations import EPSILON

_STRIP = 1 << 18
"""Numbers in the matrix of neighbours that is laid out at a time: 1 MiB, which a processor's cache holds."""


class NumpyOperations:
    """`Operations` on arrays in C order."""

    name = "numpy"

    def __init__(self, check: Callable[[], None] | None = None) -> None:
        self._check = check or _no_check

    def prepare(self, tensors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}

    def to_field(self, values: FloatArray) -> FloatArray:
        return np.ascontiguousarray(values, np.float32)

    def to_array(self, field: FloatArray) -> FloatArray:
        return np.array(field, np.float32)

    def convolve(self, field: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
        out, channels, size, _ = weight.shape
        matrix = weight.reshape(out, -1)
        result = np.empty((field.shape[0], out, *field.shape[2:]), np.float32)
        for picture, target in zip(field, result, strict=True):
            if size == 1:
                self._check()
                np.matmul(matrix, picture.reshape(channels, -1), out=target.reshape(out, -1))
            else:
                self._convolve_in_strips(picture, weight, target)
            target += bias[:, None, None]
        return result

    def _convolve_in_strips(self, picture: FloatArray, weight: FloatArray, target: FloatArray) -> None:
        """A few rows of the picture at a time: neighbours to the side are laid out as a matrix, those above and below
        are the same matrix some rows further on, so that each row of the kernel costs one product and no copy."""
        channels, rows, columns = picture.shape
        out, _, size, _ = weight.shape
        reach = size // 2
        matrices = [
            np.ascontiguousarray(weight[:, :, y].transpose(0, 2, 1).reshape(out, -1)) for y in range(size)
        ]
        strip = max(1, min(rows, _STRIP // (size * channels * columns) - 2 * reach))
        for top in range(0, rows, strip):
            self._check()
            count = min(strip, rows - top)
            near = picture[:, np.arange(top - reach, top + count + reach) % rows]
            aside = np.empty((size, *near.shape), np.float32)
            for x in range(size):
                _roll_into(aside[x], near, x - reach)
            flat = aside.reshape(size * channels, -1)
            total = matrices[0] @ flat[:, : count * columns]
            for y in range(1, size):
                total += matrices[y] @ flat[:, y * columns : (y + count) * columns]
            target[:, top : top + count] = total.reshape(out, count, columns)

    def prelu(self, field: FloatArray, slope: FloatArray) -> FloatArray:
        # max + slope * min holds for every slope, also for those above 1.
        below = np.minimum(field, 0)
        below *= slope[:, None, None]
        below += np.maximum(field, 0)
        return below

    def leaky(self, field: FloatArray) -> FloatArray:
        return np.maximum(field, field * np.float32(0.1))

    def normalise(self, field: FloatArray) -> FloatArray:
        centred = field - field.mean(axis=1, keepdims=True)
        variance = np.einsum("bchw,bchw->bhw", centred, centred)[:, None] / np.float32(field.shape[1])
        centred /= np.sqrt(variance + np.float32(EPSILON))
        return centred

    def unshuffle(self, field: FloatArray, factor: int) -> FloatArray:
        batch, channels, rows, columns = field.shape
        blocks = field.reshape(batch, channels, rows // factor, factor, columns // factor, factor)
        blocks = blocks.transpose(0, 1, 3, 5, 2, 4)
        return np.ascontiguousarray(blocks).reshape(batch, -1, rows // factor, columns // factor)

    def shuffle(self, field: FloatArray, factor: int) -> FloatArray:
        batch, channels, rows, columns = field.shape
        blocks = field.reshape(batch, channels // factor**2, factor, factor, rows, columns)
        blocks = blocks.transpose(0, 1, 4, 2, 5, 3)
        return np.ascontiguousarray(blocks).reshape(batch, -1, rows * factor, columns * factor)

    def nearest(self, field: FloatArray, factor: int) -> FloatArray:
        return field.repeat(factor, axis=2).repeat(factor, axis=3)

    def halve(self, field: FloatArray) -> FloatArray:
        batch, channels, rows, columns = field.shape
        return field.reshape(batch, channels, rows // 2, 2, columns // 2, 2).mean(axis=(3, 5))

    def concatenate(self, fields: list[FloatArray]) -> FloatArray:
        return np.concatenate(fields, axis=1)

    def everywhere(self, field: FloatArray) -> FloatArray:
        return field.mean(axis=(2, 3), keepdims=True)


def _roll_into(target: FloatArray, rows: FloatArray, by: int) -> None:
    """Into ``target`` the neighbours ``by`` places to the right, fetched modulo the width."""
    columns = rows.shape[-1]
    by %= columns
    target[..., : columns - by] = rows[..., by:]
    target[..., columns - by :] = rows[..., :by]


def _no_check() -> None:
    """Nobody waits to cancel."""
