# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences: which Python runs the generator, and what it can do."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..launch import VARIABLE
from ..runtime_state import runtime
from ..session import SessionState
from .text import wrapped

_ADDON = __package__.rpartition(".")[0] if __package__ else ""

_ABILITIES = {
    "procedural": "Textures from words, with the built-in model",
    "maps": "Maps from any image",
    "tile": "Making an image tile",
    "diffusion": "Diffusion models from a folder",
}


class DTEX_AP_preferences(bpy.types.AddonPreferences):
    """The generator's Python."""

    bl_idname = _ADDON

    python_path: StringProperty(
        name="Generator's Python",
        description="A Python with PyTorch and diffusers, the folder of its environment, or a dream-textures program",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the path, the state and the buttons."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "python_path", placeholder="Blender's own Python")  # type: ignore[call-arg]
        width = context.region.width
        if not self.python_path:
            wrapped(
                layout,
                f"Empty: the environment variable {VARIABLE}, or Blender's own Python, which is enough for the "
                "built-in model. Diffusion models need PyTorch and diffusers.",
                width,
            )
        session = runtime().session
        hello = None if session is None else session.hello
        box = layout.box()
        box.label(text="The generator is not running" if session is None else session.status)
        if session is not None and session.state is SessionState.FAILED and session.advice:
            wrapped(box, session.advice, width)
        if hello is not None and session is not None:
            box.label(text=f"Version {hello.version} on Python {hello.python}: {session.launch.description}")
            for name, text in _ABILITIES.items():
                able = name in hello.capabilities
                box.label(text=text, icon="CHECKMARK" if able else "X")
        row = layout.row()
        row.operator("dtex.start_generator", icon="PLAY")
        row.operator("dtex.stop_generator", icon="SNAP_FACE")
        row.operator("dtex.copy_report", icon="COPYDOWN")


def register() -> None:
    """Add the preferences."""
    bpy.utils.register_class(DTEX_AP_preferences)


def unregister() -> None:
    """Remove the preferences."""
    bpy.utils.unregister_class(DTEX_AP_preferences)
