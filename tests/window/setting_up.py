# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the generator in a real window: the button, the dialog, the progress, Cancel, and Ready.

The set-up is the fake program of tests/addon, since this Debian sees no network.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import hands

sys.path.insert(0, "/addon")
from setup_stage import Stage

Check = Callable[[str, object], None]
Until = Callable[[Callable[[], Any], float, str], hands.Steps]


def set_up(
    part: Callable[[str], ModuleType], check: Check, until: Until, folder: str, addon: str
) -> hands.Steps:
    """From an empty folder to Ready, with one change of mind on the way."""
    stage = Stage(Path("/tmp/stage"))
    bpy.context.preferences.system.use_online_access = True
    preferences = bpy.context.preferences.addons[addon].preferences
    preferences.environment_folder = str(stage.folder)
    desk = part("runtime_state").runtime().environment
    real = desk.tool
    desk.tool = part("environment.commands").Tool(sys.executable, stage.runtime, os.environ)
    yield from _open_preferences(addon)

    stage.mode("slow")
    yield from _press("dtex.setup_generator", check)
    yield from until(lambda: desk.plan is not None, 20, "the plan")
    yield 0.7
    check("nothing is written before the artist agrees", not stage.folder.exists())
    hands.photograph(f"{folder}/setup_dialog.png")
    yield from hands.press("RET", *hands.middle("WINDOW", "PREFERENCES"))
    yield from until(lambda: "Downloading PyTorch" in desk.status, 20, "the progress")
    yield 0.5
    hands.photograph(f"{folder}/setup_progress.png")
    yield from _press("dtex.cancel_setup", check)
    yield from until(lambda: not desk.busy, 30, "the end of the cancelled set-up")
    check("what was cancelled can be resumed", desk.found.state.value == "incomplete")
    check("and leaves no process", stage.all_gone())

    stage.mode("normal")
    yield from _press("dtex.setup_generator", check)
    yield from until(lambda: not desk.busy, 20, "the second plan")
    yield 0.7
    yield from hands.press("RET", *hands.middle("WINDOW", "PREFERENCES"))
    yield from until(lambda: desk.found.state.value == "ready", 30, "the environment")
    yield 0.5
    hands.photograph(f"{folder}/setup_ready.png")

    yield from _press("dtex.remove_generator", check, across=1 / 2)
    yield from until(lambda: not desk.busy, 20, "the plan of the removal")
    yield 0.7
    hands.photograph(f"{folder}/setup_uninstall.png")
    yield from hands.press("RET", *hands.middle("WINDOW", "PREFERENCES"))
    yield 0.5
    check("Return does not uninstall", desk.found.state.value == "ready")

    desk.tool, preferences.environment_folder = real, ""
    bpy.context.preferences.system.use_online_access = False
    hands.area("PREFERENCES").type = "VIEW_3D"
    yield 0.5


def _open_preferences(addon: str) -> hands.Steps:
    """The page of the add-on, in the place of the 3D View: another window could not be photographed."""
    import addon_utils

    hands.area().type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Dream Textures"
    for module in addon_utils.modules(refresh=False):
        if module.__name__ == addon:
            addon_utils.module_bl_info(module)["show_expanded"] = True
    yield 1.0


def _press(command: str, check: Check, across: float = 1 / 3) -> hands.Steps:
    places: list[tuple[int, int]] = []
    yield from hands.find_button(command, lambda x, y: places.append((x, y)), "PREFERENCES", "WINDOW", across)
    check(f"the button {command} is in the preferences", places)
    yield from hands.click(*places[0])
