# SPDX-License-Identifier: GPL-3.0-or-later
"""Several maps of one size as the channels of one picture: how a set that is to be upscaled travels."""

from __future__ import annotations

from collections.abc import Sequence

COLOURED = ("basecolor", "normal")
"""The maps of three channels; the others have one."""

MAX_CHANNELS = 11
"""Every map, and the base colour's transparency."""


def layout(maps: Sequence[str], channels: int) -> dict[str, tuple[int, int]] | None:
    """Where each map lies in a picture of so many channels: ``{name: (first, end)}``, in the order of ``maps``.

    A map by itself has all of them, whatever it is called: one, three or four. In a set the base colour has
    three, or four with its transparency, a normal map three and every other one. None where that does not fit.
    """
    if len(maps) == 1:
        return {maps[0]: (0, channels)} if channels in (1, 3, 4) else None
    widths = [3 if name in COLOURED else 1 for name in maps]
    if "basecolor" in maps and channels == sum(widths) + 1:
        widths[list(maps).index("basecolor")] = 4
    if channels != sum(widths):
        return None
    places, first = {}, 0
    for name, width in zip(maps, widths, strict=True):
        places[name] = (first, first + width)
        first += width
    return places
