# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and eyes for a script inside Blender: mouse, keyboard, and a way to find a button without knowing where.

Each verb is a generator that yields the seconds to wait before it goes on, so that Blender can handle the events
in between: ``yield from click(...)``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import bpy

Steps = Iterator[float]
TICK = 0.05
PATIENCE = 4
"""How often the time that a step takes on a quiet machine it may take on a busy one."""
_KEYS = {" ": "SPACE", "-": "MINUS", ".": "PERIOD", ",": "COMMA"}
_DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
_PITCH = 12
"""Pixels between two places where a button is looked for; less than the height of any."""


def window() -> bpy.types.Window:
    """The only window."""
    return bpy.context.window_manager.windows[0]


def area(kind: str = "VIEW_3D") -> bpy.types.Area:
    """The largest editor of a kind."""
    return max(
        (item for item in window().screen.areas if item.type == kind),
        key=lambda item: item.width * item.height,
    )


def region(kind: str, editor: str = "VIEW_3D") -> bpy.types.Region:
    """A part of an editor: ``WINDOW``, ``UI`` (the sidebar), ``HEADER`` ..."""
    return next(item for item in area(editor).regions if item.type == kind)


def middle(kind: str, editor: str = "VIEW_3D") -> tuple[int, int]:
    """The middle of a region, in the window's pixels."""
    place = region(kind, editor)
    return place.x + place.width // 2, place.y + place.height // 2


def move(x: int, y: int) -> Steps:
    """Move the mouse."""
    window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
    yield TICK


def click(x: int, y: int) -> Steps:
    """Move there and click."""
    yield from move(x, y)
    window().event_simulate(type="LEFTMOUSE", value="PRESS", x=x, y=y)
    yield TICK
    window().event_simulate(type="LEFTMOUSE", value="RELEASE", x=x, y=y)
    yield 3 * TICK


def press(
    key: str, x: int, y: int, *, unicode: str | None = None, ctrl: bool = False, shift: bool = False
) -> Steps:
    """Press and release a key, with the mouse at a place."""
    window().event_simulate(type=key, value="PRESS", unicode=unicode, x=x, y=y, ctrl=ctrl, shift=shift)
    yield TICK
    window().event_simulate(type=key, value="RELEASE", x=x, y=y, ctrl=ctrl, shift=shift)
    yield TICK


def write(text: str, x: int, y: int) -> Steps:
    """Type lower-case letters, digits and spaces."""
    for character in text:
        key = _DIGITS[int(character)] if character.isdigit() else _KEYS.get(character, character.upper())
        yield from press(key, x, y, unicode=character)


def find_button(
    command: str,
    found: Callable[[int, int], None],
    editor: str = "VIEW_3D",
    part: str = "UI",
    across: float = 1 / 3,
) -> Steps:
    """Run the mouse down the sidebar until the button under it runs this operator; tells where, or nothing.

    ``part`` is another region to look in, ``across`` how far to the right in it.
    """

    def names() -> str:
        window_manager = bpy.context.window_manager
        window_manager.clipboard = ""
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
        return window_manager.clipboard

    yield from _search(lambda: names().startswith(f"bpy.ops.{command}("), found, editor, part, across)


def find_field(path: str, found: Callable[[int, int], None], editor: str = "VIEW_3D") -> Steps:
    """The same for the field that edits a property, such as ``dtex.prompt``."""

    def names() -> str:
        window_manager = bpy.context.window_manager
        window_manager.clipboard = ""
        if bpy.ops.ui.copy_data_path_button.poll():
            bpy.ops.ui.copy_data_path_button(full_path=False)
        return window_manager.clipboard

    yield from _search(lambda: names() in (path, path.rpartition(".")[2]), found, editor)


def _search(
    hit: Callable[[], bool],
    found: Callable[[int, int], None],
    editor: str,
    part: str = "UI",
    across: float = 1 / 3,
) -> Steps:
    # Away from the sidebar first: the button that was under the mouse stays the active one for a moment.
    yield from move(*middle("WINDOW", editor))
    yield 0.3
    place = region(part, editor)
    x = place.x + int(place.width * across)
    for y in range(place.y + place.height - _PITCH, place.y, -_PITCH):
        yield from move(x, y)
        with bpy.context.temp_override(window=window(), area=area(editor), region=region(part, editor)):
            matches = hit()
        if matches:
            found(x, y)
            return


def open_tab(name: str, editor: str = "VIEW_3D") -> Steps:
    """Open an editor's sidebar and click its tabs from above until this one is active."""
    area(editor).spaces.active.show_region_ui = True
    yield 0.5
    place = region("UI", editor)
    x = place.x + place.width - 8
    for y in range(place.y + place.height - 20, place.y, -20):
        yield from click(x, y)
        if region("UI", editor).active_panel_category == name:
            return
    raise AssertionError(f"The sidebar of {editor} has no tab {name}")


def photograph(path: str, *options: str) -> None:
    """What is really on the screen; Blender's own screenshot is black on a virtual one."""
    subprocess.run(["import", "-window", "root", *options, path], check=True)
