# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from the source image as it is: a finished material for any texture or photo."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from ..compose import compose_maps
from ..settings import MAKER_ITEMS
from ..submission import submit


class DTEX_OT_make_maps(bpy.types.Operator):
    """Make a material from the source image as it is, with maps estimated from it"""

    bl_idname = "dtex.make_maps"
    bl_label = "Maps from Image"
    bl_options = {"REGISTER"}

    source: StringProperty(name="Source", description="The name of an open image", options={"SKIP_SAVE"})
    maps_from: EnumProperty(name="Maps By", items=MAKER_ITEMS, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the estimation; in background mode, wait for it."""
        return submit(self, context, compose_maps)


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_make_maps)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_make_maps)
