# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences: the generator's environment, or another Python in its place, and what the generator can do."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ..environment.wishes import wishes
from ..environment.words import ACCELERATORS
from ..runtime_state import keep_model_seconds, runtime
from ..session import SessionState
from .environment import draw_environment, draw_existing, draw_sources
from .text import wrapped

_ADDON = __package__.rpartition(".")[0] if __package__ else ""

_ABILITIES = {
    "procedural": "Textures from words, with the built-in model",
    "maps": "Maps from any image",
    "tile": "Making an image tile",
    "upscale": "Making images larger",
    "diffusion": "Diffusion models: the starter, and any from a folder",
}


ACCELERATION_ITEMS = [
    (
        "auto",
        "Automatic",
        "Record the work as CUDA graphs, and compile in the background where that is possible",
    ),
    ("graphs", "Recorded Only", "Record the work as CUDA graphs; nothing is compiled"),
    ("compiled", "Compiled", "Compile in the background on any device, a processor too"),
    ("off", "Off", "Nothing is recorded or compiled"),
]


def _look_again(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    runtime().environment.refresh(wishes())


def _tell_session(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    session = runtime().session
    if session is not None:
        session.keep_model_for(keep_model_seconds())


class DTEX_AP_preferences(bpy.types.AddonPreferences):
    """The generator's Python."""

    bl_idname = _ADDON

    environment_folder: StringProperty(
        name="Folder",
        description="Where the generator's private Python is set up. One folder may serve several Blender versions",
        subtype="DIR_PATH",
        update=_look_again,
    )
    accelerator: EnumProperty(
        name="Accelerator", description="Which build of PyTorch is installed", items=ACCELERATORS
    )
    index_url: StringProperty(
        name="Package Index", description="The address of a package index that stands in for pypi.org"
    )
    torch_index_url: StringProperty(
        name="PyTorch Index",
        description="The address of a package index that stands in for download.pytorch.org",
    )
    wheels: StringProperty(
        name="Folder of Wheels",
        description="A folder with the packages to install. With it, no network is needed",
        subtype="DIR_PATH",
    )
    proxy: StringProperty(
        name="Proxy",
        description="Such as http://proxy.studio:8080; in place of what the environment variables say",
    )
    python_mirror: StringProperty(
        name="Python Mirror", description="An address that stands in for where Python itself is downloaded"
    )
    base_python: StringProperty(
        name="Build On",
        description="A Python 3.11 to 3.13 of this computer to build on, where none may be downloaded",
        subtype="FILE_PATH",
    )
    python_path: StringProperty(
        name="Generator's Python",
        description="A Python with PyTorch and diffusers, the folder of its environment, or a dream-textures program",
        subtype="FILE_PATH",
    )
    keep_model: IntProperty(
        name="Keep Model For (Minutes)",
        description="Minutes without a job after which the generator lets go of its model's memory; 0 keeps it",
        default=10,
        min=0,
        max=24 * 60,
        update=_tell_session,
    )
    acceleration: EnumProperty(
        name="Acceleration",
        description="How diffusion models are made faster on a graphics card; from the generator's next start on",
        items=ACCELERATION_ITEMS,
    )
    show_sources: BoolProperty(
        name="Folder and Network", description="Where to install, and from where", options={"SKIP_SAVE"}
    )
    show_findings: BoolProperty(
        name="What Was Found",
        description="What Check This Computer found",
        default=True,
        options={"SKIP_SAVE"},
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the page."""
        draw_page(self.layout, self, context.region.width)


def draw_page(layout: bpy.types.UILayout, preferences: DTEX_AP_preferences, width: int) -> None:
    """The state and what to do about it come first, then the choices, then the process."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    desk = runtime().environment
    draw_environment(layout.box(), desk, width)
    draw_sources(layout, preferences, desk, width)
    draw_existing(layout, preferences, desk, width)
    layout.prop(preferences, "keep_model")
    layout.prop(preferences, "acceleration")
    _draw_process(layout, width)


def _draw_process(layout: bpy.types.UILayout, width: int) -> None:
    session = runtime().session
    hello = None if session is None else session.hello
    box = layout.box()
    box.label(text="The generator is not running" if session is None else session.status)
    if session is not None and session.state is SessionState.FAILED and session.advice:
        wrapped(box, session.advice, width)
    if hello is not None and session is not None:
        wrapped(box, f"Version {hello.version} on Python {hello.python}: {session.launch.description}", width)
        for name, text in _ABILITIES.items():
            able = name in hello.capabilities
            box.label(text=text, icon="CHECKMARK" if able else "X")
    row = layout.row()
    row.operator("dtex.start_generator", icon="PLAY")
    row.operator("dtex.stop_generator", icon="SNAP_FACE")
    row.operator("dtex.release_memory", icon="TRASH")
    row.operator("dtex.copy_report", icon="COPYDOWN")


def register() -> None:
    """Add the preferences, and see what the folder that they name holds."""
    bpy.utils.register_class(DTEX_AP_preferences)
    runtime().environment.refresh(wishes())


def unregister() -> None:
    """Remove the preferences."""
    bpy.utils.unregister_class(DTEX_AP_preferences)
