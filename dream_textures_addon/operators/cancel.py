# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancel what is running, one job that waits, or everything."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import BoolProperty, StringProperty

from ..runtime_state import runtime


class DTEX_OT_cancel(bpy.types.Operator):
    """Stop the texture that is being made"""

    bl_idname = "dtex.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    job: StringProperty(
        name="Job", description="The id of one job; without it, the one that runs", options={"SKIP_SAVE"}
    )
    everything: BoolProperty(name="Everything", description="Stop all jobs", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether anything runs."""
        if runtime().board.active is None:
            cls.poll_message_set("Nothing is being made")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the generator to stop; the job's last event follows within one step."""
        state = runtime()
        jobs = state.board.open
        if self.job:
            jobs = [job for job in jobs if job.id == self.job]
            if not jobs:
                self.report({"ERROR"}, "This texture is not being made")
                return {"CANCELLED"}
        elif not self.everything:
            jobs = jobs[:1]
        # From the last: the next one would begin as soon as the first is gone.
        for job in reversed(jobs):
            job.stopping = True
            if state.session is not None:
                state.session.cancel(job.id)
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_cancel)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_cancel)
