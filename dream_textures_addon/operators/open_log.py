# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the log of the set-up, with the program that this computer has for text."""

from __future__ import annotations

import bpy

from ..environment import watch
from ..environment.wishes import wishes


class DTEX_OT_open_log(bpy.types.Operator):
    """Open what the last set-up wrote down"""

    bl_idname = "dtex.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is a log, as far as is known without a look at the disk."""
        if not watch.desk().has_log:
            cls.poll_message_set("There is no log yet")
        return watch.desk().has_log

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Open it."""
        log = wishes().log
        if not log.is_file():
            self.report({"ERROR"}, f"There is no log at {log}")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(log))
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_open_log)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_open_log)
