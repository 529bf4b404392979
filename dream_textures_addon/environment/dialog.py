# SPDX-License-Identifier: GPL-3.0-or-later
"""Dialogs that open when something was found out in the background, in the window where the artist asked for it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import bpy

_WIDTH = 520
_COLUMNS = 78
"""As many letters of Blender's interface font as fit into the width."""


def window_key(context: bpy.types.Context) -> int | None:
    """What finds the artist's window again later, while holding on to nothing."""
    return None if context.window is None else context.window.as_pointer()


def reopen(operator: Callable[..., Any], key: int | None, **given: Any) -> None:
    """Invoke an operator in that window, or in the first where it is closed by now."""
    windows = list(bpy.context.window_manager.windows)
    if not windows:
        return
    window = next((item for item in windows if item.as_pointer() == key), windows[0])
    with bpy.context.temp_override(window=window):
        operator("INVOKE_DEFAULT", **given)


def confirm(
    context: bpy.types.Context,
    operator: bpy.types.Operator,
    title: str,
    button: str,
    *,
    careful: bool = False,
) -> set[str]:
    """Show the operator's own drawing and run it when the artist presses the button; ``careful``: Return does not."""
    return context.window_manager.invoke_props_dialog(
        operator, width=_WIDTH, title=title, confirm_text=button, cancel_default=careful
    )


def draw_lines(layout: bpy.types.UILayout, lines: Iterable[tuple[str, str]]) -> None:
    """Icons and sentences, cut into lines that fit into a dialog."""
    column = layout.column()
    for icon, text in lines:
        part = column.column(align=True)
        for number, line in enumerate(textwrap.wrap(text, _COLUMNS) or [""]):
            part.label(text=line, icon=icon if number == 0 else "BLANK1")
