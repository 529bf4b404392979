# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab in the sidebar of the Image Editor, and what is added to its Image menu."""

from __future__ import annotations

import bpy

from .panels import SidebarPanel
from .result import draw_upscale


class DTEX_PT_image_editor(SidebarPanel, bpy.types.Panel):
    """Make textures in the Image Editor."""

    bl_idname = "DTEX_PT_image_editor"
    bl_space_type = "IMAGE_EDITOR"


def draw_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    """What is added to the Image menu of the Image Editor."""
    space = context.space_data
    if isinstance(space, bpy.types.SpaceImageEditor) and space.image is not None:
        menu.layout.separator()
        menu.layout.operator("dtex.make_seamless")
        draw_upscale(menu.layout, "Upscale")
        menu.layout.operator("dtex.show_tiled")


def register() -> None:
    """Show the tab and the entries of the menu."""
    bpy.utils.register_class(DTEX_PT_image_editor)
    bpy.types.IMAGE_MT_image.append(draw_menu)


def unregister() -> None:
    """Hide them."""
    bpy.types.IMAGE_MT_image.remove(draw_menu)
    bpy.utils.unregister_class(DTEX_PT_image_editor)
