# SPDX-License-Identifier: GPL-3.0-or-later
"""How a model tells of its work, how it is stopped, and how it says why it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from generator.material import FloatArray


class CancelledError(Exception):
    """The job was cancelled; raised out of the next call to `Progress` and meant to end the run."""


class GenerationError(Exception):
    """The job cannot be done. ``message`` and ``advice`` are sentences for the artist, ``kind`` is stable."""

    def __init__(self, kind: str, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.advice = advice


class Progress(Protocol):
    """What a model calls while it works. Every method raises `CancelledError` once the job is cancelled."""

    def check(self) -> None:
        """Nothing to tell; only asks whether the job was cancelled."""
        ...

    def loading(self, what: str, fraction: float | None = None) -> None:
        """``what`` is being prepared, ``fraction`` of it (in [0, 1]) is done."""
        ...

    def step(
        self,
        index: int,
        step: int,
        steps: int,
        preview: Callable[[], FloatArray | None] | None = None,
        together: int = 1,
    ) -> None:
        """``step`` of ``steps`` is done for image ``index``, and for those after it that are made ``together``.

        ``preview`` makes a small ``(h, w, 3)`` sRGB picture in [0, 1]; it is called only where one is wanted.
        """
        ...

    def notice(self, message: str) -> None:
        """Tell the artist something that does not end the job."""
        ...
