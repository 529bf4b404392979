# SPDX-License-Identifier: GPL-3.0-or-later
"""Resume: what was not finished when Blender closed is made after all."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .. import pump, recovery
from ..offers import Offer
from ..runtime_state import runtime
from ..submission import await_jobs, refuse


class DTEX_OT_find_jobs(bpy.types.Operator):
    """Look for textures that were not finished, or not placed, when Blender closed"""

    bl_idname = "dtex.find_jobs"
    bl_label = "Look for Unfinished Textures"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Look, and say what was found in background mode; else the panel does."""
        recovery.look()
        if not bpy.app.background:
            pump.start()
            return {"FINISHED"}
        recovery.finish()
        count = len(runtime().offers)
        self.report({"INFO"}, f"{count} texture{'' if count == 1 else 's'} found")
        return {"FINISHED"}


class DTEX_OT_resume_jobs(bpy.types.Operator):
    """Make what was not finished when Blender closed: the same words, settings and seed"""

    bl_idname = "dtex.resume_jobs"
    bl_label = "Resume"
    bl_options = {"REGISTER"}

    job: StringProperty(name="Job", description="The id of one job; without it, all", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is anything to resume."""
        if not any(not offer.finished for offer in runtime().offers):
            cls.poll_message_set("Nothing was left unfinished")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Read them from disk and queue them; in background mode, wait for them."""
        offers = self._offers()
        if not offers:
            return refuse(self, "This texture is no longer in the list")
        recovery.resume(offers)
        if not bpy.app.background:
            pump.start()
            return {"FINISHED"}
        recovery.finish()
        for offer in offers:
            if offer.problem:
                refuse(self, offer.problem)
        found = (runtime().board.get(offer.id) for offer in offers)
        return await_jobs(self, [job for job in found if job is not None])

    def _offers(self) -> list[Offer]:
        offers = [offer for offer in runtime().offers if not offer.finished]
        return [offer for offer in offers if offer.id == self.job] if self.job else offers


_CLASSES = (DTEX_OT_find_jobs, DTEX_OT_resume_jobs)


def register() -> None:
    """Add the operators."""
    for kind in _CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    """Remove the operators."""
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)
