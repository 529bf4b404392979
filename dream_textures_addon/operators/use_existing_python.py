# SPDX-License-Identifier: GPL-3.0-or-later
"""Use a Python that is there already: it is asked what it has, and taken when nothing is missing."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from ..environment import watch
from ..environment.desk import Task
from ..environment.wishes import preferences
from ..launch import LaunchError, find_python


class DTEX_OT_use_existing_python(bpy.types.Operator):
    """Choose a Python that has PyTorch and diffusers. It is checked first, and what it lacks is said"""

    bl_idname = "dtex.use_existing_python"
    bl_label = "Use Existing Python..."
    bl_options = {"INTERNAL"}

    filepath: StringProperty(
        name="Python", description="A Python, or the folder of its environment", subtype="FILE_PATH"
    )
    insist: BoolProperty(
        name="Use It Anyway", description="Take it though something is missing", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether nothing runs."""
        if watch.desk().busy:
            cls.poll_message_set(watch.OCCUPIED)
        return not watch.desk().busy

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the file."""
        if self.insist:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Check it; in background mode, wait for the verdict."""
        try:
            python = find_python(self.filepath, "the file chooser")
        except LaunchError as error:
            self.report({"ERROR"}, f"{error} {error.advice}")
            return {"CANCELLED"}
        if self.insist:
            _use(python)
            return {"FINISHED"}
        done = watch.begin(self, Task.CHECK, lambda ending: _use(python) if ending.ok else None, python)
        checked = watch.desk().checked
        if checked is not None and not checked.ok:
            self.report({"ERROR"}, checked.sentences)
            return {"CANCELLED"}
        return done


def _use(python: Path) -> None:
    preferences().python_path = str(python)
    bpy.context.preferences.is_dirty = True  # so that Blender saves it as it saves what is typed there


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_use_existing_python)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_use_existing_python)
