# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as Blender sees it: installed, enabled, disabled, and polite."""

from __future__ import annotations

import os
import sys
import time
from types import ModuleType
from typing import Any

import addon_utils
import bpy

from .conftest import MODULE


def test_blender_has_no_complaint(scene: bpy.types.Scene) -> None:
    bpy.ops.dtex.generate(prompt="red bricks", width=32)
    addon_utils._is_first_reset()
    assert addon_utils._extensions_warnings_get() == {}


def test_the_generator_comes_with_the_zip_and_runs_on_blenders_python(
    installed: ModuleType, runtime: Any
) -> None:
    launch = runtime.launch()
    assert launch.command[0] == sys.executable
    assert launch.cwd.is_relative_to(os.environ["BLENDER_USER_RESOURCES"])
    assert (launch.cwd / "generator" / "__main__.py").is_file()


def test_nothing_is_written_beside_the_code(
    scene: bpy.types.Scene, installed: ModuleType, runtime: Any
) -> None:
    before = sorted(runtime.launch().cwd.rglob("*"))
    bpy.ops.dtex.generate(prompt="red bricks", width=32)
    assert sorted(runtime.launch().cwd.rglob("*")) == before


def test_disabling_ends_the_generator_and_enabling_again_works(scene: bpy.types.Scene) -> None:
    for _ in range(2):
        bpy.ops.dtex.generate(prompt="red bricks", width=32)
        state = sys.modules[f"{MODULE}.runtime_state"].runtime()
        pid = state.session.pid
        assert _is_alive(pid)
        bpy.ops.preferences.addon_disable(module=MODULE)
        try:
            assert not _is_alive(pid)
            assert not hasattr(bpy.types.Scene, "dtex")
            assert not hasattr(bpy.types, "DTEX_OT_generate")
            assert not [name for name in dir(bpy.types) if name.startswith("DTEX_")]
        finally:
            bpy.ops.preferences.addon_enable(module=MODULE)
    bpy.context.scene.dtex.prompt = "still here"


def test_the_old_dream_textures_may_be_installed_beside_it(installed: ModuleType) -> None:
    assert not [name for name in dir(bpy.types.Scene) if name.startswith("dream_texture")]
    tabs = {getattr(bpy.types, name).bl_category for name in dir(bpy.types) if name.startswith("DTEX_PT_")}
    assert tabs == {"Dream Textures"}


def test_tooltips_end_without_a_full_stop(installed: ModuleType) -> None:
    operators = [getattr(bpy.ops.dtex, name) for name in dir(bpy.ops.dtex)]
    assert len(operators) >= 8
    texts = [operator.get_rna_type().description for operator in operators]
    texts += [
        text
        for prop in bpy.types.Scene.bl_rna.properties["dtex"].fixed_type.properties
        for text in (prop.description, *(item.description for item in getattr(prop, "enum_items", ())))
        if prop.identifier not in ("rna_type", "name")
    ]
    assert all(texts)
    assert not [text for text in texts if text.endswith(".")]


def test_an_artist_need_not_start_the_generator_but_can(
    scene: bpy.types.Scene, runtime: Any, drain: Any
) -> None:
    if bpy.ops.dtex.stop_generator.poll():
        bpy.ops.dtex.stop_generator()
    bpy.ops.dtex.start_generator()
    drain(lambda: runtime.session.hello is not None)
    assert "procedural" in runtime.session.hello.capabilities
    pid = runtime.session.pid
    bpy.ops.dtex.stop_generator()
    assert not _is_alive(pid)
    assert runtime.session.state.value == "stopped"


def _is_alive(pid: int) -> bool:
    for _ in range(20):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.01)
    return True
