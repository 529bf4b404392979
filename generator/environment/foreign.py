# SPDX-License-Identifier: GPL-3.0-or-later
"""Any interpreter, looked at from outside: what it is, and what it lacks to run the generator."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .cancelling import Cancel
from .children import Runner
from .faults import Failure
from .sources import Sources

INSPECT = Path(__file__).with_name("inspect_python.py")
QUICK, THOROUGH = 30.0, 300.0
"""Seconds for a look, and for the first import of torch on a slow disk."""

OLDEST = (3, 11)
NEEDS: Mapping[str, tuple[int, ...]] = {
    "numpy": (1, 26),
    "pillow": (10, 3),
    "tqdm": (4, 66),
    "torch": (2, 6),
    "diffusers": (0, 35),
    "transformers": (4, 56),
    "accelerate": (1, 8),
    "peft": (0, 17),
    "safetensors": (0, 5),
    "packaging": (24,),
    "psutil": (6,),
}
"""What pyproject.toml asks for; a test holds the two together."""

MODULES = ("torch", "diffusers", "transformers", "safetensors", "accelerate", "peft", "numpy", "PIL")


@dataclass(frozen=True)
class Report:
    """Whether a Python can run the generator with all models, and what to do where it cannot."""

    ok: bool
    python: str
    version: str = ""
    lacks: list[str] = field(default_factory=list)
    has: dict[str, str] = field(default_factory=dict)
    device: str = ""
    message: str = ""
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


def inspect(python: Path, words: Sequence[str], limit: float, runner: Runner | None = None) -> dict[str, Any]:
    """What ``inspect_python.py`` says, run by ``python``. Raises `Failure` of kind ``python``."""
    runner = runner or Runner(Cancel())
    command = [python, "-s", "-E", "-X", "utf8", INSPECT, *words]
    try:
        ran = runner.run(command, env=Sources().environment(), cwd=INSPECT.parent, limit=limit)
        said = json.loads(ran.output.strip().splitlines()[-1])
        if isinstance(said, dict) and isinstance(said.get("version"), str):
            return said
    except Failure as failure:
        if failure.kind == "cancelled":
            raise
        raise Failure("python", f"{python} does not answer: {failure}", "Choose another Python.") from failure
    except (ValueError, LookupError):
        pass
    raise Failure("python", f"{python} is no Python that can be used.", "Choose the program python itself.")


def examine_python(python: Path, cancel: Cancel | None = None) -> Report:
    """The report on any path; raises `Failure` when cancelled, and never for what is found there."""
    runner = Runner(cancel or Cancel())
    if not python.is_file():
        return Report(False, str(python), message=f"There is no file {python}.", advice="Choose a Python.")
    if os.name == "posix" and not os.access(python, os.X_OK):
        return Report(False, str(python), message=f"{python} is no program.", advice="Choose a Python.")
    try:
        said = inspect(python, [], QUICK, runner)
    except Failure as failure:
        if failure.kind == "cancelled":
            raise
        return Report(False, str(python), message=str(failure), advice=failure.advice)
    version = said["version"]
    has = {name: said["has"][name] for name in NEEDS if name in said["has"]}
    if numbers(version)[:2] < OLDEST:
        return Report(
            False, str(python), version, [f"python>={OLDEST[0]}.{OLDEST[1]}"], has,
            message=f"{python} is Python {version}, and {OLDEST[0]}.{OLDEST[1]} or later is needed.",
            advice="Choose another Python, or let Dream Textures set up its own.",
        )  # fmt: skip
    lacks = [
        f"{name}>={'.'.join(map(str, least))}"
        for name, least in NEEDS.items()
        if name not in has or numbers(has[name])[: len(least)] < least
    ]
    if lacks:
        return Report(
            False, str(python), version, lacks, has,
            message=f"Python {version} lacks {', '.join(lacks)}.",
            advice=f'Install them with: "{python}" -m pip install {" ".join(_quoted(lack) for lack in lacks)}',
        )  # fmt: skip
    try:
        said = inspect(python, ["--compute", *MODULES], THOROUGH, runner)
    except Failure as failure:
        if failure.kind == "cancelled":
            raise
        return Report(False, str(python), version, [], has, "", str(failure), failure.advice)
    if said["problems"]:
        return Report(
            False, str(python), version, [], has,
            message=f"Python {version} has everything, but {said['problems'][0]}.",
            advice="Install that package again, or let Dream Textures set up its own Python.",
        )  # fmt: skip
    device = said["device"]
    return Report(
        True, str(python), version, [], has, device,
        message=f"Python {version} has everything, with PyTorch {has['torch']} on {device_words(device)}.",
        advice="" if device != "cpu" else "If there is a graphics card, install the PyTorch build for it.",
    )  # fmt: skip


def device_words(device: str) -> str:
    """A device's name for people."""
    words = {"cuda": "the graphics card", "xpu": "the Intel graphics card", "mps": "the Apple GPU"}
    return words.get(device, "the processor")


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``2.13.0+cu130`` is (2, 13, 0)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _quoted(requirement: str) -> str:
    return f'"{requirement}"'
