# SPDX-License-Identifier: GPL-3.0-or-later
"""Discard: what is offered, or was not made, is forgotten for good."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import dispatch, recovery
from ..runtime_state import runtime

_ITEMS = [
    ("unfinished", "Unfinished", "What was not finished when Blender closed"),
    ("finished", "Finished", "What was finished and not placed when Blender closed"),
    ("not_made", "Not Made", "What failed or was cancelled"),
]


class DTEX_OT_discard_jobs(bpy.types.Operator):
    """Forget this texture for good"""

    bl_idname = "dtex.discard_jobs"
    bl_label = "Discard"
    bl_options = {"INTERNAL"}

    job: StringProperty(
        name="Job", description="The id of one job; without it, all of the group", options={"SKIP_SAVE"}
    )
    group: EnumProperty(name="Group", items=_ITEMS, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first where pictures would be lost."""
        offers = [offer for offer in runtime().offers if offer.whole]
        loses = any(offer.id == self.job if self.job else self._meant(offer.finished) for offer in offers)
        if loses:
            return context.window_manager.invoke_confirm(self, event)
        return self.execute(context)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Forget them, on disk as well."""
        state = runtime()
        offers = [
            offer
            for offer in state.offers
            if (offer.id == self.job if self.job else self._meant(offer.finished))
        ]
        jobs = [
            job
            for job in state.board.not_made
            if (job.id == self.job if self.job else self.group == "not_made")
        ]
        if self.job and not (offers or jobs):
            self.report({"WARNING"}, "This texture is no longer in the list")
            return {"CANCELLED"}
        recovery.discard(offers)
        for job in jobs:
            dispatch.forget(job)
        return {"FINISHED"}

    def _meant(self, finished: bool) -> bool:
        return self.group == ("finished" if finished else "unfinished")


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_discard_jobs)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_discard_jobs)
