# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator that can only set up, and does as the file ``mode`` in its working folder tells it.

Copied to ``RUNTIME/generator/__main__.py``, it is started as the real one is. ``started`` gets the command line of
each start and its process's number.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

SHOWN = ("HTTPS_PROXY", "PIP_PROXY", "PYTHONPATH", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS")

arguments = sys.argv[1:]
mode = Path("mode").read_text().strip()
given = dict(item.removeprefix("--").split("=", 1) for item in arguments if "=" in item)
folder = Path(given.get("folder", "nowhere"))
with Path("started").open("a") as file:
    seen = {name: os.environ.get(name) for name in SHOWN}
    file.write(json.dumps({"arguments": arguments, "pid": os.getpid(), "environment": seen}) + "\n")


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def step(what: str, fraction: float | None, **more: Any) -> None:
    say(event="step", what=what, fraction=fraction, **more)


def fail(kind: str, message: str, advice: str, status: int = 1) -> None:
    say(event="failed", kind=kind, message=message, advice=advice, log=str(folder / "setup.log"))
    sys.stdout.flush()
    os._exit(status)


def mark(state: str) -> None:
    """Write the marker as the real set-up does, and a Python where it says."""
    python = folder / "environments" / "1" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        python.symlink_to(sys.executable)
    marker = {
        "format": 1,
        "state": state,
        "python": "environments/1/bin/python",
        "accelerator": "cpu",
        "version": "0",
        "locks": "",
        "problem": "",
    }
    (folder / "environment.json").write_text(json.dumps(marker))
    (folder / "setup.log").write_text("what uv printed\n")


def end_with_stdin() -> None:
    sys.stdin.buffer.read()
    fail("cancelled", "The set-up was cancelled.", "It can be resumed.", 130)


def set_up() -> None:
    if "--watch-stdin" in arguments and mode != "deaf":
        threading.Thread(target=end_with_stdin, daemon=True).start()
    mark("incomplete")
    step("Fetching uv", 0.0)
    if mode.startswith("fails "):
        fail(mode.removeprefix("fails "), "It did not work.", "Do something else.")
    if mode == "hangs":
        time.sleep(600)
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        step("Deaf", 0.5)
        time.sleep(600)
    if mode == "dies":
        print("MemoryError: no more of it", file=sys.stderr, flush=True)
        os._exit(9)
    if mode == "flood":
        while True:
            print("x" * 1000, flush=True)
    if mode == "garbage":
        sys.stdout.buffer.write(
            b"\xff\xfe{]\n[1, 2]\nnull\n" + b"[" * 100_000 + b"\n\n" + b"y" * 200_000 + b"\n"
        )
        say(
            event="step",
            what=["no", "text"],
            fraction="half",
            bytes=True,
            total=-5,
            seconds_left=float("nan"),
        )
        say(event="unheard of")
        step("After the garbage", 7)
    if mode == "leaves a child":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], stdin=subprocess.DEVNULL)
    for number in range(600 if mode == "slow" else 3):
        step(
            "Downloading PyTorch",
            min(number / 3, 1.0),
            bytes=number * 100_000_000,
            total=300_000_000,
            bytes_per_second=5_200_000,
            seconds_left=42,
        )
        time.sleep(0.05)
    mark("ready")
    say(event="done", state="ready", python=str(folder), changed=True, message="The generator is ready.")


def plan() -> None:
    if mode == "no plan":
        print("ImportError: nothing to import", file=sys.stderr)
        os._exit(1)
    full = mode == "no space"
    report = {
        "state": "absent",
        "action": "install",
        "folder": str(folder),
        "accelerator": "cuda",
        "reason": "NVIDIA GeForce RTX 3060, driver 550.54",
        "download_bytes": 2_600_000_000,
        "disk_bytes": 6_100_000_000,
        "free_bytes": 1_000_000_000 if full else 80_000_000_000,
        "hosts": ["pypi.org", "download.pytorch.org"],
        "python": "Python 3.12 is downloaded from github.com",
        "deletes": [str(folder / "environments"), str(folder / "cache")],
        "keeps": [str(folder / "models")],
        "problem": "There is not enough space." if full else "",
        "advice": "Choose another folder." if full else "",
    }
    print(json.dumps(report, indent=2))
    sys.exit(1 if full else 0)


def remove() -> None:
    (folder / "environment.json").unlink()
    say(event="done", state="absent", changed=True, message="Deleted.")


def check() -> None:
    python = given["check"]
    lacks = [] if mode == "complete" else ["diffusers>=0.35"]
    say(
        ok=not lacks,
        python=python,
        version="3.12.1",
        lacks=lacks,
        has={"torch": "2.13.0"},
        device="cpu",
        message="It has everything." if not lacks else "Something is missing.",
        advice="" if not lacks else "Install it, or use Set Up Generator.",
    )


def doctor() -> None:
    findings = [
        {"what": "Disk", "ok": False, "found": "0.5 GB free", "advice": "Free some."},
        {"what": "Python", "ok": True, "found": "3.11", "advice": ""},
    ]
    print(json.dumps(findings, indent=2))
    sys.exit(1)


if arguments[0] == "doctor":
    doctor()
elif "--plan" in arguments:
    plan()
elif "--remove" in arguments:
    remove()
elif "check" in given:
    check()
else:
    set_up()
