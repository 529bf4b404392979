# SPDX-License-Identifier: GPL-3.0-or-later
"""What every rung of the memory ladder holds and how long it takes, against what the generator estimates beforehand.

    python benchmarks/memory_ladder.py [--device auto] [--channels 160] [--size 768] [--steps 2] [--markdown FILE]

A Stable Diffusion 1.x folder with random weights, whose denoiser has ``--channels`` at its first level (the real one
320, and its autoencoder 128, which is two fifths of that). Every rung runs in a process of its own: the peak is that of
the process above what it held before the model on the CPU, and what torch allocated on a graphics card. The time is
that of a second image. Measures that need a card with memory of its own are left out on the CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import torch

from generator import diffusion
from generator.diffusion import hardware
from generator.diffusion.attempts import Attempts
from generator.diffusion.estimate import Job
from generator.diffusion.ladder import Measure
from generator.protocol import Request

RUNGS: tuple[tuple[str, ...], ...] = (
    (),
    ("tiles",),
    ("tiles", "slices"),
    ("tiles", "one_by_one"),
    ("tiles", "one_by_one", "fp8"),
    ("tiles", "one_by_one", "fp8", "model_offload"),
    ("tiles", "one_by_one", "fp8", "group_offload"),
)


class Silent:
    """A `Progress` that nobody watches."""

    def check(self) -> None:
        """Nobody cancels."""

    def loading(self, what: str, fraction: float | None = None) -> None:
        """Nobody waits."""

    def step(self, index: int, step: int, steps: int, preview: Any = None, together: int = 1) -> None:
        """Nobody looks."""

    def notice(self, message: str) -> None:
        """Nobody reads."""


def save(folder: Path, channels: int) -> None:
    """The model folder, in half precision as they are published."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "generator" / "diffusion"))
    tiny_models: Any = import_module("tiny_models")
    wide = channels * 2 // 5
    half = torch.float16
    unet = tiny_models.unet(
        "sd1",
        block_out_channels=(channels, 2 * channels, 4 * channels, 4 * channels),
        layers_per_block=2,
        norm_num_groups=16,
        attention_head_dim=8,
    )
    vae = tiny_models.vae(
        block_out_channels=(wide, 2 * wide, 4 * wide, 4 * wide), layers_per_block=2, norm_num_groups=16
    )
    tiny_models.save_sd(folder, unet=unet.to(half), vae=vae.to(half))


def peak_bytes(device: torch.device) -> int:
    """The most memory that there was of the device's kind, so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(folder: str, device: str, size: int, steps: int, names: tuple[str, ...]) -> dict[str, float]:
    """One rung, in this process: bytes at the peak, bytes by the estimate, seconds of the second image."""
    measures = tuple(Measure(name) for name in names)
    request = Request(
        prompt="brick",
        model=folder,
        width=size,
        height=size,
        num_inference_steps=steps,
        guidance_scale=5,
        seed=1,
    )
    import_module("diffusers").StableDiffusionPipeline  # noqa: B018 - what is imported is no model's memory
    before = 0 if hardware.choose_device(device).type == "cuda" else psutil.Process().memory_info().rss
    usual = Attempts._first
    Attempts._first = lambda self, job: usual(self, job).having(measures)  # from the reading on, as if learnt
    model = diffusion.load(Path(folder), "auto", device, Silent())
    attempts = model._attempts
    next(model.generate(request, None, Silent()))
    started = time.perf_counter()
    next(model.generate(request, None, Silent()))
    seconds = time.perf_counter() - started
    plan = attempts.loaded(Silent()).plan
    assert plan.measures == measures, f"{plan.measures} was done in place of {measures}"
    need = attempts._need(plan, Job(size, size))
    guessed = max(size for phase, size in need.items() if phase != "read")
    return {"peak": peak_bytes(plan.device) - before, "estimate": guessed, "seconds": seconds}


def possible(device: torch.device) -> list[tuple[str, ...]]:
    """The rungs that there are on this kind of device."""
    own = hardware.has_own_memory(device)
    at_once = hardware.attends_at_once(device, torch.float16)
    return [
        names
        for names in RUNGS
        if (own or not {"model_offload", "group_offload"}.intersection(names))
        and (at_once or "slices" not in names)
    ]


def in_child(arguments: list[Any]) -> dict[str, float]:
    """One rung in a process of its own, which knows nothing of the others."""
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run(
            [sys.executable, __file__, "--case", json.dumps(arguments)],
            capture_output=True, text=True, check=False, env={**os.environ, "DREAM_TEXTURES_STATE": state},
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def table(device: torch.device, channels: int, size: int, steps: int) -> str:
    """All rungs as a Markdown table; printed row by row as well."""
    rows = ["| measures | peak | estimated | seconds an image |", "|---|---|---|---|"]
    print("\n".join(rows), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        save(model, channels)
        for names in possible(device):
            found = in_child([str(model), str(device), size, steps, names])
            said = ", ".join(names).replace("_", " ") or "none"
            row = (
                f"| {said} | {found['peak'] / 1e6:,.0f} MB | {found['estimate'] / 1e6:,.0f} MB "
                f"| {found['seconds']:.1f} |"
            )
            print(row, flush=True)
            rows.append(row)
    return "\n".join(rows)


def main() -> None:
    """Prints the table, and writes it with what it was measured on."""
    parser = argparse.ArgumentParser(description="Memory and time of every rung of the ladder.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--channels", type=int, default=160, help="a multiple of 80; the real one has 320")
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        folder, device, size, steps, names = json.loads(options.case)
        print(json.dumps(measure(folder, device, size, steps, tuple(names))))
        return
    device = hardware.choose_device(options.device)
    rows = table(device, options.channels, options.size, options.steps)
    if options.markdown:
        options.markdown.write_text(
            f"{options.channels} channels, {options.size} x {options.size}, {options.steps} steps, "
            f"PyTorch {torch.__version__}, {hardware.title(device)}, {platform.machine()}.\n\n{rows}\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
