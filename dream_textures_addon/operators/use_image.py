# SPDX-License-Identifier: GPL-3.0-or-later
"""Use the image that the Image Editor shows as the source of the next texture."""

from __future__ import annotations

import bpy

from ..settings import is_picture


def _shown(context: bpy.types.Context) -> bpy.types.Image | None:
    space = context.space_data
    return space.image if isinstance(space, bpy.types.SpaceImageEditor) else None


class DTEX_OT_use_image(bpy.types.Operator):
    """Start the next texture from the image in this editor"""

    bl_idname = "dtex.use_image"
    bl_label = "Use This Image"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the editor shows an image with pixels of its own."""
        image = _shown(context)
        if image is None or not is_picture(None, image):
            cls.poll_message_set("The editor shows no image that could be a source")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the image into the settings."""
        context.scene.dtex.source = _shown(context)  # type: ignore[attr-defined]
        return {"FINISHED"}


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_use_image)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_use_image)
