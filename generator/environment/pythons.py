# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python an environment stands on: uv's own, else one of this machine, never Blender's and never a venv's."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .children import Runner
from .faults import Failure, of_uv
from .foreign import QUICK, inspect
from .locks import Lock
from .places import Places
from .sources import Sources, is_local

FETCH_LIMIT = 1800.0
PYTHON_BYTES, PYTHON_DISK_BYTES = 35_000_000, 120_000_000


@dataclass(frozen=True)
class Base:
    """The Python found, its version, and a sentence on where it is from."""

    python: Path
    version: str
    words: str


@dataclass(frozen=True)
class Uv:
    """The uv program with its surroundings, for one set-up."""

    program: Path
    places: Places
    sources: Sources
    runner: Runner

    def environment(self, **more: str) -> dict[str, str]:
        """The variables for every call."""
        return {
            **self.sources.environment(),
            "UV_CACHE_DIR": str(self.places.cache),
            "UV_PYTHON_INSTALL_DIR": str(self.places.pythons),
            "UV_PYTHON_INSTALL_BIN": "0",
            "UV_PYTHON_INSTALL_REGISTRY": "0",
            "UV_NO_PROGRESS": "1",
            "NO_COLOR": "1",
            **more,
        }


def choose(uv: Uv, lock: Lock, wish: Path | None, say: Callable[[str], None]) -> Base:
    """The Python to build on. Raises `Failure` of kind ``python`` where there is none."""
    if wish is not None:
        return _given(wish, lock, uv.runner)
    version = lock.pythons[0]
    found = _managed(uv, version)
    if found is None and (not uv.sources.offline or is_local(uv.sources.python_mirror or "https://")):
        say(f"Fetching Python {version}")
        problem = _fetch(uv, version)
        found = _managed(uv, version)
        if found is None and problem and problem.kind in ("no_space", "permission", "cancelled"):
            raise problem
    if found is not None:
        return Base(found, version, f"Python {version}, downloaded for this alone")
    for base in _of_this_machine(uv, lock.pythons):
        return base
    raise Failure(
        "python",
        f"Python {version} could not be fetched, and this machine has no Python {_either(lock.pythons)} of its own.",
        "Allow online access, name a mirror for Python, or install Python 3.12 from python.org and try again.",
    )


def _given(python: Path, lock: Lock, runner: Runner) -> Base:
    said = inspect(python, [], QUICK, runner)
    short = ".".join(said["version"].split(".")[:2])
    problem = _unfit(said) or ("" if short in lock.pythons else f"is version {said['version']}")
    if problem:
        raise Failure(
            "python",
            f"{python} {problem}.",
            f"Choose a CPython {_either(lock.pythons)}, or let one be fetched.",
        )
    return Base(python, said["version"], f"{python}, as you asked")


def _managed(uv: Uv, version: str) -> Path | None:
    command = [uv.program, "python", "find", "--managed-python", "--no-python-downloads", version]
    ran = uv.runner.run(command, env=uv.environment(), cwd=uv.places.folder, limit=QUICK)
    path = Path(ran.output.strip().splitlines()[-1]) if ran.status == 0 and ran.output.strip() else None
    if path is None or not path.is_file():
        return None
    return path if path.parent.resolve().is_relative_to(uv.places.pythons.resolve()) else None


def _fetch(uv: Uv, version: str) -> Failure | None:
    # A network that drops everything would hold this up for minutes; the fallback is good enough to be quick.
    env = uv.environment(UV_HTTP_CONNECT_TIMEOUT="10", UV_HTTP_RETRIES="1")
    ran = uv.runner.run(
        [uv.program, "python", "install", version], env=env, cwd=uv.places.folder, limit=FETCH_LIMIT
    )
    if ran.status == 0:
        return None
    return of_uv(f"Fetching Python {version}", ran.lines, uv.places.folder, uv.sources.offline)


def _of_this_machine(uv: Uv, versions: Sequence[str]) -> Iterator[Base]:
    command = [
        uv.program, "python", "list", "--only-installed", "--python-preference", "only-system",
        "--no-python-downloads", "--output-format", "json",
    ]  # fmt: skip
    ran = uv.runner.run(command, env=uv.environment(), cwd=uv.places.folder, limit=120)
    try:
        listed = json.loads(ran.output or "[]")
    except ValueError:
        listed = []
    paths = [Path(item["path"]) for item in listed if item.get("path")]
    paths += [Path(found) for version in versions if (found := shutil.which(f"python{version}"))]
    fit = []
    for path in dict.fromkeys(paths):
        try:
            said = inspect(path, [], QUICK, uv.runner)
        except Failure as failure:
            if failure.kind == "cancelled":
                raise
            continue
        short = ".".join(said["version"].split(".")[:2])
        if short in versions and not _unfit(said) and _can_make_environments(said):
            fit.append((versions.index(short), path, said["version"]))
    for _rank, path, version in sorted(fit, key=lambda item: item[0]):
        yield Base(
            path, version, f"the Python {version} of this machine, {path}, since none could be fetched"
        )


def _unfit(said: dict) -> str:
    if said["implementation"] != "CPython" or said["bits"] != 64 or said["free_threaded"]:
        return "is no ordinary 64-bit CPython"
    if said["virtual"]:
        return "belongs to a virtual environment, which may be deleted"
    if is_blenders(Path(said["base_prefix"])):
        return "is Blender's own, and would be gone with that Blender"
    return ""


def _can_make_environments(said: dict) -> bool:
    prefix = Path(said["base_prefix"])
    # Debian's Python without python3-venv is fine, since uv makes the environment; a sandbox's Python is not.
    return sys.platform != "linux" or not prefix.is_relative_to("/app")


def is_blenders(prefix: Path) -> bool:
    """Whether a Python lies in a Blender, beside its scripts and data files."""
    return any(
        (folder.parent / "scripts").is_dir() and (folder.parent / "datafiles").is_dir()
        for folder in (prefix, *prefix.parents)
        if folder.name == "python"
    )


def _either(versions: Sequence[str]) -> str:
    return " or ".join(versions)
