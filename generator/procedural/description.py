# SPDX-License-Identifier: GPL-3.0-or-later
"""What a prompt was understood to mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """A material in words that the procedural model knows.

    ``family`` is the kind of material; ``inlay`` a second one that fills the first one's pieces ("marble tiles").
    ``modifiers`` are pairs of name and strength, where 1 is the plain word, "slightly" less, "very" more.
    ``structure`` are words on size, bond and tone. ``assumed`` says in sentences what the words left open.
    ``understood`` and ``unknown`` are the prompt's own words.
    """

    family: str
    inlay: str | None = None
    colours: tuple[str, ...] = ()
    metal: str | None = None
    modifiers: tuple[tuple[str, float], ...] = ()
    structure: tuple[str, ...] = ()
    understood: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def amount(self, *names: str) -> float:
        """The largest strength among the named modifiers, 0 where none was named."""
        return max((strength for name, strength in self.modifiers if name in names), default=0.0)

    def says(self, *words: str) -> bool:
        """Whether any of these structure words was used."""
        return any(word in self.structure for word in words)

    @property
    def size(self) -> float:
        """How much larger than usual the material's features are meant to be."""
        factors = {"huge": 2.2, "large": 1.5, "small": 0.67, "tiny": 0.45}
        size = 1.0
        for word, factor in factors.items():
            if word in self.structure:
                size *= factor
        return size
