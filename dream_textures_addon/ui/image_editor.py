# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab in the sidebar of the Image Editor."""

from __future__ import annotations

import bpy

from .panels import SidebarPanel


class DTEX_PT_image_editor(SidebarPanel, bpy.types.Panel):
    """Make textures in the Image Editor."""

    bl_idname = "DTEX_PT_image_editor"
    bl_space_type = "IMAGE_EDITOR"

    def draw(self, context: bpy.types.Context) -> None:
        """The whole tab, and a switch that shows whether the image tiles."""
        super().draw(context)
        space = context.space_data
        if isinstance(space, bpy.types.SpaceImageEditor) and space.image is not None:
            self.layout.prop(space, "show_repeat", text="Show Tiled")


def register() -> None:
    """Show the tab."""
    bpy.utils.register_class(DTEX_PT_image_editor)


def unregister() -> None:
    """Hide the tab."""
    bpy.utils.unregister_class(DTEX_PT_image_editor)
