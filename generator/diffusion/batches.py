# SPDX-License-Identifier: GPL-3.0-or-later
"""How many images of a request are made together, where the device and its memory leave a choice."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence

import numpy as np
import torch

from generator.material import FloatArray
from generator.progress import GenerationError
from generator.protocol import MAX_COUNT

VARIABLE = "DREAM_TEXTURES_BATCH"
"""Environment variable: make so many images together on any device, as far as memory allows; 1 is one by one."""
LARGEST = 8
"""Beyond this a card has long been busy all the time, and the first image is only waited for longer."""
PIXELS = 4 << 20
"""Nor more pixels than this: a step must stay short, since a job that is cancelled ends after it at the earliest."""


def most_together(device: torch.device, pixels: int) -> int:
    """How many images of so many pixels are to be made together on ``device``; 1 where that would gain nothing.

    A graphics card spends much of a single image's step on starting its kernels, which a batch shares. A processor
    is bound by arithmetic: a batch takes as long as its images, and the first of them would come last. On Metal
    batches are known to fail or to come out wrong, so that diffusers advises against them.

    Raises `GenerationError` where `VARIABLE` is set to something else than a number of images.
    """
    asked = os.environ.get(VARIABLE, "").strip()
    if not asked:
        return max(1, min(LARGEST, PIXELS // pixels)) if device.type in ("cuda", "xpu") else 1
    if not re.fullmatch("[0-9]{1,4}", asked) or not 1 <= int(asked) <= MAX_COUNT:
        raise GenerationError(
            "batch",
            f"The variable {VARIABLE} says {asked[:40]!r}, which is no number of images.",
            f"Set it to a whole number from 1 to {MAX_COUNT}, or unset it.",
        )
    return int(asked)


def evenly(count: int, most: int) -> int:
    """How many of ``count`` images to make first, so that batches of at most ``most`` are about equally large.

    Ten in batches of eight are five and five: no more batches, each takes less memory, and all have one shape.
    """
    return math.ceil(count / math.ceil(count / most))


def side_by_side(pictures: Sequence[FloatArray]) -> FloatArray:
    """Pictures ``(h, w, 3)`` of one size as one: row by row, as many rows as columns or one fewer, the rest black."""
    columns = math.ceil(math.sqrt(len(pictures)))
    blank = [np.zeros_like(pictures[0])] * (-len(pictures) % columns)
    places = [*pictures, *blank]
    rows = [np.concatenate(places[at : at + columns], axis=1) for at in range(0, len(places), columns)]
    return np.concatenate(rows, axis=0)
