# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply: a texture that is finished goes onto the active object."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import IntProperty, StringProperty

from .. import delivery, targets
from ..compose import material_options
from ..images import ImageError
from ..jobs import Job, JobState
from ..runtime_state import runtime


def _finished(name: str) -> Job | None:
    """The job of this name, or the latest one, that has images to apply."""
    jobs = [
        job
        for job in runtime().board
        if job.state in (JobState.DONE, JobState.FAILED)
        and isinstance(job.target, delivery.Delivery)
        and job.target.applies
        and job.target.indices
    ]
    if name:
        return next((job for job in jobs if job.id == name), None)
    return jobs[-1] if jobs else None


class DTEX_OT_apply_material(bpy.types.Operator):
    """Build the finished texture into the material of the active object"""

    bl_idname = "dtex.apply_material"
    bl_label = "Apply"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    job: StringProperty(options={"SKIP_SAVE", "HIDDEN"})
    index: IntProperty(name="Variation", min=0, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is anything to apply."""
        if _finished("") is None:
            cls.poll_message_set("No texture has been made yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build the material at once: its images are here already."""
        job = _finished(self.job)
        made = job.target if job is not None else None
        if not isinstance(made, delivery.Delivery) or self.index not in made.indices:
            self.report({"ERROR"}, "This texture is no longer here; generate it again")
            return {"CANCELLED"}
        settings = context.scene.dtex  # type: ignore[attr-defined]
        try:
            target = targets.choose(context, settings.target == "new")
            outcome = delivery.apply(made, self.index, target, material_options(settings))
        except (targets.TargetError, ImageError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for sentence in outcome.sentences:
            self.report({"INFO"}, sentence)
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_apply_material)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_apply_material)
