# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab in the sidebar of the 3D View."""

from __future__ import annotations

import bpy

from .panels import SidebarPanel


class DTEX_PT_view3d(SidebarPanel, bpy.types.Panel):
    """Make textures in the 3D View."""

    bl_idname = "DTEX_PT_view3d"
    bl_space_type = "VIEW_3D"


def register() -> None:
    """Show the tab."""
    bpy.utils.register_class(DTEX_PT_view3d)


def unregister() -> None:
    """Hide the tab."""
    bpy.utils.unregister_class(DTEX_PT_view3d)
