# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel that all three editors share: the prompt and the button first, then the result, then the choices.

Nothing here reads a file or waits; it draws what the settings and the board of jobs already hold.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..compose import Wishes, sent_prompts
from ..runtime_state import runtime
from ..settings import DTEX_PG_settings
from .model import draw_model
from .result import draw_result, draw_upscale
from .text import wrapped

TAB = "Dream Textures"
EXAMPLE = "mossy red brick wall"


class SidebarPanel:
    """What the panel is in every editor; the subclasses say where."""

    bl_label = "Dream Textures"
    bl_category = TAB
    bl_region_type = "UI"

    layout: Any

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the whole tab."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.dtex  # type: ignore[attr-defined]
        width = context.region.width
        _draw_prompt(layout, settings, width)
        draw_result(layout, runtime(), width)
        _draw_image(layout, settings, context.space_data)
        _draw_source(layout, settings)
        _draw_texture(layout, settings)
        draw_model(layout, settings, runtime(), width)
        _draw_material(layout, settings)


def _draw_prompt(layout: bpy.types.UILayout, settings: DTEX_PG_settings, width: int) -> None:
    column = layout.column()
    column.use_property_split = False
    prompt = column.row()
    prompt.scale_y = 1.4
    prompt.prop(settings, "prompt", text="", placeholder=EXAMPLE)  # type: ignore[call-arg]
    column.prop(settings, "preset", text="Style")
    column.prop(settings, "negative_prompt", text="", placeholder="What to leave out")  # type: ignore[call-arg]
    sent, left_out = sent_prompts(Wishes(settings))
    if sent and settings.preset != "none":
        wrapped(column, f"Sends: {sent}", width)
        if left_out:
            wrapped(column, f"Leaves out: {left_out}", width)
    button = layout.row()
    button.scale_y = 1.6
    button.enabled = bool(sent) or settings.source is not None
    running = runtime().board.active is not None
    button.operator("dtex.generate", text="Generate Next" if running else "Generate", icon="SHADERFX")


def _draw_image(
    layout: bpy.types.UILayout, settings: DTEX_PG_settings, space: bpy.types.Space | None
) -> None:
    """In an Image Editor: what can be done with the image that it shows."""
    if not isinstance(space, bpy.types.SpaceImageEditor) or space.image is None:
        return
    header, body = layout.panel("dtex_image")
    header.label(text="This Image")
    if body is None:
        return
    column = body.column(align=True)
    column.operator("dtex.make_seamless", icon="TEXTURE")
    if settings.uses_diffusion:
        column.operator("dtex.make_seamless", text="Make Seamless with the Model").use_model = True
    draw_upscale(column, "Upscale")
    column.operator("dtex.show_tiled", icon="MESH_GRID", depress=space.show_repeat)


def _draw_source(layout: bpy.types.UILayout, settings: DTEX_PG_settings) -> None:
    header, body = layout.panel("dtex_source", default_closed=True)
    header.label(text="Start from an Image")
    if body is None:
        return
    column = body.column()
    column.use_property_split = False
    column.template_ID(settings, "source", open="image.open")
    if isinstance(bpy.context.space_data, bpy.types.SpaceImageEditor):
        column.operator("dtex.use_image")
    if settings.source is not None:
        body.prop(settings, "strength")
        body.operator("dtex.make_maps")
        body.operator("dtex.make_seamless").image = settings.source.name


def _draw_texture(layout: bpy.types.UILayout, settings: DTEX_PG_settings) -> None:
    header, body = layout.panel("dtex_texture")
    header.label(text="Texture")
    if body is None:
        return
    body.prop(settings, "size")
    if settings.size == "custom":
        column = body.column(align=True)
        column.prop(settings, "width")
        column.prop(settings, "height")
    row = body.row(align=True)
    row.prop(settings, "seamless", expand=True)
    row = body.row(heading="Seed", align=True)
    row.prop(settings, "random_seed", text="Random")
    seed = body.row()
    seed.active = not settings.random_seed
    seed.prop(settings, "seed", text=" ")
    body.prop(settings, "count")


def _draw_material(layout: bpy.types.UILayout, settings: DTEX_PG_settings) -> None:
    header, body = layout.panel("dtex_material", default_closed=True)
    header.label(text="Material")
    if body is None:
        return
    body.prop(settings, "target", text="Into")
    body.prop(settings, "store")
    body.prop(settings, "mapping_scale")
    body.prop(settings, "displacement")
    column = body.column(heading="Occlusion")
    column.prop(settings, "use_ao", text="Multiply into Base Color")
    column = body.column(heading="Maps", align=True)
    column.prop(settings, "maps")
    row = body.row()
    row.active = settings.source is not None or settings.uses_diffusion
    row.prop(settings, "maps_from")
