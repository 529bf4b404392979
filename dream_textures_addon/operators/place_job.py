# SPDX-License-Identifier: GPL-3.0-or-later
"""Place: what was finished for another file, or before Blender closed, goes into the open file."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

from dataclasses import replace

import bpy
from bpy.props import StringProperty

from .. import pump, recovery, targets
from ..compose import material_options
from ..delivery import Delivery, Destination, MaterialDestination
from ..runtime_state import runtime
from ..spool_entry import EntryError
from ..submission import refuse, see_placed
from ..upscale import UpscaleDestination, is_here


class DTEX_OT_place_job(bpy.types.Operator):
    """Put this texture into the open file: onto the active object, or as a new image"""

    # Without an undo step: the file is changed when the pictures are read, and that leaves a step of its own.
    bl_idname = "dtex.place_job"
    bl_label = "Apply to Active"
    bl_options = {"REGISTER"}

    job: StringProperty(name="Job", description="The id of the job", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Have it delivered; in background mode, wait for it."""
        state = runtime()
        offer = next((offer for offer in state.offers if offer.id == self.job and offer.whole), None)
        job = state.board.get(self.job)
        try:
            if offer is not None:
                recovery.place(offer, _here(context, recovery.destination_of(offer)[0]))
            elif job is not None and isinstance(job.target, Delivery) and pump.is_for_other_file(job):
                job.target.destination = _here(context, job.target.destination)
                job.target.document = state.document
            else:
                return refuse(self, "This texture is no longer here; generate it again")
        except (targets.TargetError, EntryError) as error:
            return refuse(self, str(error))
        if not bpy.app.background:
            pump.start()
            return {"FINISHED"}
        if offer is not None:
            recovery.finish()
            if offer.problem:
                return refuse(self, offer.problem)
        return see_placed(self, self.job)


def _here(context: bpy.types.Context, destination: Destination) -> Destination:
    """The destination with what is active now as its target."""
    settings = context.scene.dtex  # type: ignore[attr-defined]
    if isinstance(destination, UpscaleDestination) and destination.is_set and not is_here(destination):
        # The material whose images it enlarged is not in this file: it is a texture like any other.
        target = targets.choose(context, settings.target == "new")
        return MaterialDestination(destination.words, destination.pack, target, material_options(settings))
    if not isinstance(destination, MaterialDestination):
        return destination
    return replace(destination, target=targets.choose(context, settings.target == "new"))


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_place_job)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_place_job)
