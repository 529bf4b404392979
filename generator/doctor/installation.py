# SPDX-License-Identifier: GPL-3.0-or-later
"""This program, the packages that it needs, the devices that it computes on, and the models that it finds."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from generator import __version__, diffusion
from generator.protocol import DEFAULT_MODEL, STARTER

from .finding import Finding


def program() -> Iterator[Finding]:
    """Which Dream Textures, in which Python."""
    yield Finding("Dream Textures", True, __version__)
    found = f"{platform.python_version()} ({platform.machine()} {platform.system()}), {sys.executable}"
    yield Finding("Python", True, found)


def packages() -> Iterator[Finding]:
    """What is installed beside it."""
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
            f"not installed, so of the models only {DEFAULT_MODEL} works",
            f"For {STARTER} and Stable Diffusion models: pip install 'dream-textures[diffusion]'",
        )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def devices() -> Iterator[Finding]:
    """What torch can compute on."""
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


def known_models() -> Iterator[Finding]:
    """The models on this machine."""
    try:
        from generator import models
    except ImportError:
        return  # without NumPy, which was told already
    found = models.installed()
    yield Finding("Models", True, ", ".join(model.name for model in found))
