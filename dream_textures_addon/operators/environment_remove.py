# SPDX-License-Identifier: GPL-3.0-or-later
"""Uninstall the generator's environment: every path that goes is named first, and models stay."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..environment import watch
from ..environment.commands import EnvironmentState
from ..environment.desk import Task
from ..environment.dialog import confirm, draw_lines, reopen, window_key
from ..environment.words import removal_lines


class DTEX_OT_remove_generator(bpy.types.Operator):
    """Delete the private Python that was set up. A dialog names what goes; models are never deleted"""

    bl_idname = "dtex.remove_generator"
    bl_label = "Uninstall Generator"
    bl_options = {"INTERNAL"}

    planned: BoolProperty(
        name="Planned", description="Ask about the plan that was made", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is one and nothing runs."""
        obstacle = watch.OCCUPIED if watch.desk().busy else ""
        if watch.desk().found.state is EnvironmentState.ABSENT:
            obstacle = "There is nothing to uninstall"
        if obstacle:
            cls.poll_message_set(obstacle)
        return not obstacle

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Find out what would go, and ask when that is known."""
        if self.planned:
            return confirm(context, self, "Uninstall the Generator", "Delete", careful=True)
        key = window_key(context)
        return watch.begin(
            self,
            Task.PLAN,
            lambda ending: reopen(bpy.ops.dtex.remove_generator, key, planned=True) if ending.ok else None,
        )

    def draw(self, _context: bpy.types.Context) -> None:
        """What goes and what stays."""
        draw_lines(self.layout, removal_lines(watch.desk().plan))

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Delete it; in background mode, wait for the end."""
        obstacle = watch.let_go()
        if obstacle:
            self.report({"ERROR"}, obstacle)
            return {"CANCELLED"}
        return watch.begin(self, Task.REMOVE, lambda _ending: watch.change_over())


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_remove_generator)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_remove_generator)
