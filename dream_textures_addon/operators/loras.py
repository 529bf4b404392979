# SPDX-License-Identifier: GPL-3.0-or-later
"""The LoRAs of the next texture: add one, and take one away."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import IntProperty, StringProperty

from ..wire import protocol


class DTEX_OT_add_lora(bpy.types.Operator):
    """Lay a LoRA over the model: a small file that teaches it a style, a subject, or to need fewer steps"""

    bl_idname = "dtex.add_lora"
    bl_label = "Add LoRA"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.safetensors", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is room for one more."""
        if len(context.scene.dtex.loras) >= protocol.MAX_LORAS:  # type: ignore[attr-defined]
            cls.poll_message_set(f"A model takes at most {protocol.MAX_LORAS} LoRAs at once")
            return False
        return True

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Let the artist choose the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the file at the end of the list."""
        if not self.filepath:
            self.report({"ERROR"}, "Choose the LoRA's file.")
            return {"CANCELLED"}
        context.scene.dtex.loras.add().file = self.filepath  # type: ignore[attr-defined]
        return {"FINISHED"}


class DTEX_OT_remove_lora(bpy.types.Operator):
    """Use this LoRA no longer; its file stays"""

    bl_idname = "dtex.remove_lora"
    bl_label = "Remove LoRA"
    bl_options = {"REGISTER", "UNDO"}

    index: IntProperty(name="Index", min=0, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take it off the list."""
        loras = context.scene.dtex.loras  # type: ignore[attr-defined]
        if self.index >= len(loras):
            self.report({"ERROR"}, "There is no such LoRA in the list.")
            return {"CANCELLED"}
        loras.remove(self.index)
        return {"FINISHED"}


_CLASSES = (DTEX_OT_add_lora, DTEX_OT_remove_lora)


def register() -> None:
    """Add the operators."""
    for kind in _CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    """Remove them."""
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)
