# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies around the program and has kept others from working: disks, paths, sandboxes, drivers, proxies.

Every check takes what it judges as an argument, so that each system's troubles are tested on every system.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from generator.environment.faults import size
from generator.environment.locks import available
from generator.environment.places import existing_parent
from generator.environment.probe import Card, choose
from generator.environment.sources import without_secrets
from generator.protocol.environment import EnvironmentState, lock_digest, look

from .finding import Finding

NEEDED_DISK = 8 * 10**9
"""Bytes that torch, diffusers and one Stable Diffusion model take."""

MAX_FOLDER = 120
"""Characters; PyTorch's longest file names take about 130 more, and Windows cuts at 260."""

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "UV_OFFLINE", "PIP_NO_INDEX")
_PROXY = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


def environment_state(folder: Path, locks: Path) -> Iterator[Finding]:
    """Whether the private environment can be used."""
    found = look(folder, lock_digest(locks))
    advice = {
        EnvironmentState.ABSENT: "Set up the generator in the preferences of Dream Textures.",
        EnvironmentState.INCOMPLETE: "Set up the generator again: it goes on where it ended.",
        EnvironmentState.OUTDATED: "Update the generator; until then the old one works.",
        EnvironmentState.BROKEN: "Repair the generator: only what is damaged is fetched again.",
        EnvironmentState.READY: "",
    }[found.state]
    ok = found.state in (EnvironmentState.READY, EnvironmentState.OUTDATED, EnvironmentState.ABSENT)
    torch = f", PyTorch {found.version} for {found.accelerator}" if found.version else ""
    problem = f". {found.problem}" if found.problem else ""
    yield Finding("Private environment", ok, f"{found.state.value}{torch}, in {folder}{problem}", advice)


def folder_path(folder: PurePath, system: str, long_paths: bool) -> Iterator[Finding]:
    """Whether the path of the environment is one that every library can open."""
    text = str(folder)
    if system == "win32" and len(text) > MAX_FOLDER and not long_paths:
        yield Finding(
            "Path length",
            False,
            f"{text} has {len(text)} characters, and Windows cuts paths at 260",
            "Choose a shorter folder, such as C:\\DreamTextures, or let Windows have long paths (LongPathsEnabled).",
        )
    else:
        yield Finding("Path length", True, f"{len(text)} characters")
    if not text.isascii():
        strange = "".join(sorted({letter for letter in text if not letter.isascii()}))
        on_windows = system == "win32"
        yield Finding(
            "Letters of the path",
            not on_windows,
            f"{text} has letters that some libraries cannot open on Windows: {strange}"
            if on_windows
            else f"{text} has {strange}, which is no trouble here",
            "Choose a folder with plain letters, such as C:\\DreamTextures." if on_windows else "",
        )


def disks(folders: Mapping[str, Path]) -> Iterator[Finding]:
    """Space and the right to write, for each folder by its name."""
    for what, folder in folders.items():
        parent = existing_parent(folder)
        try:
            free = shutil.disk_usage(parent).free
        except OSError as error:
            yield Finding(what, False, f"{folder}: {error.strerror}", "Choose a folder that exists.")
            continue
        if not os.access(parent, os.W_OK):
            yield Finding(
                what,
                False,
                f"{parent} cannot be written",
                "Choose a folder of your own, or change its rights.",
            )
            continue
        advice = (
            "" if free >= NEEDED_DISK else f"A diffusion model with torch takes about {size(NEEDED_DISK)}."
        )
        yield Finding(what, free >= 10**9, f"{folder}, {size(free)} free", advice)


def packaging(executable: PurePath, environ: Mapping[str, str], system: str) -> Iterator[Finding]:
    """Whether this program runs in a sandbox or a store's package, which hides or freezes folders."""
    text = executable.as_posix()
    kind = advice = ""
    if system == "win32" and "/WindowsApps/" in text:
        kind = "the Microsoft Store"
        advice = (
            "Windows moves its folders about: choose a folder such as C:\\DreamTextures for the environment."
        )
    elif environ.get("SNAP") and (text.startswith(("/snap/", environ["SNAP"]))):
        kind = "a snap"
        advice = "Choose a folder in your home that is not hidden; a driver may be out of its reach."
    elif environ.get("FLATPAK_ID") or text.startswith("/app/"):
        kind = "a Flatpak"
        advice = (
            "It sees few folders and no programs of the system: choose a folder in your home, and where PyTorch "
            "finds no graphics card use Blender from blender.org."
        )
    yield Finding("Package", True, f"from {kind}" if kind else "an ordinary program", advice)


def graphics(cards: Sequence[Card], system: str) -> Iterator[Finding]:
    """What the drivers say, and which build of PyTorch that means."""
    choice = choose(cards, available())
    yield Finding("Graphics card", True, f"{choice.reason} PyTorch: {choice.accelerator}", choice.advice)


def proxies(environ: Mapping[str, str], from_pip: str) -> Iterator[Finding]:
    """Which proxy is used; users and passwords are left out."""
    by_name = {name: environ.get(name) or environ.get(name.lower(), "") for name in _PROXY}
    said = [f"{name}={without_secrets(value)}" for name, value in by_name.items() if value]
    if from_pip:
        said.append(f"pip: {without_secrets(from_pip)}")
    odd = [name for name, value in by_name.items() if name != "NO_PROXY" and value and "://" not in value]
    advice = f"Write {', '.join(odd)} with http:// in front of it." if odd else ""
    yield Finding("Proxy", not odd, ", ".join(said) or "none", advice)


def offline_switches(environ: Mapping[str, str], offline: bool) -> Iterator[Finding]:
    """Whether anything keeps the network from being used."""
    said = [
        f"{name}={environ[name]}"
        for name in _OFFLINE
        if environ.get(name, "0").lower() not in ("", "0", "false")
    ]
    if offline:
        said.insert(0, "Blender may not use the network")
    advice = (
        "Nothing is downloaded. Allow online access in Blender's preferences (System), or use folders of wheels."
        if offline
        else "Unset them to let models and packages be downloaded."
    )
    yield Finding("Network", True, ", ".join(said) or "may be used", advice if said else "")
