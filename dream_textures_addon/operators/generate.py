# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate: the panel's settings become a texture and its material."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..compose import compose_texture
from ..schedulers import SCHEDULER_ITEMS
from ..settings import (
    DISPLACEMENT_ITEMS,
    MAKER_ITEMS,
    MAP_ITEMS,
    MAX_SEED,
    PRESET_ITEMS,
    SEAMLESS_ITEMS,
    STORE_ITEMS,
    TARGET_ITEMS,
)
from ..submission import submit
from ..wire import protocol

# A value given once by a script must not come back with the next click.
_ONCE = {"SKIP_SAVE"}
_SIDE = {"default": 1024, "min": protocol.MIN_SIZE, "max": protocol.MAX_SIZE, "options": _ONCE}


class DTEX_OT_generate(bpy.types.Operator):
    """Make a texture from the prompt and build its material"""

    bl_idname = "dtex.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER"}

    # For scripts: each one that is given is used in place of the panel's setting.
    prompt: StringProperty(name="Prompt", options=_ONCE)
    negative_prompt: StringProperty(name="Negative Prompt", options=_ONCE)
    preset: EnumProperty(name="Style", items=PRESET_ITEMS, options=_ONCE)
    source: StringProperty(name="Source", description="The name of an open image", options=_ONCE)
    strength: FloatProperty(name="Strength", default=0.6, min=0.0, max=1.0, options=_ONCE)
    seamless: EnumProperty(name="Seamless", items=SEAMLESS_ITEMS, options=_ONCE)
    width: IntProperty(name="Width", **_SIDE)
    height: IntProperty(name="Height", **_SIDE)
    seed: IntProperty(name="Seed", min=0, max=MAX_SEED, options=_ONCE)
    count: IntProperty(name="Variations", default=1, min=1, max=protocol.MAX_COUNT, options=_ONCE)
    model: StringProperty(
        name="Model",
        description="builtin:procedural, builtin:starter, or the path of a model folder",
        options=_ONCE,
    )
    steps: IntProperty(name="Steps", default=25, min=1, max=protocol.MAX_STEPS, options=_ONCE)
    guidance: FloatProperty(name="Guidance", default=7.5, min=0.0, max=100.0, options=_ONCE)
    guidance_end: FloatProperty(
        name="Guide Until", default=1.0, min=protocol.MIN_GUIDANCE_END, max=1.0, options=_ONCE
    )
    scheduler: EnumProperty(name="Scheduler", items=SCHEDULER_ITEMS, options=_ONCE)
    maps: EnumProperty(
        name="Maps", items=MAP_ITEMS, default=set(protocol.MAPS), options=_ONCE | {"ENUM_FLAG"}
    )
    maps_from: EnumProperty(name="Maps By", items=MAKER_ITEMS, options=_ONCE)
    target: EnumProperty(name="Material", items=TARGET_ITEMS, options=_ONCE)
    mapping_scale: FloatProperty(name="Repeat", default=1.0, min=0.001, options=_ONCE)
    use_ao: BoolProperty(name="Multiply Ambient Occlusion", options=_ONCE)
    displacement: EnumProperty(name="Height", items=DISPLACEMENT_ITEMS, options=_ONCE)
    store: EnumProperty(name="Images", items=STORE_ITEMS, options=_ONCE)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the texture; in background mode, wait for it."""
        return submit(self, context, compose_texture)


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_generate)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_generate)
