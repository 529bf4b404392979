# SPDX-License-Identifier: GPL-3.0-or-later
"""The least time that a call can take on a device: its arithmetic, at the rate that this device multiplies matrices."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from full_models import Case
from torch.utils.flop_counter import FlopCounterMode


def timed(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Seconds of one ``run``: on a card the mean of ``repeats`` between two events, else the fastest of them."""
    if device.type == "cuda":
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            run()
        end.record()
        torch.cuda.synchronize(device)
        return begin.elapsed_time(end) / 1000 / repeats
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


def summed_up(seconds: list[float], device: torch.device) -> float:
    """One number for several rounds: the median on a card, whose own clock is steady, else the fastest."""
    return median(seconds) if device.type == "cuda" else min(seconds)


def rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product, the best of several."""
    side = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    with torch.no_grad():
        seconds = [timed(lambda: left @ right, device, 5) for _ in range(6)]
    return 2 * side**3 / min(seconds)


def operations(case: Case) -> int:
    """How many multiplications and additions one call of the plain model takes, counted."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        case.call(case.module, case.image)
    return counter.get_total_flops()
