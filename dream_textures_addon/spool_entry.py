# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written down of a job, and read again by a Blender that knows nothing of the one that wrote it."""

from __future__ import annotations

import enum
import re
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .wire import protocol

FORMAT = 1
MAX_TITLE = 60
_ID = re.compile(r"[0-9a-f]{32}")
_MAX_TIME = 1e11
_MAX_FIGURE = 1e30
_MAX_TRIES = 1_000_000


class EntryError(ValueError):
    """A job on disk cannot be used; the text is a sentence for the artist."""


class Stage(enum.Enum):
    """How far a job had come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class SpoolEntry:
    """One job: its request, and in ``plan`` where its result is to go, as plain JSON values.

    ``added`` is in seconds since 1970, ``tries`` how often the generator began with it, ``blend`` the path of the
    file that it was for (empty for one that was never saved), ``version`` the generator's that worked on it,
    ``failure`` a sentence where it failed.
    """

    id: str
    request: protocol.Request
    plan: dict[str, Any] = field(default_factory=dict)
    stage: Stage = Stage.WAITING
    added: float = 0.0
    tries: int = 0
    blend: str = ""
    version: str = "unknown"
    failure: str = ""

    @property
    def title(self) -> str:
        """A few words to tell it from others."""
        return title_of(self.request)

    def anew(self) -> SpoolEntry:
        """This job as it is when it is queued once more."""
        return replace(self, stage=Stage.WAITING, failure="")

    def failed(self, why: str) -> SpoolEntry:
        """This job as it is once it has failed; ``why`` is a sentence."""
        line = " ".join(why.split())[: protocol.MAX_TEXT]
        return replace(self, stage=Stage.FAILED, failure="".join(filter(str.isprintable, line)))

    def to_json(self) -> dict[str, Any]:
        """This entry as plain JSON values, with its format version."""
        return {
            **asdict(self),
            "format": FORMAT,
            "request": self.request.to_json(),
            "stage": self.stage.value,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SpoolEntry:
        """The entry that `to_json` wrote. Raises `EntryError` for anything else."""
        data = dict(value)
        if data.pop("format", None) != FORMAT:
            raise EntryError("This job was kept by another version of Dream Textures.")
        if set(data) != set(cls.__dataclass_fields__):
            raise EntryError("This job is incomplete, or has parts that this version does not know.")
        try:
            request = protocol.Request.from_json(data["request"])
        except protocol.RequestError as error:
            raise EntryError(f"This job cannot be used: {error}") from error
        texts = [data[name] for name in ("id", "blend", "version", "failure")]
        if (
            not all(isinstance(text, str) and len(text) <= protocol.MAX_TEXT for text in texts)
            or not _ID.fullmatch(data["id"])
            or not data["version"].isprintable()
            or not data["failure"].isprintable()
            or data["stage"] not in [stage.value for stage in Stage]
            or not isinstance(data["plan"], dict)
            or not _within(data["added"], (int, float), _MAX_TIME)
            or not _within(data["tries"], (int,), _MAX_TRIES)
        ):
            raise EntryError("This job is damaged.")
        return cls(**{**data, "request": request, "stage": Stage(data["stage"])})


def title_of(request: protocol.Request) -> str:
    """A few words to tell one job from another: its prompt, else its source's name."""
    source = "" if request.source is None else request.source.name
    words = request.prompt.strip() or source or request.task
    words = "".join(character if character.isprintable() else " " for character in words)
    return textwrap.shorten(words, MAX_TITLE, placeholder="…") or f"{words[:MAX_TITLE]}…"


def is_sound(result: protocol.Result) -> bool:
    """Whether a result that was read from disk is one that can be shown and placed, as any that was received."""
    image = result.image
    flat = len(image.shape) == 2 or (len(image.shape) == 3 and image.shape[2] in (3, 4))
    reports = [result.seams, {} if result.before is None else result.before]
    try:
        protocol.Request.from_json(result.recipe)
    except protocol.RequestError:
        return False
    return (
        flat
        and image.dtype in ("uint8", "uint16")
        and max(image.shape[:2]) <= protocol.MAX_SIZE
        and all(isinstance(axis, dict) for report in reports for axis in report.values())
        and all(
            _is_figure(figure) for report in reports for axis in report.values() for figure in axis.values()
        )
    )


def _is_figure(value: object) -> bool:
    if isinstance(value, (int, float)):
        return abs(value) <= _MAX_FIGURE
    return value is None or isinstance(value, str)


def _within(value: object, kinds: tuple[type, ...], largest: float) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value <= largest  # type: ignore[operator]
