# SPDX-License-Identifier: GPL-3.0-or-later
"""What a set-up says while it runs, folded into one progress and one ending.

It comes from another process, so that nothing in it is taken on trust: what is not as agreed is left out.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

MAX_DOCUMENT_BYTES = 1 << 20
_MAX_TEXT = 500


@dataclass(frozen=True)
class Progress:
    """What is being done. ``fraction`` is in [0, 1], sizes in bytes, times in seconds; None is unknown."""

    what: str = ""
    fraction: float | None = None
    bytes: float | None = None
    total: float | None = None
    bytes_per_second: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class Ending:
    """How a command ended: ``kind`` is stable, ``message`` and ``advice`` are sentences, ``data`` what it gave."""

    ok: bool
    kind: str
    message: str
    advice: str = ""
    data: Any = field(default_factory=dict)

    @classmethod
    def failure(cls, kind: str, message: str, advice: str = "") -> Ending:
        """An ending that is not what was asked for."""
        return cls(False, kind, message, advice)

    @property
    def cancelled(self) -> bool:
        """Whether the artist ended it."""
        return self.kind == "cancelled"

    @property
    def sentences(self) -> str:
        """The message and the advice."""
        return f"{self.message} {self.advice}".strip()


class Events:
    """Takes the lines of a command's stdout."""

    def __init__(self, document: bool) -> None:
        self.progress = Progress()
        self.ending: Ending | None = None
        self._document = document
        self._text = bytearray()

    def take(self, line: bytes) -> None:
        """One line; whatever is not understood is passed over."""
        event = _parsed(line)
        kind = event.get("event") if isinstance(event, dict) else None
        if isinstance(event, dict) and kind == "step":
            self.progress = _step(event)
        elif isinstance(event, dict) and kind in ("done", "failed"):
            self.ending = _ending(event)
        elif self._document and len(self._text) + len(line) <= MAX_DOCUMENT_BYTES:
            self._text += line

    def finish(self) -> Ending | None:
        """How it ended by its own word, or None where it did not say."""
        if self.ending is None and self._document:
            value = _parsed(bytes(self._text))
            if isinstance(value, (dict, list)):
                self.ending = Ending(True, "done", "", "", value)
        return self.ending


def verdict(ending: Ending) -> Ending:
    """The ending of a check of some Python: not ok where the check says that it lacks something."""
    if not ending.ok:
        return ending
    fits = isinstance(ending.data, dict) and ending.data.get("ok") is True
    message = text_of(ending.data, "message") or "That Python cannot run the generator."
    return Ending(fits, "done" if fits else "lacking", message, text_of(ending.data, "advice"), ending.data)


def text_of(data: Any, name: str) -> str:
    """A text out of what a command gave, cut to 500 characters; empty where there is none."""
    value = data.get(name) if isinstance(data, dict) else None
    return " ".join(value.split())[:_MAX_TEXT] if isinstance(value, str) else ""


def texts_of(data: Any, name: str) -> list[str]:
    """A list of texts out of what a command gave, at most 100."""
    value = data.get(name) if isinstance(data, dict) else None
    return (
        [item[:_MAX_TEXT] for item in value[:100] if isinstance(item, str)] if isinstance(value, list) else []
    )


def number_of(data: Any, name: str) -> float | None:
    """A number that is not negative out of what a command gave, or None."""
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    value = float(value) if abs(value) < 1e18 else math.inf
    return value if math.isfinite(value) and value >= 0 else None


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _step(event: dict[str, Any]) -> Progress:
    fraction = number_of(event, "fraction")
    return Progress(
        what=text_of(event, "what"),
        fraction=None if fraction is None else min(fraction, 1.0),
        bytes=number_of(event, "bytes"),
        total=number_of(event, "total"),
        bytes_per_second=number_of(event, "bytes_per_second"),
        seconds_left=number_of(event, "seconds_left"),
    )


def _ending(event: dict[str, Any]) -> Ending:
    if event["event"] == "done":
        return Ending(True, "done", text_of(event, "message"), "", event)
    message = text_of(event, "message") or "The set-up failed without a reason."
    return Ending(False, text_of(event, "kind") or "internal", message, text_of(event, "advice"), event)
