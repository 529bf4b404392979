# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up, resume, update or repair the generator's environment: what it takes is said first, then it runs."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..environment import watch
from ..environment.desk import Task
from ..environment.dialog import confirm, draw_lines, reopen, window_key
from ..environment.wishes import why_not
from ..environment.words import plan_lines, plan_problem, plan_title


class DTEX_OT_setup_generator(bpy.types.Operator):
    """Make a private Python with PyTorch for diffusion models. A dialog says what it takes before anything starts"""

    bl_idname = "dtex.setup_generator"
    bl_label = "Set Up Generator"
    bl_options = {"INTERNAL"}

    planned: BoolProperty(
        name="Planned", description="Ask about the plan that was made", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether nothing runs and something may be fetched."""
        obstacle = watch.OCCUPIED if watch.desk().busy else why_not()
        if obstacle:
            cls.poll_message_set(obstacle)
        return not obstacle

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Find out what it takes, and ask when that is known."""
        if self.planned:
            title, button = plan_title(watch.desk().plan)
            return confirm(context, self, title, "Close" if plan_problem(watch.desk().plan) else button)
        key = window_key(context)
        return watch.begin(
            self,
            Task.PLAN,
            lambda ending: reopen(bpy.ops.dtex.setup_generator, key, planned=True) if ending.ok else None,
        )

    def draw(self, _context: bpy.types.Context) -> None:
        """The plan."""
        draw_lines(self.layout, plan_lines(watch.desk().plan))

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Start it; in background mode, wait for the end."""
        if self.planned and plan_problem(watch.desk().plan):
            return {"CANCELLED"}
        obstacle = watch.let_go()
        if obstacle:
            self.report({"ERROR"}, obstacle)
            return {"CANCELLED"}
        return watch.begin(self, Task.SET_UP, lambda _ending: watch.change_over())


class DTEX_OT_cancel_setup(bpy.types.Operator):
    """Stop what runs. What a set-up has fetched is kept, and it can be resumed"""

    bl_idname = "dtex.cancel_setup"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether anything runs."""
        if not watch.desk().busy:
            cls.poll_message_set("Nothing is being set up")
        return watch.desk().busy

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask it to end; that takes a moment, which nobody waits for."""
        watch.desk().cancel()
        return {"FINISHED"}


def register() -> None:
    """Add the operators."""
    bpy.utils.register_class(DTEX_OT_setup_generator)
    bpy.utils.register_class(DTEX_OT_cancel_setup)


def unregister() -> None:
    """Remove the operators."""
    bpy.utils.unregister_class(DTEX_OT_cancel_setup)
    bpy.utils.unregister_class(DTEX_OT_setup_generator)
