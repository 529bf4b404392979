# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at this installation: what works here, what does not, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from generator import __version__, diffusion, models

NEEDED_DISK_GIB = 8
"""What torch, diffusers and one Stable Diffusion model take."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is in order, what was found, and advice where it is not."""

    what: str
    ok: bool
    found: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


def examine() -> list[Finding]:
    """Everything looked at, in the order in which people want to know it."""
    return [*_python(), *_packages(), *_devices(), *_models(), *_disk()]


def _python() -> Iterator[Finding]:
    yield Finding("Dream Textures", True, __version__)
    found = f"{platform.python_version()} ({platform.machine()} {platform.system()}), {sys.executable}"
    yield Finding("Python", True, found)


def _packages() -> Iterator[Finding]:
    for name, advice in (
        ("numpy", "Nothing works without NumPy."),
        ("pillow", "Files cannot be read or written."),
    ):
        version = _version(name)
        yield Finding(name, version is not None, version or "missing", "" if version else advice)
    if diffusion.available():
        for name in ("torch", "diffusers", "transformers", "accelerate", "peft"):
            version = _version(name)
            yield Finding(
                name, version is not None, version or "missing", "" if version else f"pip install {name}"
            )
    else:
        yield Finding(
            "torch and diffusers",
            True,
            "not installed, so only the built-in model works",
            "For Stable Diffusion models: pip install 'dream-textures[diffusion]'",
        )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> Iterator[Finding]:
    if not diffusion.available():
        return
    try:
        found = diffusion.devices()
    except Exception as error:  # a broken torch raises anything, from ImportError to OSError
        yield Finding("Devices", False, f"torch cannot be used: {error}", "Install torch again.")
        return
    for device in found:
        yield Finding("Device", True, f"{device['id']}: {device['name']}")
    if {device["kind"] for device in found} == {"cpu"}:
        yield Finding(
            "GPU",
            True,
            "none that torch can use; diffusion models will be slow",
            "If there is one, install the torch build for it from pytorch.org.",
        )


def _models() -> Iterator[Finding]:
    found = models.installed()
    yield Finding("Models", True, ", ".join(model.name for model in found))


def _disk() -> Iterator[Finding]:
    for what, folder in (("Home folder", Path.home()), ("Temporary folder", Path(tempfile.gettempdir()))):
        try:
            free = shutil.disk_usage(folder).free / 2**30
        except OSError as error:
            yield Finding(what, False, f"{folder}: {error.strerror}", "Choose a folder that exists.")
            continue
        short = free < 1
        advice = (
            f"A diffusion model with torch takes about {NEEDED_DISK_GIB} GiB."
            if free < NEEDED_DISK_GIB
            else ""
        )
        yield Finding(what, not short, f"{folder}, {free:.1f} GiB free", advice)
