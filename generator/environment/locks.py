# SPDX-License-Identifier: GPL-3.0-or-later
"""The locked requirements: one file a platform and accelerator, every package pinned and hashed.

A lock begins with lines such as ``#: download 203000000``, which say what it costs and what it needs, and may have
two parts: what every index serves, and after ``#: index URL`` what only PyTorch's own index serves.
"""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

LOCKS = Path(__file__).resolve().parent / "locks"
ACCELERATORS = ("cuda", "cuda-legacy", "rocm", "xpu", "mps", "cpu")
"""Builds of PyTorch: NVIDIA, NVIDIA before Turing, AMD, Intel, Apple, and none of these."""

_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")


@dataclass(frozen=True)
class Lock:
    """One lock file. ``download`` and ``disk`` are bytes; ``pythons`` are versions such as ``3.12``, best first."""

    path: Path
    accelerator: str
    download: int
    disk: int
    pythons: tuple[str, ...]
    torch_index: str
    general: str
    special: str
    driver: int

    @property
    def pins(self) -> dict[str, str]:
        """Version by normalised name."""
        return {_normal(name): version for name, version in _PIN.findall(_without_comments(self.text))}

    @property
    def text(self) -> str:
        """Both parts."""
        return self.general + self.special

    @property
    def special_pins(self) -> dict[str, str]:
        """What only PyTorch's own index serves."""
        return {_normal(name): version for name, version in _PIN.findall(_without_comments(self.special))}


def platform_name(system: str = sys.platform, machine: str = "") -> str:
    """This platform as lock files name it, such as ``linux-x86_64``."""
    machine = (machine or platform.machine()).lower()
    systems = {"win32": "windows", "darwin": "macos"}
    machines = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}
    return f"{systems.get(system, system)}-{machines.get(machine, machine)}"


def available(locks: Path = LOCKS, on: str = "") -> tuple[str, ...]:
    """The accelerators that there are locks for on this platform."""
    on = on or platform_name()
    return tuple(name for name in ACCELERATORS if (locks / f"{on}-{name}.txt").is_file())


def find_lock(accelerator: str, locks: Path = LOCKS, on: str = "") -> Lock:
    """The lock for this platform. Raises OSError, or ValueError for a file that is none."""
    path = locks / f"{on or platform_name()}-{accelerator}.txt"
    return read_lock(path, accelerator)


def read_lock(path: Path, accelerator: str) -> Lock:
    """A lock file as a value."""
    said: dict[str, str] = {}
    parts: list[list[str]] = [[], []]
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("#: "):
            name, _, value = line[3:].strip().partition(" ")
            said[name] = value.strip()
            continue
        parts[1 if "index" in said else 0].append(line)
    try:
        return Lock(
            path=path,
            accelerator=accelerator,
            download=int(said["download"]),
            disk=int(said["disk"]),
            pythons=tuple(said["python"].split()),
            torch_index=said.get("index", ""),
            general="".join(parts[0]),
            special="".join(parts[1]),
            driver=int(said.get("driver", "0")),
        )
    except KeyError as error:
        raise ValueError(f"{path} does not say {error}") from error


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
