# SPDX-License-Identifier: GPL-3.0-or-later
"""Which colours a family uses: the named ones, or one of its own sets by the seed, in the tone that was asked for."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray
from generator.procedural.colours import rgb, sampled, shade, wander
from generator.procedural.description import Description
from generator.procedural.space import Space

_ROSY = ("red", "pink", "crimson", "scarlet", "maroon", "rose", "burgundy", "coral", "salmon")


def toned(description: Description, colours: FloatArray) -> FloatArray:
    """The colours ``(..., 3)`` darker, lighter, stronger or weaker, as the structure words say."""
    lightness = -0.11 * description.says("dark") + 0.1 * description.says("light")
    chroma = (1.3 if description.says("vivid", "stylised") else 1.0) * (
        0.6 if description.says("muted") else 1.0
    )
    return shade(colours, lightness, chroma)


def palette(
    space: Space, description: Description, salt: str, sets: tuple[str, ...],
    chroma: float = 1.0, lightness: float = 0.0, earthen: bool = False,
) -> FloatArray:  # fmt: skip
    """``(n, 3)`` base colours. ``sets`` are the family's own, each a string of hex colours with blanks between.

    ``chroma`` and ``lightness`` bring named colours to what the material can show: paint is bold, stone is not.
    ``earthen`` says that its reds are those of iron in the ground rather than of roses.
    """
    if description.colours:
        bases = shade(sampled(space, salt, description.colours), lightness, chroma)
        if earthen and any(name in _ROSY for name in description.colours):
            bases = shade(bases, 0.0, 0.72, 14)
        return toned(description, bases)
    own = sets[space.choose(f"{salt}/set", len(sets))].split()
    bases = np.stack([rgb(text) for text in own])
    return toned(description, wander(space, salt, bases))


def gradient(
    colour: FloatArray, dark: float = -0.12, light: float = 0.1, steps: int = 5, hue: float = 8.0
) -> FloatArray:
    """``(steps, 3)`` stops from a darker to a lighter version, the hue turning a little, as pigments do."""
    grid = np.linspace(0, 1, steps)
    return np.stack([
        shade(colour, dark + (light - dark) * g, 1.1 - 0.3 * g, hue * (g - 0.5)) for g in grid
    ]).astype(np.float32)  # fmt: skip
