# SPDX-License-Identifier: GPL-3.0-or-later
"""A texture that arrives while the artist works on, as the timer brings it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import pytest

from .conftest import own_nodes, submodule


def cube_material() -> bpy.types.Material:
    """The cube's material, looked up anew: no reference survives an undo."""
    return bpy.data.objects["Cube"].active_material


def artist_moves_the_cube(x: float) -> None:
    """Something that the artist did, with its own undo step."""
    bpy.data.objects["Cube"].location.x = x
    bpy.ops.ed.undo_push(message="Move")


def test_undo_takes_away_what_arrived_and_nothing_of_the_artists(
    scene: bpy.types.Scene, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    bpy.ops.ed.undo_push(message="Start")
    artist_moves_the_cube(1.0)
    job = start(prompt="red bricks")
    artist_moves_the_cube(2.0)
    drain(lambda: job.target.settled)
    assert own_nodes(cube_material())
    bpy.ops.ed.undo()
    assert not own_nodes(cube_material())
    assert not [image for image in bpy.data.images if image.name.startswith("red-bricks")]
    assert bpy.data.objects["Cube"].location.x == 2.0
    bpy.ops.ed.undo()
    assert bpy.data.objects["Cube"].location.x == 1.0


def test_what_was_undone_can_be_applied_again(scene: bpy.types.Scene) -> None:
    bpy.ops.ed.undo_push(message="Start")
    bpy.ops.dtex.generate(prompt="red bricks")
    bpy.ops.ed.undo()
    bpy.ops.dtex.apply_material()
    assert own_nodes(cube_material())["normal"].image.size[0] > 0


def test_it_waits_while_the_artist_drags_something(
    scene: bpy.types.Scene,
    start: Callable[..., Any],
    drain: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pump = submodule("pump")
    with monkeypatch.context() as patch:
        patch.setattr(pump, "may_change_data", lambda: False)
        job = start(prompt="red bricks")
        drain(lambda: job.over and job.target.ready)
        assert pump.drain(), "the timer must go on"
        assert not own_nodes(cube_material())
    assert not pump.drain()
    assert own_nodes(cube_material())


def test_an_image_editor_shows_the_new_texture_unless_it_shows_the_artists_own(
    scene: bpy.types.Scene,
) -> None:
    (window,) = bpy.context.window_manager.windows
    areas = list(window.screen.areas)[:2]
    for area in areas:
        area.type = "IMAGE_EDITOR"
    empty, taken = (area.spaces.active for area in areas)
    theirs = bpy.data.images.new("reference", 4, 4)
    empty.image, taken.image = None, theirs
    for seed in (7, 8):
        bpy.ops.dtex.generate(prompt="red bricks", seed=seed, width=32)
        assert empty.image.name == f"red-bricks_{seed}_basecolor"
        assert taken.image == theirs
