# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in a panel: Blender's labels do not wrap, so they are cut into lines that fit."""

from __future__ import annotations

import textwrap

import bpy

_MARGIN = 50
_FONT_WIDTH = 6.6
"""Mean width of a letter of Blender's interface font in pixels, at a scale of 1."""


def wrapped(layout: bpy.types.UILayout, text: str, width: int, icon: str = "NONE") -> None:
    """Draw a sentence over as many lines as a region of ``width`` pixels needs."""
    columns = max(16, int((unscaled(width) - _MARGIN) / _FONT_WIDTH))
    lines = layout.column(align=True)
    lines.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(text, columns)):
        if icon == "NONE":
            lines.label(text=line)
        else:
            lines.label(text=line, icon=icon if number == 0 else "BLANK1")


def unscaled(width: int) -> float:
    """A region's width as it would be at a resolution scale of 1."""
    return width / (bpy.context.preferences.system.ui_scale or 1.0)  # 0 where there is no window
