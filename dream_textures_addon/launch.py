# SPDX-License-Identifier: GPL-3.0-or-later
"""How to start the generator: which Python, in which folder, with which environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class LaunchError(ValueError):
    """There is no generator to start; the text is a sentence and ``advice`` what to do about it."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


@dataclass(frozen=True)
class Launch:
    """A program to start: its command line, working folder, whole environment, and a few words for the artist."""

    command: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    description: str


def find_launch(preference: str, environ: Mapping[str, str], blender_python: str, runtime: Path) -> Launch:
    """The generator to start: the preference's, else ``DREAM_TEXTURES_PYTHON``'s, else Blender's own Python.

    Raises `LaunchError` where a path was given that is no Python, no virtual environment and no ``dream-textures``.
    """
    raise NotImplementedError
