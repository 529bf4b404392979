# SPDX-License-Identifier: GPL-3.0-or-later
"""What a set-up would do, what it costs and whom it asks, before it does anything."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from generator.protocol.environment import Environment, EnvironmentState, lock_digest, look

from . import index, locks, probe, uv
from .faults import no_space, size
from .locks import LOCKS, Lock
from .places import Places, existing_parent
from .pythons import PYTHON_BYTES, PYTHON_DISK_BYTES
from .sources import PYPI, Sources, host_of, is_local

_ACTIONS = {
    EnvironmentState.ABSENT: "install",
    EnvironmentState.INCOMPLETE: "resume",
    EnvironmentState.BROKEN: "repair",
    EnvironmentState.OUTDATED: "update",
    EnvironmentState.READY: "nothing",
}
_TORCH_FILES = "download-r2.pytorch.org"
_PYTHON_HOSTS = ("github.com", "release-assets.githubusercontent.com", "releases.astral.sh")
OLDEST_MACOS = 14
_MARGIN = 300_000_000
"""Bytes that are left free in any case: compiled modules, logs, and what else the machine writes meanwhile."""


def free_space(folder: Path) -> int:
    """Bytes free on the disk of ``folder``, which need not exist yet."""
    return shutil.disk_usage(existing_parent(folder)).free


@dataclass(frozen=True)
class Wish:
    """What is asked for. An empty accelerator means the best one; ``python`` None means one of uv's own."""

    folder: Path
    accelerator: str = ""
    python: Path | None = None
    sources: Sources = field(default_factory=Sources)
    locks: Path = LOCKS
    free: Callable[[Path], int] = free_space

    @property
    def places(self) -> Places:
        """The paths below the folder."""
        return Places(self.folder)

    def look(self) -> Environment:
        """The state of the folder, measured against these locks."""
        return look(self.folder, lock_digest(self.locks))


@dataclass(frozen=True)
class Plan:
    """Everything that an artist is told before agreeing; sizes in bytes, ``problem`` empty where it can start."""

    state: str
    action: str
    folder: str
    accelerator: str
    reason: str
    download_bytes: int
    disk_bytes: int
    free_bytes: int
    hosts: list[str]
    python: str
    deletes: list[str]
    keeps: list[str]
    problem: str = ""
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """The plan for a terminal."""
        return [
            f"Folder: {self.folder} ({self.state})",
            f"Would {'do nothing' if self.action == 'nothing' else self.action}: PyTorch for {self.accelerator}",
            f"Because: {self.reason}",
            f"Download {size(self.download_bytes)}, on disk {size(self.disk_bytes)}, free {size(self.free_bytes)}",
            f"Hosts: {', '.join(self.hosts) or 'none'}",
            f"Python: {self.python}",
            f"To remove: {', '.join(self.deletes) or 'nothing'}",
            *([self.problem] if self.problem else []),
            *([self.advice] if self.advice else []),
        ]


def plan(wish: Wish) -> Plan:
    """The plan for a wish; writes nothing, and asks nothing of the network but local folders and named mirrors."""
    state = wish.look()
    choice = choose(wish, state)
    action = _ACTIONS[state.state]
    if action == "nothing" and choice.accelerator != state.accelerator:
        action = "update"
    places = wish.places
    common = {
        "state": state.state.value,
        "action": action,
        "folder": str(wish.folder),
        "accelerator": choice.accelerator,
        "reason": choice.reason,
        "free_bytes": _free(wish),
        "deletes": [str(path) for path in places.made() if path.exists() or path.is_symlink()],
        "keeps": ["Models, wherever they lie", *_strangers(places)],
    }
    try:
        lock = locks.find_lock(choice.accelerator, wish.locks)
    except (OSError, ValueError) as error:
        return Plan(
            **common, download_bytes=0, disk_bytes=0, hosts=[], python="",
            problem=f"There is no set-up for PyTorch on this kind of computer ({locks.platform_name()}).",
            advice=f"Use an existing Python. ({error})" if locks.available(wish.locks) else "Use an existing Python.",
        )  # fmt: skip
    needs_python = wish.python is None and not any(places.pythons.glob("cpython-*"))
    share = share_needed(lock, state, places)
    disk = space_needed(lock, share, needs_python) if action != "nothing" else 0
    problem, advice = _problem(wish, disk, common["free_bytes"])
    return Plan(
        **common,
        download_bytes=_download(lock, share, places, needs_python) if disk else 0,
        disk_bytes=disk,
        hosts=hosts(wish.sources, lock, needs_python) if disk else [],
        python=_python_words(wish, lock, needs_python),
        problem=problem,
        advice=advice or choice.advice,
    )


def choose(wish: Wish, state: Environment) -> probe.Choice:
    """The accelerator that was asked for, or the best one; an environment that works keeps the one it has."""
    on_offer = locks.available(wish.locks)
    if wish.accelerator:
        return probe.Choice(wish.accelerator, "You chose it.")
    if state.state in (EnvironmentState.READY, EnvironmentState.OUTDATED) and state.accelerator in on_offer:
        return probe.Choice(state.accelerator, "The environment that is there was made for it.")
    return probe.choose(probe.probe(), on_offer)


def share_needed(lock: Lock, state: Environment, places: Places) -> float:
    """How much of a lock has to be fetched, from 0 to 1: the cache is linked and not copied."""
    if state.state in (EnvironmentState.READY, EnvironmentState.OUTDATED):
        # PyTorch with its libraries is nine tenths of everything.
        same = state.accelerator == lock.accelerator and state.version == lock.pins.get("torch", "")
        return 0.1 if same else 1.0
    there = folder_size(places.cache) if places.cache.is_dir() else 0
    return max(1.0 - there / max(lock.disk, 1), 0.05)


def space_needed(lock: Lock, share: float, needs_python: bool) -> int:
    """Bytes that a new environment takes on the disk, with ``share`` of the lock to be fetched."""
    return round(lock.disk * share) + _MARGIN + (PYTHON_DISK_BYTES if needs_python else 0)


def folder_size(folder: Path) -> int:
    """Bytes of all files below ``folder``; what vanishes meanwhile does not count."""
    total, pending = 0, [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def torch_is_near(sources: Sources, lock: Lock) -> bool:
    """Whether folders of wheels or local indexes hold PyTorch as locked, so that its own index is not asked."""
    indexes = [index.local_path(url) for url in sources.indexes() if is_local(url)]
    return all(
        any(_holds(folder, wheels) for folder in (*sources.folders(), *(path / name for path in indexes)))
        for name, wheels in special_wheels(lock).items()
    )


def special_wheels(lock: Lock) -> dict[str, tuple[str, ...]]:
    """How the names of the wheels begin that PyTorch's own index serves, by package."""
    tags = [*(f"cp{python.replace('.', '')}" for python in lock.pythons), "py3"]
    return {
        name: tuple(f"{name.replace('-', '_')}-{version}-{tag}-" for tag in tags)
        for name, version in lock.special_pins.items()
    }


def _holds(folder: Path, beginnings: tuple[str, ...]) -> bool:
    if (folder / "index.html").is_file():
        text = (folder / "index.html").read_text(encoding="utf-8", errors="replace").replace("%2B", "+")
        return any(beginning in text for beginning in beginnings)
    return any(path.name.startswith(beginnings) for path in folder.glob("*.whl"))


def hosts(sources: Sources, lock: Lock, needs_python: bool) -> list[str]:
    """Every host that may be asked."""
    found = [host_of(link) for link in sources.find_links]
    found += [host_of(url) for url in sources.indexes()]
    if PYPI in sources.indexes():
        found.append("files.pythonhosted.org")
    if sources.offline:
        return []
    if not torch_is_near(sources, lock):
        torch = sources.torch_index_url or lock.torch_index
        found += [host_of(torch), *([] if sources.torch_index_url else [_TORCH_FILES])]
    if needs_python:
        found += [host_of(sources.python_mirror)] if sources.python_mirror else _PYTHON_HOSTS
    return [host for host in dict.fromkeys(found) if host]


def _download(lock: Lock, share: float, places: Places, needs_python: bool) -> int:
    tools = 0 if uv.ready(places.tools) else uv.WHEEL_BYTES
    return round(lock.download * share) + tools + (PYTHON_BYTES if needs_python else 0)


def _problem(wish: Wish, needed: int, free: int) -> tuple[str, str]:
    parent = existing_parent(wish.folder)
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        return f"Nothing can be written in {parent}.", "Choose a folder of your own."
    if needed and free < needed:
        failure = no_space(wish.folder, needed, free)
        return str(failure), failure.advice
    if sys.platform == "darwin" and _macos() < OLDEST_MACOS:
        return (
            f"PyTorch needs macOS {OLDEST_MACOS} or later, and this is {platform.mac_ver()[0]}.",
            "Update macOS, or use an existing Python.",
        )
    if sys.platform == "win32" and len(str(wish.folder)) > 120 and not long_paths():
        return (
            f"The path of {wish.folder} is too long for Windows, which cuts paths at 260 characters.",
            "Choose a shorter folder, such as C:\\DreamTextures.",
        )
    return "", ""


def _macos() -> int:
    """The first number of the version of macOS; a high one where it does not say."""
    first = platform.mac_ver()[0].partition(".")[0]
    return int(first) if first.isdigit() else 99


def long_paths() -> bool:
    """Windows: whether paths of more than 260 characters were allowed."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def _free(wish: Wish) -> int:
    try:
        return wish.free(wish.folder)
    except OSError:
        return 0


def _strangers(places: Places) -> list[str]:
    try:
        found = sorted(places.folder.iterdir())
    except OSError:
        return []
    return [str(path) for path in found if path not in places.made()]


def _python_words(wish: Wish, lock: Lock, needs_python: bool) -> str:
    if wish.python is not None:
        return f"{wish.python}, as you asked."
    if not needs_python:
        return f"The Python {lock.pythons[0]} that was downloaded before."
    if wish.sources.offline and not wish.sources.python_mirror:
        return f"A Python {' or '.join(lock.pythons)} of this machine."
    return f"Python {lock.pythons[0]}, downloaded for this alone; if it cannot be, one of this machine."
