# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's choices for the model: which one, what is laid over it, and how it is run."""

from __future__ import annotations

import bpy

from ..model_numbers import automatic, native_size
from ..runtime_state import Runtime
from ..settings import DTEX_PG_settings
from .environment import draw_model_needs
from .text import wrapped


def draw_model(layout: bpy.types.UILayout, settings: DTEX_PG_settings, runtime: Runtime, width: int) -> None:
    """The sub-panel *Model*."""
    header, body = layout.panel("dtex_model", default_closed=True)
    header.label(text="Model")
    if body is None:
        return
    row = body.row(align=True)
    row.prop(settings, "model", expand=True)
    body.prop(settings, "upscaler")
    if not settings.uses_diffusion:
        return
    if settings.model == "folder":
        body.prop(settings, "model_folder")
        _draw_loras(body, settings)
    _draw_steps(body, settings, runtime, width)
    body.prop(settings, "scheduler")
    native = native_size(runtime.models, settings.model_name)
    if native and settings.pixels != (native, native):
        wrapped(body, f"Made for {native} × {native} pixels", width)
    if not runtime.runs_diffusion:
        draw_model_needs(body, runtime.environment, runtime.names_python, width)


def _draw_loras(layout: bpy.types.UILayout, settings: DTEX_PG_settings) -> None:
    column = layout.column(align=True)
    column.use_property_split = False
    for index, lora in enumerate(settings.loras):
        row = column.row(align=True)
        row.prop(lora, "file", text="")
        weight = row.row(align=True)
        weight.scale_x = 0.5
        weight.prop(lora, "weight", text="")
        row.operator("dtex.remove_lora", text="", icon="X").index = index
    column.operator("dtex.add_lora", icon="ADD")


def _draw_steps(layout: bpy.types.UILayout, settings: DTEX_PG_settings, runtime: Runtime, width: int) -> None:
    row = layout.row(heading="Steps")
    row.prop(settings, "automatic", text="Automatic")
    if settings.automatic:
        with_loras = settings.model == "folder" and bool(settings.loras)
        wrapped(layout, automatic(runtime.models, settings.model_name, with_loras), width)
        return
    layout.prop(settings, "steps")
    layout.prop(settings, "guidance")
    layout.prop(settings, "guidance_end", slider=True)
