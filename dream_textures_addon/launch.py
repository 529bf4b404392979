# SPDX-License-Identifier: GPL-3.0-or-later
"""How to start the generator: which Python, in which folder, with which environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "DREAM_TEXTURES_PYTHON"

_PYTHON = re.compile(r"(python|pypy)[\d.]*w?(\.exe)?", re.IGNORECASE)
_PROGRAM = re.compile(r"dream-textures(\.exe)?", re.IGNORECASE)
_PYTHONS = ("python3", "python", "python.exe")
_IN_FOLDER = tuple(
    f"{folder}{name}"
    for folder in ("bin/", "Scripts/", "")
    for name in (*_PYTHONS, "dream-textures", "dream-textures.exe")
)
_FOREIGN = ("PYTHON", "VIRTUAL_ENV", "CONDA", "__PYVENV_LAUNCHER__")
_OPTIONS = ("-s", "-E", "-B", "-u", "-X", "utf8", "-m", "generator", "serve")


class LaunchError(ValueError):
    """There is no generator to start; the text is a sentence and ``advice`` what to do about it."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


@dataclass(frozen=True)
class Launch:
    """A program to start: its command line, working folder, whole environment, and words for the artist."""

    command: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    description: str


def find_launch(
    preference: str,
    environ: Mapping[str, str],
    blender_python: str,
    runtime: Path,
    private: Path | None = None,
) -> Launch:
    """The generator to start: the preference's, else ``DREAM_TEXTURES_PYTHON``'s, else ``private``, else Blender's.

    The first two may name a Python, the folder of an environment that holds one, or a ``dream-textures``
    program; ``private`` is the Python of the environment that the add-on made. Nothing is run to find out. Raises
    `LaunchError` where a given path is none of these.
    """
    if preference.strip():
        return _given(preference, "the add-on's preferences", environ, runtime)
    if environ.get(VARIABLE, "").strip():
        return _given(environ[VARIABLE], f"the environment variable {VARIABLE}", environ, runtime)
    if private is not None:
        return Launch(
            command=(str(private), *_OPTIONS),
            cwd=runtime,
            env=clean_environment(environ),
            description=f"the generator's own Python, {private}",
        )
    python = Path(blender_python)
    if not blender_python or not python.is_file():
        raise LaunchError(
            "Blender's own Python was not found.",
            "Set up the generator, or choose a Python, in the preferences of Dream Textures.",
        )
    return Launch(
        command=(str(python), *_OPTIONS),
        cwd=runtime,
        env=clean_environment(environ),
        description="Blender's own Python, for what works without PyTorch",
    )


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """A copy without the variables that make one Python load another one's files."""
    return {name: value for name, value in environ.items() if not name.upper().startswith(_FOREIGN)}


def find_python(text: str, origin: str) -> Path:
    """The Python that a path means: itself, or the one in the folder or beside the program that it names.

    ``origin`` says where the path is from. Raises `LaunchError`.
    """
    program = _program(text, origin)
    if _PROGRAM.fullmatch(program.name):
        return _in_folder(program.parent, origin, _PYTHONS)
    if not _PYTHON.fullmatch(program.name):
        raise _not_a_python(program, origin)
    return program


def _given(text: str, origin: str, environ: Mapping[str, str], runtime: Path) -> Launch:
    program = _program(text, origin)
    if _PROGRAM.fullmatch(program.name):
        command = (str(program), "serve")
    elif _PYTHON.fullmatch(program.name):
        command = (str(program), *_OPTIONS)
    else:
        raise _not_a_python(program, origin)
    return Launch(command, runtime, clean_environment(environ), f"{program}, from {origin}")


def _program(text: str, origin: str) -> Path:
    path = Path(text.strip().strip("\"'")).expanduser()
    # Not resolved: a virtual environment's Python is a link whose own place says which environment it is.
    path = Path(os.path.abspath(path))  # noqa: PTH100
    program = _in_folder(path, origin, _IN_FOLDER) if path.is_dir() else path
    if not program.is_file():
        raise LaunchError(
            f"There is no Python at {path}, as named in {origin}.",
            "Correct the path, or clear it.",
        )
    if not os.access(program, os.X_OK):
        raise LaunchError(f"{program} may not be run.", "Make it executable, or name another Python.")
    return program


def _not_a_python(program: Path, origin: str) -> LaunchError:
    return LaunchError(
        f"{program}, as named in {origin}, is not a Python.",
        "Name a python program, the folder of its environment, or a dream-textures program.",
    )


def _in_folder(folder: Path, origin: str, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise LaunchError(
        f"The folder {folder}, as named in {origin}, holds no Python.",
        "Name the folder of a virtual environment, or its python program.",
    )
