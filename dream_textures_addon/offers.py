# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier Blender left behind, as it is offered to the artist. Nothing of it starts by itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from .spool_entry import SpoolEntry, Stage


@dataclass
class Offer:
    """A job out of the spool. ``arrived`` says which of its results are there, by image and map.

    ``reading`` while something that the artist asked for is read from disk, and ``then`` what is done with it.
    ``problem`` is a sentence where that failed.
    """

    entry: SpoolEntry
    arrived: set[tuple[int, str]] = field(default_factory=set)
    reading: Future[Any] | None = None
    then: Callable[[Any], None] | None = None
    picture: Future[Any] | None = None
    problem: str = ""

    @property
    def id(self) -> str:
        """The job's id."""
        return self.entry.id

    @property
    def whole(self) -> list[int]:
        """The images of which every map is there."""
        request = self.entry.request
        return [
            index
            for index in range(request.count)
            if all((index, name) in self.arrived for name in request.maps)
        ]

    @property
    def finished(self) -> bool:
        """Whether everything was made, and only its place is missing."""
        return self.entry.stage is Stage.DONE and len(self.whole) == self.entry.request.count

    @property
    def busy(self) -> bool:
        """Whether something that was asked for is on its way."""
        return self.reading is not None

    @property
    def line(self) -> str:
        """What became of it, in a few words."""
        count = self.entry.request.count
        if self.finished:
            return "finished" if count == 1 else f"{count} finished"
        if self.entry.failure:
            return self.entry.failure
        made = f", {len(self.whole)} of {count} made" if count > 1 and self.whole else ""
        if self.entry.tries > 1:
            return f"was being made each of {self.entry.tries} times that Blender closed{made}"
        return f"{'was being made' if self.entry.tries else 'was waiting'}{made}"


def heading(offers: list[Offer]) -> str:
    """What offers of one kind, all finished or none, have in common, as a sentence."""
    count = len(offers)
    textures = "1 texture" if count == 1 else f"{count} textures"
    was = "was" if count == 1 else "were"
    if offers and offers[0].finished:
        return f"{textures} {was} finished but not placed when Blender closed."
    return f"{textures} {was} not finished when Blender closed."
