# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's environment on the page of the preferences, and in short where a model needs it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import bpy

from ..environment.commands import EnvironmentState
from ..environment.desk import Desk, Task
from ..environment.events import Ending
from ..environment.words import check_lines, finding_lines, label, state_lines
from ..launch import VARIABLE
from .text import wrapped


def draw_environment(box: bpy.types.UILayout, desk: Desk, width: int) -> None:
    """The state in words, or what runs, or how it failed; and the buttons."""
    if desk.busy:
        _draw_progress(box, desk)
    else:
        _lines(box, state_lines(desk.found), width)
        if desk.trouble is not None:
            wrapped(box, desk.trouble.message, width, "ERROR")
            if desk.trouble.advice:
                wrapped(box, desk.trouble.advice, width, "BLANK1")
        elif desk.news:
            wrapped(box, desk.news, width)
    row = box.row()
    if desk.busy:
        row.operator("dtex.cancel_setup", icon="X")
    else:
        row.operator("dtex.setup_generator", text=label(desk.found), icon="IMPORT")
    row.operator("dtex.remove_generator", text="Uninstall...", icon="TRASH")
    row.operator("dtex.open_log", icon="TEXT")


def draw_model_needs(layout: bpy.types.UILayout, desk: Desk, named: bool, width: int) -> None:
    """Beside a diffusion model that cannot run yet: the way to what it needs."""
    box = layout.box()
    if desk.busy:
        _draw_progress(box, desk)
        box.operator("dtex.cancel_setup", icon="X")
        return
    if named:
        wrapped(
            box,
            "The Python that is named in the preferences has no PyTorch. Name another, or none.",
            width,
            "ERROR",
        )
        return
    if desk.trouble is not None:
        wrapped(box, desk.trouble.sentences, width, "ERROR")
    elif desk.found.state is EnvironmentState.ABSENT:
        wrapped(box, "Diffusion models need PyTorch, which is not set up yet.", width, "INFO")
    else:
        _lines(box, state_lines(desk.found), width)
    box.operator("dtex.setup_generator", text=label(desk.found), icon="IMPORT")


def draw_sources(layout: bpy.types.UILayout, preferences: Any, desk: Desk, width: int) -> None:
    """Where to install, and from where."""
    if not _opened(layout, preferences, "show_sources"):
        return
    box = layout.box()
    box.enabled = not desk.busy
    box.prop(preferences, "environment_folder", placeholder=str(desk.default_folder))  # type: ignore[call-arg]
    if desk.found.folder == desk.default_folder:
        wrapped(
            box,
            "Blender deletes this folder when the extension is removed. Another one stays, and may serve several "
            "Blender versions.",
            width,
        )
    for name, placeholder in (
        ("accelerator", ""),
        ("index_url", "https://pypi.org/simple"),
        ("torch_index_url", "https://download.pytorch.org/whl"),
        ("wheels", ""),
        ("proxy", "As the environment variables say"),
        ("python_mirror", ""),
        ("base_python", "A downloaded one"),
    ):
        if placeholder:
            box.prop(preferences, name, placeholder=placeholder)  # type: ignore[call-arg]
        else:
            box.prop(preferences, name)


def draw_existing(layout: bpy.types.UILayout, preferences: Any, desk: Desk, width: int) -> None:
    """Another Python in place of the private one, and the two checks: of that Python and of this computer."""
    layout.prop(preferences, "python_path", placeholder="The one that was set up, or Blender's own")  # type: ignore[call-arg]
    if not preferences.python_path and os.environ.get(VARIABLE, "").strip():
        wrapped(layout, f"The environment variable {VARIABLE} names the Python in use.", width, "INFO")
    elif preferences.python_path and desk.found.python is not None:
        wrapped(
            layout, "This one is used, not the one that was set up. Clear it to change that.", width, "INFO"
        )
    row = layout.row()
    row.operator("dtex.use_existing_python", icon="FILE_FOLDER")
    row.operator("dtex.check_computer", icon="VIEWZOOM")
    if desk.checked is not None:
        _draw_checked(layout.box(), preferences, desk.checked, width)
    if desk.findings is not None and _opened(layout, preferences, "show_findings"):
        box = layout.box()
        for (icon, text), advice in finding_lines(desk.findings):
            wrapped(box, text, width, icon)
            if advice:
                wrapped(box, advice, width, "BLANK1")


def _draw_checked(box: bpy.types.UILayout, preferences: Any, checked: Ending, width: int) -> None:
    _lines(box, check_lines(checked), width)
    python = checked.data.get("python") if isinstance(checked.data, dict) else None
    if not checked.ok and isinstance(python, str) and python != preferences.python_path:
        anyway = box.operator("dtex.use_existing_python", text="Use It Anyway")
        anyway.filepath, anyway.insist = python, True


def _draw_progress(box: bpy.types.UILayout, desk: Desk) -> None:
    fraction = desk.progress.fraction if desk.task is Task.SET_UP else None
    if fraction is None:
        box.label(text=desk.status, icon="SORTTIME")
    else:
        box.progress(factor=fraction, text=desk.status)


def _opened(layout: bpy.types.UILayout, preferences: Any, name: str) -> bool:
    """A heading that opens and closes; `UILayout.panel` does not work within the boxes of the preferences."""
    opened = bool(getattr(preferences, name))
    row = layout.row()
    row.use_property_split = False
    row.alignment = "LEFT"
    row.prop(preferences, name, icon="DOWNARROW_HLT" if opened else "RIGHTARROW", emboss=False)
    return opened


def _lines(layout: bpy.types.UILayout, lines: Iterable[tuple[str, str]], width: int) -> None:
    for icon, text in lines:
        wrapped(layout, text, width, icon)
