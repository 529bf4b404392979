# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast seamless diffusion is, for each way to make it seamless and each way to run it, in ten minutes.

    python benchmarks/speed.py [--device cuda] [--minutes 9] [--reduced] [--only PART ...] [--results DIR]

Needs torch, diffusers, transformers, accelerate and safetensors, and no file from anywhere: weights and inputs are
random. A processor takes the same architectures at a reduced size; its own table at full size is
``benchmarks/wrap_cost.py``. What is compared with what, and why that is fair, stands in ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from end_to_end import HEAD, end_to_end
from engines import Engine, Running, engines
from floors import operations, rate, summed_up, timed
from full_models import Case, kl_decoder, sdxl_unet, tiny_decoder, unet
from machine import described, named
from wrap_ways import WAYS

from generator.diffusion.compiling import VARIABLES, Compiler
from generator.shortage import is_out_of_memory
from generator.torus.law import violation

ROUNDS = 7
_TURN = 0.25  # seconds that a turn should take on a card, so that its clock has time to settle
_PARTS = ("calls", "images", "compiling")
_ONE_CALL = "A guided step of a denoiser (both passes in one batch), or one decoding."
_HEAD = (
    "| model | batch | way | engine | ms | by plain | floor ms | share of it | law's error | peak GB | |\n"
    "|---|---:|---|---|---:|---:|---:|---:|---:|---:|---|"
)
Row = dict[str, Any]


class Clock:
    """What is left of the time that the whole may take."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes

    @property
    def left(self) -> float:
        """In seconds; negative where it is over."""
        return self._end - time.monotonic()


def variants(device: torch.device) -> list[tuple[str, Engine]]:
    """What takes turns: each way run as its users run it, and plain and ours by every engine, to see the wrap alone."""
    found: list[tuple[str, Engine]] = [(way, "eager") for way in WAYS]
    return found + [(way, engine) for way in ("plain", "ours") for engine in engines(device)[1:]]


def measure(case: Case, batch: int, peak_rate: float, clock: Clock, compiler: Compiler) -> list[Row]:
    """A row for each variant of one model: all of them in every round, one after another."""
    device = case.image.device
    wanted = variants(device)
    runs = {variant: Running(case.hot, variant[1], compiler) for variant in wanted}
    errors: dict[tuple[str, Engine], float] = {}
    peaks: dict[tuple[str, Engine], float] = {}
    failed: dict[tuple[str, Engine], str] = {}
    seconds: dict[tuple[str, Engine], list[float]] = {variant: [] for variant in wanted}
    shift = 3 * case.stride, 5 * case.stride

    def call() -> object:
        return case.call(case.module, case.image)

    for variant in wanted:
        way, engine = variant
        try:
            with WAYS[way](case.module):
                if engine == "compiled":
                    with runs[variant].turn():
                        call()
                    if not compiler.wait(max(1.0, clock.left - 60)):
                        failed[variant] = "compiling took too long"
                        runs[variant].drop()
                        continue
                with torch.no_grad():
                    call()  # ways to convolve are tried for each size, whoever comes first
                _forget_peak(device)
                with runs[variant].turn():
                    for _ in range(5):  # as it is, measured, recorded, and replayed
                        call()
                    peaks[variant] = _peak(device)
                    errors[variant] = violation(
                        partial(case.call, case.module), case.image, shift, case.factor
                    )
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            failed[variant] = "not enough memory"
            runs[variant].drop()
            _let_go()
    usable = [variant for variant in wanted if variant not in failed]
    repeats = 1
    for variant in usable:
        # What has been compiled since is another network for a recording.
        with WAYS[variant[0]](case.module), runs[variant].turn():
            for _ in range(4):
                call()
            if device.type == "cuda" and variant == usable[0]:
                repeats = max(1, round(_TURN / timed(call, device, 1)))
    for _ in range(ROUNDS):
        for variant in usable:
            with WAYS[variant[0]](case.module), runs[variant].turn():
                seconds[variant].append(timed(call, device, repeats))
        if clock.left < 0:
            break
    floor = operations(case) / peak_rate
    plain = summed_up(seconds["plain", "eager"], device) if seconds["plain", "eager"] else float("nan")
    rows: list[Row] = []
    for variant in wanted:
        way, engine = variant
        row: Row = {"model": case.name, "batch": batch, "way": way, "engine": engine}
        if variant in failed:
            rows.append({**row, "note": failed[variant]})
            continue
        took = summed_up(seconds[variant], device)
        rows.append(
            {
                **row,
                "ms": 1000 * took,
                "by_plain": took / plain,
                "floor_ms": 1000 * floor,
                "share": floor / took,
                "error": errors[variant],
                "peak_gb": peaks[variant],
                "note": runs[variant].told,
            }
        )
    for run in runs.values():
        run.drop()
    return rows


def told(row: Row) -> str:
    """A row of the table."""
    head = f"| {row['model']} | {row['batch']} | {row['way']} | {row['engine']} "
    if "ms" not in row:
        return head + f"| | | | | | | {row['note']} |"
    peak = f"{row['peak_gb']:.1f}" if row["peak_gb"] else ""
    return head + (
        f"| {row['ms']:.2f} | {row['by_plain']:.3f} | {row['floor_ms']:.2f} | {row['share']:.0%} "
        f"| {row['error']:.0e} | {peak} | {row['note']} |"
    )


def cases(device: torch.device, reduced: bool) -> list[tuple[str, int, Callable[[], Case]]]:
    """What is measured, the most wanted first, as (name, images, how to make it). A step's two passes are one batch."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    small, large = (128, 128) if reduced else (512, 1024)
    made: list[tuple[str, int, Callable[[], Case]]] = []
    for batch in (1, 8):
        given = {"device": device, "dtype": dtype, "reduced": reduced}
        made.append(("SD 1.5", batch, partial(unet, small, 2 * batch, **given)))
        made.append(("SDXL", batch, partial(sdxl_unet, large, 2 * batch, **given)))
        if batch == 1:
            made.append(("KL decoder", 1, partial(kl_decoder, small, 1, **given)))
            made.append(("tiny decoder", 1, partial(tiny_decoder, small, 1, **given)))
    return made


def compile_times(device: torch.device, reduced: bool, clock: Clock) -> dict[str, float]:
    """Seconds until the blocks of SD 1.5 are compiled: with nothing kept from before, and by a second process."""
    taken = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "cached"):
            command = [sys.executable, __file__, "--device", str(device), "--compile-only"]
            places = {variable: str(Path(folder) / variable) for variable in VARIABLES}
            try:
                done = subprocess.run(
                    [*command, *(["--reduced"] if reduced else [])],
                    env={**os.environ, **places},
                    capture_output=True,
                    text=True,
                    timeout=max(60.0, clock.left),
                    check=False,
                )
            except subprocess.TimeoutExpired:
                break
            if done.returncode:
                print(done.stderr[-2000:], file=sys.stderr)
                break
            taken[name] = float(done.stdout.split()[-1])
    return taken


def compile_only(device: torch.device, reduced: bool) -> float:
    """Compile the blocks of SD 1.5 once, as the product does."""
    case = cases(device, reduced)[0][2]()
    compiler = Compiler()
    started = time.perf_counter()
    with WAYS["ours"](case.module), Running(case.hot, "compiled", compiler).turn():
        case.call(case.module, case.image)
    compiler.wait(1200)
    return time.perf_counter() - started


class Page:
    """What has been found so far, kept on disk as it grows: a later part that fails takes nothing away."""

    def __init__(self, about: list[str], results: Path | None, device: torch.device) -> None:
        self._lines = ["# Speed", "", *about]
        self._stem = None if results is None else results / named(device)
        self.rows: list[Row] = []
        print("\n".join(about), flush=True)

    def add(self, *lines: str) -> None:
        """Print some lines, and keep them."""
        print("\n".join(lines), flush=True)
        self._lines += lines
        if self._stem is not None:
            self._stem.parent.mkdir(parents=True, exist_ok=True)
            self._stem.with_suffix(".md").write_text("\n".join(self._lines) + "\n", "utf-8")
            self._stem.with_suffix(".json").write_text(json.dumps(self.rows, indent=1) + "\n", "utf-8")


def calls(page: Page, device: torch.device, reduced: bool, peak_rate: float, clock: Clock) -> None:
    """One call of each network, under every way and engine."""
    page.add("", "## One call", "", _ONE_CALL, "", _HEAD)
    compiler = Compiler()
    for name, batch, make in cases(device, reduced):
        if clock.left < 45:
            page.add(f"| {name} | {batch} | no time was left | | | | | | | | |")
            continue
        found = measure(make(), batch, peak_rate, clock, compiler)
        page.rows += found
        page.add(*(told(row) for row in found))
        _let_go()
    if compiler.rejected:
        page.add("", "Blocks that stayed as they are:", *(f"- {line}" for line in compiler.rejected))


def run(options: argparse.Namespace) -> None:
    """Measure everything for which there is time, the most wanted first."""
    device, clock = torch.device(options.device), Clock(options.minutes)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    reduced = options.reduced or device.type != "cuda"
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    peak_rate = rate(device, dtype)
    about = [*described(device), f"Matrices are multiplied at {peak_rate / 1e12:.2f} TFLOP/s here, measured."]
    if reduced:
        about.append("**Reduced models**: these times say that everything runs, and nothing about real ones.")
    page = Page(about, options.results, device)
    if "calls" in options.only:
        calls(page, device, reduced, peak_rate, clock)
    if "images" in options.only:
        page.add("", "## Whole images", "", HEAD)
        try:
            end_to_end(page.add, device, dtype, reduced, clock)
        except Exception as error:
            traceback.print_exc()
            page.add("", f"Stopped: {type(error).__name__}: {error}")
        _let_go()
    if "compiling" in options.only:
        taken = compile_times(device, reduced, clock) if clock.left > 60 else {}
        told_times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in taken.items())
        page.add("", "## Compiling the blocks of SD 1.5", "", f"{told_times or 'no time was left'}.")


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> float:
    """Gigabytes of the device in use at the most since the last `_forget_peak`; 0 where nobody counts."""
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else 0.0


def _let_go() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def main() -> None:
    """Print the page, and keep it where that is asked for."""
    parser = argparse.ArgumentParser(description="How fast seamless diffusion is.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=9.0, help="no measurement is begun after this")
    parser.add_argument("--reduced", action="store_true", help="small models, as on a processor")
    parser.add_argument("--only", choices=_PARTS, nargs="+", default=_PARTS)
    parser.add_argument("--results", type=Path, metavar="DIR", help="where the page is kept")
    parser.add_argument("--compile-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compile_only:
        print(compile_only(torch.device(options.device), options.reduced))
        sys.stdout.flush()
        os._exit(0)  # a compiler's own threads and processes need not be waited for
    run(options)


if __name__ == "__main__":
    main()
