# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancel what is running, or everything that waits."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..runtime_state import runtime


class DTEX_OT_cancel(bpy.types.Operator):
    """Stop the texture that is being made"""

    bl_idname = "dtex.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

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
        open_jobs = [job for job in state.board if not job.over]
        for job in open_jobs if self.everything else open_jobs[:1]:
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
