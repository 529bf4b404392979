# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop the generator by hand; otherwise it starts with the first job and ends with Blender."""

from __future__ import annotations

import bpy

from .. import pump
from ..launch import LaunchError
from ..runtime_state import runtime


class DTEX_OT_start_generator(bpy.types.Operator):
    """Start the generator now, so that the first texture need not wait for it"""

    bl_idname = "dtex.start_generator"
    bl_label = "Start Generator"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Start it without waiting."""
        try:
            runtime().ready_session().start()
        except LaunchError as error:
            self.report({"ERROR"}, f"{error} {error.advice}".strip())
            return {"CANCELLED"}
        pump.start()
        return {"FINISHED"}


class DTEX_OT_stop_generator(bpy.types.Operator):
    """End the generator and give back its memory; a job that runs is cancelled"""

    bl_idname = "dtex.stop_generator"
    bl_label = "Stop Generator"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether there is one."""
        return runtime().session is not None

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """End it; the events of what was cancelled are taken at once."""
        session = runtime().session
        if session is not None:
            session.close()
            pump.drain()
        return {"FINISHED"}


class DTEX_OT_release_memory(bpy.types.Operator):
    """Let go of the loaded model and give its memory back; the next texture loads it again"""

    bl_idname = "dtex.release_memory"
    bl_label = "Release Memory"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether a generator runs."""
        session = runtime().session
        if session is None or session.hello is None:
            cls.poll_message_set("The generator is not running, and holds no memory")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the generator; what runs is finished first."""
        session = runtime().session
        if session is not None:
            session.release()
        return {"FINISHED"}


def register() -> None:
    """Add the operators."""
    bpy.utils.register_class(DTEX_OT_start_generator)
    bpy.utils.register_class(DTEX_OT_stop_generator)
    bpy.utils.register_class(DTEX_OT_release_memory)


def unregister() -> None:
    """Remove the operators."""
    bpy.utils.unregister_class(DTEX_OT_release_memory)
    bpy.utils.unregister_class(DTEX_OT_stop_generator)
    bpy.utils.unregister_class(DTEX_OT_start_generator)
