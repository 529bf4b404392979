# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an artist waits for the first step: the generator against the script that everybody writes.

    python benchmarks/start.py [--rounds 3] [--folder FOLDER] [--tiny] [--markdown FILE]

Each time is that of a fresh process, and the ways take turns within a round; the fastest round of each counts. The
model is a folder of Stable Diffusion 1.5's size with random float16 weights (2.1 GB), made once in FOLDER, and read
once before the clock runs, so that it comes from the system's cache for everyone. It has no safety checker, which
spares the plain script another 1.2 GB.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from start_folder import make_folder

from generator.protocol import Devices, Failed, Generate, Heartbeat, Hello, Request, Step, receive, send

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 300.0
"""Seconds after which a process that has not become ready is given up."""
SETTLED = 3
"""Heartbeats, a second apart, during which a process that imports nothing more keeps its size."""
GOAL, GREETING_GOAL = 0.5, 0.3

PLAIN = """
import sys
import torch
from diffusers import StableDiffusionPipeline
settings = {"torch_dtype": torch.float16} if sys.argv[2:] else {}
pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[1], **settings)
if torch.cuda.is_available():
    pipeline.to("cuda")
    torch.cuda.synchronize()
print("ready", flush=True)
"""


@contextmanager
def process(*arguments: str) -> Iterator[Any]:
    """A fresh Python in the root of the checkout; ended, at the latest after `LIMIT`."""
    state = tempfile.TemporaryDirectory(prefix="dream-textures-start-")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DREAM_TEXTURES_STATE": state.name}
    environment["PYTHONPATH"] = str(ROOT)
    with (
        state,
        subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as opened,
    ):
        watchdog = threading.Timer(LIMIT, opened.kill)
        watchdog.start()
        try:
            yield opened
        finally:
            watchdog.cancel()
            opened.kill()


def plain(folder: Path, *words: str) -> dict[str, float]:
    """The script, until its pipeline is ready."""
    began = time.perf_counter()
    with process("-c", PLAIN, str(folder), *words) as script:
        if script.stdout.readline().strip() != b"ready":
            raise SystemExit("The plain script did not become ready.")
        return {"ready": time.perf_counter() - began}


def ours(folder: Path) -> dict[str, float]:
    """The generator from its start: until it greets, and until the model stands where the first step is computed."""
    began = time.perf_counter()
    with process("-m", "generator", "serve") as server:
        _hear(server, Hello)
        greeted = time.perf_counter() - began
        send(server.stdin, Generate("first", _request(folder)))
        _hear(server, Step)
        return {"greeting": greeted, "ready": time.perf_counter() - began}


def ours_warm(folder: Path) -> dict[str, float]:
    """The same for an artist who typed the words meanwhile: from Generate on, once the process is at rest."""
    with process("-m", "generator", "serve") as server:
        _hear(server, Devices)
        sizes = [0]
        while len(sizes) <= SETTLED or max(sizes[-SETTLED:]) - min(sizes[-SETTLED:]) > 1 << 20:
            sizes.append(_hear(server, Heartbeat).memory_bytes)
        began = time.perf_counter()
        send(server.stdin, Generate("first", _request(folder)))
        _hear(server, Step)
        return {"ready": time.perf_counter() - began}


def _request(folder: Path) -> Request:
    return Request(prompt="mossy brick", model=str(folder), num_inference_steps=20, maps=("basecolor",))


def _hear(server: Any, kind: type) -> Any:
    while not isinstance(event := receive(server.stdout), kind):
        if event is None or isinstance(event, Failed):
            raise SystemExit(f"The generator did not become ready: {event}")
    return event


WAYS: dict[str, tuple[str, Callable[[Path], dict[str, float]]]] = {
    "plain": ("the plain script", plain),
    "plain16": ("the plain script with torch_dtype=float16", lambda folder: plain(folder, "float16")),
    "ours": ("ours, from the start of the process", ours),
    "warm": ("ours, from Generate, started before", ours_warm),
}


def measure(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """The seconds of each way's fastest round."""
    for file in folder.rglob("*.safetensors"):
        with file.open("rb") as opened:
            while opened.read(1 << 24):
                pass
    best: dict[str, dict[str, float]] = {name: {} for name in WAYS}
    for number in range(rounds):
        for name, (title, way) in WAYS.items():
            found = way(folder)
            for what, seconds in found.items():
                best[name][what] = min(seconds, best[name].get(what, seconds))
            times = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in found.items())
            print(f"round {number + 1}: {title}: {times}", flush=True)
    return best


def table(best: dict[str, dict[str, float]]) -> str:
    """All ways as a Markdown table, with the goals."""
    whole = best["plain"]["ready"]
    rows = ["| way | seconds | by plain | goal |", "|---|---:|---:|---:|"]
    for name, (title, _) in WAYS.items():
        seconds = best[name]["ready"]
        goal = f"{GOAL:.2f}" if name == "ours" else ""
        rows.append(f"| {title} | {seconds:.2f} | {seconds / whole:.2f} | {goal} |")
    rows.append(f"| our greeting | {best['ours']['greeting']:.2f} | | {GREETING_GOAL:.2f} s |")
    return "\n".join(rows)


def main() -> None:
    """Print the times, and write them with a heading."""
    parser = argparse.ArgumentParser(description="How long an artist waits for the first step.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "dream-textures-start")
    parser.add_argument("--tiny", action="store_true", help="a model of a few megabytes, to try this program")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args()
    folder = make_folder(options.folder / ("tiny" if options.tiny else "sd15"), tiny=options.tiny)
    rows = table(measure(folder, options.rounds))
    import diffusers
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} processors"
    about = (
        f"PyTorch {torch.__version__}, diffusers {diffusers.__version__}, {platform.machine()}, {device}; "
        f"{'a tiny model' if options.tiny else 'Stable Diffusion 1.5 in float16, random weights'}; "
        f"the fastest of {options.rounds} rounds."
    )
    print(f"\n{about}\n\n{rows}")
    if options.markdown:
        options.markdown.write_text(f"# How long it takes to start\n\n{about}\n\n{rows}\n", "utf-8")


if __name__ == "__main__":
    main()
