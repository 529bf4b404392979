# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything lies in the folder of an environment, and the marker that says what is true of it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from generator.protocol.environment import MARKER, MARKER_FORMAT, inside, read_marker

PATIENCE = 5.0
"""Seconds that whoever reads a file gets to let go of it."""


@dataclass(frozen=True)
class Places:
    """The paths below one folder; nothing else in it is ever touched."""

    folder: Path

    @property
    def marker(self) -> Path:
        """What the add-on reads to know the state."""
        return self.folder / MARKER

    @property
    def environments(self) -> Path:
        """One numbered virtual environment in use, and while an update is made, the next beside it."""
        return self.folder / "environments"

    @property
    def tools(self) -> Path:
        """The uv program."""
        return self.folder / "uv"

    @property
    def pythons(self) -> Path:
        """Pythons that uv downloaded."""
        return self.folder / "python"

    @property
    def cache(self) -> Path:
        """What uv downloaded and unpacked; environments are linked to it, so it takes no space of its own."""
        return self.folder / "cache"

    @property
    def log(self) -> Path:
        """What was done, and everything that uv printed, without secrets."""
        return self.folder / "setup.log"

    @property
    def lock(self) -> Path:
        """Held by the set-up that is at work."""
        return self.folder / "setup.lock"

    def made(self) -> list[Path]:
        """Everything that a set-up makes, whether or not it is there, the marker last."""
        return [self.environments, self.pythons, self.tools, self.cache, self.log, self.lock, self.marker]

    def current(self) -> Path | None:
        """The environment that the marker names, or None. OSError for a marker that is there and cannot be read."""
        try:
            return inside(self.folder, read_marker(self.folder)["environment"])
        except (FileNotFoundError, ValueError):
            return None

    def next_environment(self) -> Path:
        """A numbered folder that does not exist yet."""
        taken = [int(path.name) for path in self.environments.glob("*") if path.name.isdigit()]
        return self.environments / str(max(taken, default=0) + 1)

    def mark(self, state: str, **fields: str) -> None:
        """Write the marker in one step, so that nobody ever reads half of it."""
        said = {"format": MARKER_FORMAT, "state": state, **fields}
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=f".{MARKER}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(said, stream, indent=2)
                stream.flush()
                os.fsync(stream.fileno())
            put(Path(name), self.marker)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def relative(self, path: Path) -> str:
        """``path`` as the marker writes it."""
        return path.relative_to(self.folder).as_posix()


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def put(fresh: Path, place: Path) -> None:
    """Move ``fresh`` to ``place`` in one step, over what is there if that is a file.

    Windows refuses while anybody reads there, such as a virus scanner or the add-on: so it is tried for some seconds.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fresh.replace(place)
            return
        except PermissionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def existing_parent(folder: Path) -> Path:
    """``folder``, or the nearest folder above that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
