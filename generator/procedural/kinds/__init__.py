# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of material, one file for each group; importing this package enters them all in the registry."""

from generator.procedural.kinds import (  # noqa: F401
    basketry,
    bricks,
    built,
    cloth,
    crafted,
    elements,
    ground,
    metals,
    minerals,
    panels,
    plants,
    stones,
    straw,
    tiles,
    wood,
)
