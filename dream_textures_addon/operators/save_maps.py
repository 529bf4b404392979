# SPDX-License-Identifier: GPL-3.0-or-later
"""Save the latest texture's maps as PNG files, with their recipe inside, into a folder of choice."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from ..delivery import Delivery
from ..images import ImageError, save_files
from ..runtime_state import runtime


def _latest() -> Delivery | None:
    made = [
        job.target
        for job in runtime().board
        if isinstance(job.target, Delivery) and job.target.applies and job.target.indices
    ]
    return made[-1] if made else None


class DTEX_OT_save_maps(bpy.types.Operator):
    """Save the maps of the latest texture as PNG files"""

    bl_idname = "dtex.save_maps"
    bl_label = "Save Maps"
    bl_options = {"REGISTER"}

    directory: StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether a texture has been made."""
        if _latest() is None:
            cls.poll_message_set("No texture has been made yet")
            return False
        return True

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Write the files; none is ever replaced."""
        made = _latest()
        if made is None or not self.directory:
            self.report({"ERROR"}, "Choose a folder")
            return {"CANCELLED"}
        folder = Path(bpy.path.abspath(self.directory))
        try:
            paths = [
                path
                for index in made.indices
                for path in save_files(made.maps(index), made.destination.words, folder)
            ]
        except ImageError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{len(paths)} files saved in {folder}")
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_save_maps)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_save_maps)
