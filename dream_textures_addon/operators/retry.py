# SPDX-License-Identifier: GPL-3.0-or-later
"""Retry: a texture that failed or was cancelled is made after all."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import BoolProperty, StringProperty

from .. import dispatch
from ..jobs import Job
from ..launch import LaunchError
from ..runtime_state import runtime
from ..submission import await_jobs, refuse


class DTEX_OT_retry(bpy.types.Operator):
    """Make this once more: the same words, settings and seed, for the same place"""

    bl_idname = "dtex.retry"
    bl_label = "Retry"
    bl_options = {"REGISTER"}

    job: StringProperty(
        name="Job", description="The id of the job; without it, the latest", options={"SKIP_SAVE"}
    )
    everything: BoolProperty(
        name="Everything", description="All that were not made, in their order", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether something failed or was cancelled."""
        if not runtime().board.not_made:
            cls.poll_message_set("Nothing failed, and nothing was cancelled")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Queue it; in background mode, wait for it."""
        jobs = self._jobs()
        if not jobs:
            return refuse(self, "This texture is no longer in the list; generate it again")
        try:
            again = [dispatch.again(job) for job in jobs]
        except LaunchError as error:
            return refuse(self, f"{error} {error.advice}")
        return await_jobs(self, again)

    def _jobs(self) -> list[Job]:
        jobs = runtime().board.not_made
        if self.job:
            return [job for job in jobs if job.id == self.job]
        return jobs if self.everything else jobs[-1:]


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_retry)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_retry)
