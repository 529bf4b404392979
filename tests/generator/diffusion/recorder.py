# SPDX-License-Identifier: GPL-3.0-or-later
"""A `Progress` that remembers what it was told, looks at every preview, and cancels where it is asked to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from generator.material import FloatArray
from generator.progress import CancelledError


class Recorder:
    """``cancel_at`` is the call of `step`, as ``(index, step)``, that raises."""

    def __init__(self, cancel_at: tuple[int, int] | None = None) -> None:
        self.loadings: list[str] = []
        self.steps: list[tuple[int, int, int]] = []
        self.together: list[int] = []
        self.previews: list[FloatArray] = []
        self.notices: list[str] = []
        self._cancel_at = cancel_at

    def check(self) -> None:
        pass

    def loading(self, what: str, fraction: float | None = None) -> None:
        self.loadings.append(what)

    def step(
        self,
        index: int,
        step: int,
        steps: int,
        preview: Callable[[], FloatArray | None] | None = None,
        together: int = 1,
    ) -> None:
        self.steps.append((index, step, steps))
        self.together.append(together)
        if (index, step) == self._cancel_at:
            raise CancelledError
        picture = preview() if preview else None
        if picture is not None:
            self.previews.append(picture)

    def notice(self, message: str) -> None:
        self.notices.append(message)


def loaded(model: Any) -> Any:
    """What a model holds at the moment: its pipeline, its plan and the rest; read again where it holds nothing."""
    return model._attempts.loaded(Recorder())
