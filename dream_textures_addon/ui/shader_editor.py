# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab in the sidebar of the Shader Editor."""

from __future__ import annotations

import bpy

from .panels import SidebarPanel


class DTEX_PT_shader_editor(SidebarPanel, bpy.types.Panel):
    """Make textures in the Shader Editor, for the material that it shows."""

    bl_idname = "DTEX_PT_shader_editor"
    bl_space_type = "NODE_EDITOR"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not in the editors of other node trees."""
        space = context.space_data
        return isinstance(space, bpy.types.SpaceNodeEditor) and space.tree_type == "ShaderNodeTree"


def register() -> None:
    """Show the tab."""
    bpy.utils.register_class(DTEX_PT_shader_editor)


def unregister() -> None:
    """Hide the tab."""
    bpy.utils.unregister_class(DTEX_PT_shader_editor)
