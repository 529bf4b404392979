# SPDX-License-Identifier: GPL-3.0-or-later
"""What both programs know of the private environment: its states, its marker file, and what is wanted of it.

Nothing here starts a process: `look` reads one small file and asks whether another exists, so that a panel may
call it. Only ``dream-textures setup`` writes the marker.
"""

from __future__ import annotations

import enum
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

MARKER = "environment.json"
"""The marker's name in the folder of the environment."""

MARKER_FORMAT = 1
MAX_MARKER_BYTES = 64 * 1024


class EnvironmentState(enum.Enum):
    """Where a folder stands between nothing and a working environment."""

    ABSENT = "absent"
    INCOMPLETE = "incomplete"
    READY = "ready"
    OUTDATED = "outdated"
    BROKEN = "broken"


@dataclass(frozen=True)
class Environment:
    """What the marker says, and whether it is true.

    ``python`` is given where it exists and may be used: when ready, and when outdated, which still works.
    ``problem`` is a sentence, empty where there is none.
    """

    state: EnvironmentState
    folder: Path
    python: Path | None = None
    accelerator: str = ""
    version: str = ""
    problem: str = ""


def look(folder: Path, wanted: str = "") -> Environment:
    """The state of the environment in ``folder``; ``wanted`` is the `lock_digest` that it should have been made of.

    Reads the marker and makes a few stat calls; never raises for what it finds there.
    """
    marker = folder / MARKER
    try:
        if not marker.exists():
            return Environment(EnvironmentState.ABSENT, folder)
        said = read_marker(folder)
        accelerator, version = said["accelerator"], said["version"]
        if said["state"] == EnvironmentState.INCOMPLETE.value:
            return Environment(
                EnvironmentState.INCOMPLETE,
                folder,
                None,
                accelerator,
                version,
                "The set-up was not finished.",
            )
        if said["state"] != EnvironmentState.READY.value:
            problem = said["problem"] or "A check of its files found damage."
            return Environment(EnvironmentState.BROKEN, folder, None, accelerator, version, problem)
        python = inside(folder, said["python"])
        if not python.is_file():
            problem = f"Its Python is gone: {python}"
            return Environment(EnvironmentState.BROKEN, folder, None, accelerator, version, problem)
    except (OSError, ValueError) as error:
        problem = f"{marker} cannot be understood: {error}"
        return Environment(EnvironmentState.BROKEN, folder, problem=problem)
    if wanted and said["locks"] != wanted:
        problem = "It was made for another version of Dream Textures."
        return Environment(EnvironmentState.OUTDATED, folder, python, accelerator, version, problem)
    return Environment(EnvironmentState.READY, folder, python, accelerator, version)


def read_marker(folder: Path) -> dict[str, Any]:
    """The marker's fields, each there and of its type. Raises ValueError or OSError where it cannot be trusted."""
    with (folder / MARKER).open("rb") as stream:
        data = stream.read(MAX_MARKER_BYTES + 1)
    if len(data) > MAX_MARKER_BYTES:
        raise ValueError("it is far too long")
    try:
        said = json.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(said, dict) or said.get("format") != MARKER_FORMAT:
        raise ValueError("it is of another format")
    for name in ("state", "python", "environment", "accelerator", "version", "locks", "problem"):
        if not isinstance(said.setdefault(name, ""), str):
            raise ValueError(f"{name!r} is no text")
    return said


def inside(folder: Path, name: str) -> Path:
    """The path ``name``, written with ``/``, below ``folder``; ValueError for one that leads out of it."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise ValueError(f"{name!r} does not lie in its folder")
    return folder.joinpath(*path.parts)


def lock_digest(locks: Path) -> str:
    """SHA-256 over the lock files (``*.txt``) in a folder, their names with them; OSError if it cannot be read."""
    digest = hashlib.sha256()
    for path in sorted(locks.glob("*.txt"), key=lambda path: path.name):
        data = path.read_bytes()
        digest.update(f"{path.name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
