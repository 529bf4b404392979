# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the order of the textures that wait for the generator."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from ..runtime_state import runtime

_PLACES = {"first": -(10**6), "up": -1, "down": 1, "last": 10**6}
_ITEMS = [
    ("first", "Make Next", "Make this one as soon as the running one is done"),
    ("up", "Move Up", "Make this one before the one above it"),
    ("down", "Move Down", "Make this one after the one below it"),
    ("last", "Make Last", "Make all others first"),
]


class DTEX_OT_move_job(bpy.types.Operator):
    """Change when this texture is made"""

    bl_idname = "dtex.move_job"
    bl_label = "Move in Queue"
    bl_options = {"INTERNAL"}

    job: StringProperty(name="Job", description="The id of a job that waits", options={"SKIP_SAVE"})
    to: EnumProperty(name="To", items=_ITEMS, options={"SKIP_SAVE"})

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """What the button does."""
        return next(text for name, _, text in _ITEMS if name == properties.to)  # type: ignore[attr-defined]

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether anything waits."""
        if not runtime().board.waiting:
            cls.poll_message_set("Nothing waits")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Tell the board and the session; what is being made goes on."""
        state = runtime()
        if self.job not in {job.id for job in state.board.waiting}:
            self.report({"WARNING"}, "This texture does not wait any more")
            return {"CANCELLED"}
        state.board.move(self.job, _PLACES[self.to])
        if state.session is not None:
            # With the one that was begun: if its generator just died, it is to be tried again first.
            state.session.reorder([job.id for job in state.board.open])
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_move_job)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_move_job)
