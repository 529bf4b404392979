# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator that ends too early, an add-on that is disabled in mid-run, and what the panel says of a job."""

from __future__ import annotations

import sys
import threading
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from .conftest import MODULE, own_nodes, submodule

PROMPT = "mossy red brick wall"
LARGE = {"prompt": PROMPT, "width": 2048, "height": 2048}
"""A texture that takes long enough for something to happen in the middle."""


def running(job: Any) -> Callable[[], bool]:
    """Whether the generator has begun with a job."""
    return lambda: job.state.value in ("loading", "running")


def test_stopping_the_generator_ends_the_job(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(**LARGE)
    drain(running(job))
    bpy.ops.dtex.stop_generator()
    drain(lambda: job.over)
    assert job.state.value == "cancelled"
    assert runtime.session.pid is None


def test_a_generator_that_dies_is_started_again_and_the_texture_arrives(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt=PROMPT, width=1024, height=1024)
    drain(running(job))
    first = runtime.session.pid
    runtime.session._child.kill()  # as a memory shortage would
    drain(lambda: job.target.settled)
    assert runtime.session.pid != first
    assert job.state.value == "done"
    assert own_nodes(cube.active_material)
    assert any("again" in notice for notice in job.notices)


def test_a_python_without_numpy_says_what_is_missing(
    cube: bpy.types.Object, generator_python: Callable[[str], None], tmp_path: Path
) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=sys.platform != "win32")
    generator_python(str(tmp_path / "bare"))
    with pytest.raises(RuntimeError, match=r"(?i)numpy") as caught:
        bpy.ops.dtex.generate(prompt=PROMPT, width=64)
    assert "Traceback" not in str(caught.value)
    assert not own_nodes(cube.active_material)


def handlers() -> dict[str, list[str]]:
    """Every handler that is installed in Blender, by list."""
    return {
        name: [str(handler) for handler in getattr(bpy.app.handlers, name)]
        for name in dir(bpy.app.handlers)
        if isinstance(getattr(bpy.app.handlers, name), list)
    }


def test_nothing_is_left_behind_when_it_is_disabled(
    scene: bpy.types.Scene, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    try:
        for _ in range(2):
            bpy.ops.preferences.addon_disable(module=MODULE)
            clean = handlers()
            threads = set(threading.enumerate())
            bpy.ops.preferences.addon_enable(module=MODULE)
            bpy.context.scene.dtex.size = "custom"
            pump = submodule("pump")
            start(prompt=PROMPT, width=64, height=64)
            pump.start()
            tick = pump._tick
            assert bpy.app.timers.is_registered(tick)
            bpy.ops.preferences.addon_disable(module=MODULE)
            assert not bpy.app.timers.is_registered(tick)
            assert handlers() == clean
            assert set(threading.enumerate()) <= threads
    finally:
        bpy.ops.preferences.addon_enable(module=MODULE)


def test_the_panel_says_whether_it_tiles(
    scene: bpy.types.Scene, cube: bpy.types.Object, runtime: Any
) -> None:
    seam_line = submodule("ui.result").seam_line
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=256, height=256)
    assert seam_line(runtime.board.latest) == ("Tiles in X and Y", True)
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=256, height=256, seamless="off")
    assert seam_line(runtime.board.latest) == ("Made without tiling", True)


def test_the_panel_shows_what_a_style_sends(scene: bpy.types.Scene, runtime: Any) -> None:
    compose = submodule("compose")
    scene.dtex.prompt, scene.dtex.preset = "oak planks", "worn"
    shown = compose.sent_prompts(compose.Wishes(scene.dtex))
    bpy.ops.dtex.generate(width=64)
    request = runtime.board.latest.request
    assert (request.prompt, request.negative_prompt) == shown
    assert request.prompt != "oak planks"
    assert "oak planks" in request.prompt
    scene.dtex.model = "folder"
    assert "photograph" in compose.sent_prompts(compose.Wishes(scene.dtex))[0]


def test_the_preview_is_the_picture_the_right_way_up(
    start: Callable[..., Any], drain: Callable[..., None], runtime: Any
) -> None:
    job = start(prompt=PROMPT)
    drain(lambda: job.target.settled)
    preview = submodule("preview")
    shown = preview._collection[preview.key_of(job.id, 0)]
    width, height = shown.image_size
    pixels = np.array(shown.image_pixels_float[:]).reshape(height, width, 4)[::-1, :, :3] * 255
    sent = submodule("encode").pixels_of(job.image(0)["basecolor"].image)
    assert np.abs(pixels - sent).max() <= 1


def test_a_duplicated_material_takes_a_texture_of_its_own(cube: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=64)
    original = cube.active_material
    count = len(original.node_tree.nodes)
    cube.active_material = original.copy()
    bpy.ops.dtex.generate(prompt="blue tiles", seed=8, width=64)
    assert len(cube.active_material.node_tree.nodes) == count
    assert own_nodes(cube.active_material)["basecolor"].image.name == "blue-tiles_8_basecolor"
    assert own_nodes(original)["basecolor"].image.name == "mossy-red-brick-wall_7_basecolor"
