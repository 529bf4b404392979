# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's private environment as the add-on asks for it: what is wanted, and the commands that make it.

The work itself is the generator's (``dream-textures setup``); Blender's own Python runs it as another process.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..launch import clean_environment
from ..wire import protocol

Environment = protocol.environment.Environment
EnvironmentState = protocol.environment.EnvironmentState

WHEEL_VARIABLES = ("UV_FIND_LINKS", "PIP_FIND_LINKS")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PIP_PROXY")
_INDEX = "UV_DEFAULT_INDEX"
_OPTIONS = ("-s", "-E", "-B", "-u", "-X", "utf8", "-m", "generator")
LOG = "setup.log"
_LOG_BYTES, _LOG_LINES = 8192, 30


@dataclass(frozen=True)
class Wishes:
    """Where and how the artist wants the environment; empty texts leave it to pip's and uv's own settings.

    ``wheels`` is a folder or address with files to install from, ``offline`` that nothing else may be reached.
    """

    folder: Path
    accelerator: str = "auto"
    base_python: str = ""
    index_url: str = ""
    torch_index_url: str = ""
    python_mirror: str = ""
    wheels: str = ""
    proxy: str = ""
    offline: bool = False

    @property
    def log(self) -> Path:
        """The file that a set-up writes everything into."""
        return self.folder / LOG


@dataclass(frozen=True)
class Command:
    """A program to run: its command line, working folder and whole environment."""

    arguments: tuple[str, ...]
    cwd: Path
    env: dict[str, str]


@dataclass(frozen=True)
class Tool:
    """Runs the generator's own commands with Blender's Python, which needs no package for them."""

    python: str
    runtime: Path
    environ: Mapping[str, str]

    def set_up(self, wishes: Wishes) -> Command:
        """Make, resume, repair or update the environment; progress comes as one JSON object a line."""
        return self._setup(wishes, "--json", "--watch-stdin")

    def plan(self, wishes: Wishes) -> Command:
        """What `set_up` and `remove` would do, as one JSON object; nothing is written."""
        return self._setup(wishes, "--plan", "--json", "--watch-stdin")

    def remove(self, wishes: Wishes) -> Command:
        """Delete what set-ups made in the folder."""
        return self._setup(wishes, "--remove", "--json", "--watch-stdin")

    def check(self, wishes: Wishes, python: Path) -> Command:
        """What another Python lacks to run the generator, as one JSON object."""
        return self._setup(wishes, f"--check={python}", "--json", "--watch-stdin")

    def examine(self, wishes: Wishes) -> Command:
        """The doctor's findings, as one JSON list."""
        offline = ("--offline",) if wishes.offline else ("--network",)
        return self._command(wishes, "doctor", "--json", f"--folder={wishes.folder}", *offline)

    def _setup(self, wishes: Wishes, *verbs: str) -> Command:
        # Joined by "=", so that no value can be read as another option.
        given = {
            "folder": str(wishes.folder),
            "accelerator": wishes.accelerator,
            "python": wishes.base_python,
            "torch-index-url": wishes.torch_index_url,
            "python-mirror": wishes.python_mirror,
            "find-links": wishes.wheels,
        }
        options = [f"--{name}={value}" for name, value in given.items() if value]
        if wishes.offline:
            options.append("--offline")
        return self._command(wishes, "setup", *options, *verbs)

    def _command(self, wishes: Wishes, *arguments: str) -> Command:
        env = clean_environment(self.environ)
        # Not options: everybody on a machine may read command lines, and these addresses may hold a password.
        if wishes.proxy:
            env = {name: value for name, value in env.items() if name.upper() not in _PROXIES}
            env |= dict.fromkeys(_PROXIES, wishes.proxy)
        if wishes.index_url:
            env[_INDEX] = wishes.index_url
        return Command((self.python, *_OPTIONS, *arguments), self.runtime, env)


def look(folder: Path, runtime: Path) -> Environment:
    """The state of the environment in a folder: a few looks at the disk, no process."""
    return protocol.environment.look(folder, _wanted(runtime))


@functools.lru_cache
def _wanted(runtime: Path) -> str:
    locks = runtime / "generator" / "environment" / "locks"
    try:
        return protocol.environment.lock_digest(locks) if locks.is_dir() else ""
    except OSError:
        return ""


def brings_wheels(wishes: Wishes, environ: Mapping[str, str]) -> bool:
    """Whether there is something to install from without a network."""
    return bool(wishes.wheels or any(environ.get(name, "").strip() for name in WHEEL_VARIABLES))


def folder_at(text: str, default: Path) -> Path:
    """The folder that a preference names, absolute; ``default`` where it names none."""
    text = text.strip().strip("\"'")
    return Path(os.path.abspath(Path(text).expanduser())) if text else default  # noqa: PTH100


def last_lines(log: Path) -> list[str]:
    """The end of a log file, at most 30 lines; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            return file.read(_LOG_BYTES).decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []
