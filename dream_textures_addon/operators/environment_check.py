# SPDX-License-Identifier: GPL-3.0-or-later
"""Check this computer: disk, paths, drivers, proxies and the rest, each with what to do about it."""

from __future__ import annotations

import bpy

from ..environment import watch
from ..environment.desk import Task


class DTEX_OT_check_computer(bpy.types.Operator):
    """Look for what may stand in the generator's way, such as a full disk or an old driver, and say what to do"""

    bl_idname = "dtex.check_computer"
    bl_label = "Check This Computer"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether nothing runs."""
        if watch.desk().busy:
            cls.poll_message_set(watch.OCCUPIED)
        return not watch.desk().busy

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Start it; what it finds is shown in the preferences."""
        return watch.begin(self, Task.EXAMINE, lambda _ending: None)


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_check_computer)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_check_computer)
