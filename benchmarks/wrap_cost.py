# SPDX-License-Identifier: GPL-3.0-or-later
"""What tiling costs: full-size models plain, and made periodic in several ways, in one run.

    python benchmarks/wrap_cost.py [--rounds 5] [--size 512] [--only unet kl tiny] [--markdown FILE]

The ways take turns within a round, since anything else that runs on the machine slows one of them down; the fastest
round of each counts. Beside every time stands the law's error: how far the output of a rolled input is from the rolled
output, by the output's largest value; plain models show what it means not to tile. The floor is the model's arithmetic
at the rate at which this machine multiplies matrices.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from floors import operations, rate
from full_models import Case, kl_decoder, tiny_decoder, unet
from machine import described
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from wrap_ways import WAYS

from generator.torus.law import violation

CPU = torch.device("cpu")
CASES = {"unet": unet, "kl": kl_decoder, "tiny": tiny_decoder}
GOALS = {"unet": 1.03, "kl": 1.05, "tiny": 1.2}
_COPIES = ("copy_", "cat", "clone", "index_select", "index", "embedding", "constant_pad_nd", "_to_copy")


class Copies(TorchDispatchMode):
    """Counts the operations that do nothing but copy an image, of four dimensions or taken apart into pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in _COPIES and isinstance(made, Tensor) and (made.dim() == 4 or name == "embedding"):
            self.count += 1
        return made


def measure(case: Case, rounds: int) -> dict[str, tuple[float, float, int]]:
    """For each way the seconds of its fastest round, the law's error, and its copies beyond plain."""
    seconds = dict.fromkeys(WAYS, float("inf"))
    errors, copies = {}, {}
    with torch.inference_mode():
        for name, way in WAYS.items():
            with way(case.module):
                with Copies() as counted:
                    case.call(case.module, case.image)
                copies[name] = counted.count
                shift = 3 * case.stride, 5 * case.stride
                errors[name] = violation(partial(case.call, case.module), case.image, shift, case.factor)
        for _ in range(rounds):
            for name, way in WAYS.items():
                with way(case.module):
                    started = time.perf_counter()
                    case.call(case.module, case.image)
                    seconds[name] = min(seconds[name], time.perf_counter() - started)
    return {name: (seconds[name], errors[name], copies[name] - copies["plain"]) for name in WAYS}


def table(names: list[str], size: int, rounds: int) -> str:
    """All cases as a Markdown table, printed row by row as well."""
    peak_rate = rate(CPU, torch.float32)
    rows = [
        f"Matrices are multiplied at {peak_rate / 1e12:.2f} TFLOP/s here, measured.",
        "",
        "| model | way | seconds | by plain | goal | share of floor | law's error | extra copies |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    print("\n".join(rows), flush=True)
    for name in names:
        case = CASES[name](size)
        floor = operations(case) / peak_rate
        found = measure(case, rounds)
        for way, (seconds, error, copies) in found.items():
            share = seconds / found["plain"][0]
            goal = f"{GOALS[name]:.2f}" if way == "ours" else ""
            rows.append(
                f"| {case.name} | {way} | {seconds:.3f} | {share:.3f} | {goal} | {floor / seconds:.0%} | {error:.0e} "
                f"| {copies} |"
            )
            print(rows[-1], flush=True)
        del case
    return "\n".join(rows)


def main() -> None:
    """Print the table, and write it with a heading."""
    parser = argparse.ArgumentParser(description="What tiling costs on a processor.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES))
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args()
    about = [
        *described(CPU),
        f"{options.size} x {options.size} pixels, the fastest of {options.rounds} rounds",
    ]
    print("\n".join(about), flush=True)
    rows = table(options.only, options.size, options.rounds)
    if options.markdown:
        page = ["# What tiling costs on a processor", "", *about, "", rows, ""]
        options.markdown.write_text("\n".join(page), "utf-8")


if __name__ == "__main__":
    main()
