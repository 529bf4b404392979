# SPDX-License-Identifier: GPL-3.0-or-later
"""Show 3 × 3: the image of this editor beside copies of itself, so that a seam can be seen."""

from __future__ import annotations

import bpy

from .. import editors


class DTEX_OT_show_tiled(bpy.types.Operator):
    """Repeat the image in this editor and show three by three of it; again, to see it alone"""

    bl_idname = "dtex.show_tiled"
    bl_label = "Show 3 × 3"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is an image to repeat."""
        space = context.space_data
        if not isinstance(space, bpy.types.SpaceImageEditor) or space.image is None:
            cls.poll_message_set("The editor shows no image")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch between one and three by three."""
        space = context.space_data
        assert isinstance(space, bpy.types.SpaceImageEditor)
        editors.show_repeats(context.area, not space.show_repeat)
        editors.centre(context.area)
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_show_tiled)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_show_tiled)
