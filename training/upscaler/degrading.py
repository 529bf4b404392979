# SPDX-License-Identifier: GPL-3.0-or-later
"""From a texture to the small picture that someone might have of it, on the torus throughout."""

from __future__ import annotations

import io
import math
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

KERNELS = ("area", "linear", "cubic", "lanczos", "soft")
"""How pictures are made smaller out there; ``soft`` is a Gaussian, as from a lens or a careful artist."""

_REACH = {"area": 0.5, "linear": 1.0, "cubic": 2.0, "lanczos": 3.0, "soft": 2.0}


def shrink(pictures: Tensor, factor: int, kernel: str) -> Tensor:
    """``(B, C, H, W)`` at a whole fraction of its size; neighbours are fetched modulo the size."""
    rows, columns = pictures.shape[-2:]
    down = _matrix(rows, factor, kernel).to(pictures)
    across = _matrix(columns, factor, kernel).to(pictures)
    return down @ pictures @ across.T


def as_stored(pictures: Tensor, levels: int = 255) -> Tensor:
    """Cut to [0, 1] and rounded to the levels of a file."""
    return (pictures.clamp(0, 1) * levels).round() / levels


def compressed(pictures: Tensor, quality: int) -> Tensor:
    """As a JPEG file gives them back, ``(B, 3, H, W)`` in [0, 1]."""
    made = []
    for picture in pictures:
        levels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        stream = io.BytesIO()
        Image.fromarray(levels).save(stream, "JPEG", quality=quality)
        made.append(torch.from_numpy(np.asarray(Image.open(stream)).copy()).permute(2, 0, 1))
    return torch.stack(made).float() / 255


@cache
def _matrix(length: int, factor: int, kernel: str) -> Tensor:
    """``(length / factor, length)``: each row the weights of one sample of the small picture."""
    if length % factor:
        raise ValueError(f"{length} pixels are no multiple of {factor}.")
    reach = math.ceil(_REACH[kernel] * factor) + 1
    matrix = torch.zeros(length // factor, length, dtype=torch.float64)
    for row in range(length // factor):
        centre = (row + 0.5) * factor - 0.5
        places = [math.floor(centre) + step for step in range(-reach, reach + 1)]
        weights = [_weight(kernel, (place - centre) / factor) for place in places]
        for place, weight in zip(places, weights, strict=True):
            matrix[row, place % length] += weight / sum(weights)
    return matrix.float()


def _weight(kernel: str, x: float) -> float:
    x = abs(x)
    match kernel:
        case "area":
            return 1.0 if x < 0.5 else 0.0
        case "linear":
            return max(0.0, 1 - x)
        case "cubic":  # Catmull and Rom
            if x < 1:
                return 1.5 * x**3 - 2.5 * x**2 + 1
            return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
        case "lanczos":
            return float(np.sinc(x) * np.sinc(x / 3)) if x < 3 else 0.0
        case "soft":
            return math.exp(-0.5 * (x / 0.55) ** 2) if x < 2 else 0.0
    raise ValueError(f"There is no kernel {kernel!r}; choose from {', '.join(KERNELS)}.")
