# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows while a request is carried out: a bar for people, or one JSON event a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from generator.progress import GenerationError
from generator.protocol import Event, Loading, Notice, Result, Step, to_json
from generator.protocol.seam_words import axes_of, broken_axes, ratios, verdict


def sentence(error: Exception) -> str:
    """What went wrong, and what to do about it, on one line."""
    if isinstance(error, GenerationError):
        return f"{error.message} {error.advice}".strip()
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'The file'}: {error.strerror}."
    return str(error) or "There is not enough memory."


def seam_line(result: Result) -> str:
    """What was measured at the borders of one map, such as ``basecolor tiles in X and Y (ratio 1.01, 0.99)``."""
    wanted = axes_of(result.recipe["seamless"])
    said, figures = verdict(result.seams, wanted), ratios(result.seams, wanted or "xy")
    if result.before is not None:
        name = Path(result.recipe["source"]["name"]).stem.removesuffix("_source")
        line = f"{name} {said} (ratio {figures}; before {ratios(result.before, wanted)})"
        return f"{line}. Try --model, or a larger part of it." if broken_axes(result.seams, wanted) else line
    of_seed = f" of seed {result.seed}" if result.index else ""
    return f"{result.map}{of_seed} {said} (ratio {figures})"


class Reporter(Protocol):
    """Where a command tells of its progress."""

    def event(self, event: Event) -> None:
        """An event other than a result."""
        ...

    def result(self, event: Result) -> None:
        """A finished map."""
        ...

    def wrote(self, path: Path) -> None:
        """A file is complete."""
        ...

    def note(self, text: str) -> None:
        """Text for whoever debugs."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


def reporter(as_json: bool) -> Reporter:
    """JSON lines on stdout, or a progress bar on stderr with the files' names on stdout."""
    return _JsonLines() if as_json else _Terminal()


class _JsonLines:
    def event(self, event: Event) -> None:
        self._print(to_json(event))

    def result(self, event: Result) -> None:
        self._print(to_json(event))

    def wrote(self, path: Path) -> None:
        self._print({"type": "file", "path": str(path)})

    def note(self, text: str) -> None:
        print(text, file=sys.stderr)

    def close(self) -> None:
        sys.stdout.flush()

    def _print(self, value: dict[str, Any]) -> None:
        print(json.dumps(value), flush=True)


class _Terminal:
    def __init__(self) -> None:
        # disable=None: tqdm draws nothing where stderr is not a terminal
        self._bar = tqdm(desc="Starting", unit="step", leave=False, disable=None)

    def event(self, event: Event) -> None:
        if isinstance(event, Loading):
            self._bar.set_description(event.what)
        elif isinstance(event, Notice):
            self._bar.write(event.message, file=sys.stderr)
        elif isinstance(event, Step):
            if self._bar.total != event.steps or event.step < self._bar.n:
                self._bar.reset(total=event.steps)
            last = event.index + event.together
            several = f"Images {event.index + 1} to {last}" if event.together > 1 else f"Image {last}"
            self._bar.set_description(several)
            self._bar.update(event.step - self._bar.n)

    def result(self, event: Result) -> None:
        self._bar.write(seam_line(event), file=sys.stderr)

    def wrote(self, path: Path) -> None:
        self._bar.write(str(path), file=sys.stdout)

    def note(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self._bar.close()
