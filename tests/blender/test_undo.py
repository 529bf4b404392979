# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of undo takes back exactly what we did. (Without a window; tests/window presses Ctrl-Z itself.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import pytest

from .conftest import feeding, own_nodes, principled

PROMPT = "mossy red brick wall"


@pytest.fixture
def moved(cube: bpy.types.Object) -> bpy.types.Object:
    """The cube after an action of the artist's, which must survive."""
    bpy.ops.ed.undo_push(message="Start")
    cube.location.x = 3.0
    bpy.ops.ed.undo_push(message="Move")
    return cube


def material() -> bpy.types.Material:
    """The cube's material, looked up anew: an undo leaves no reference behind."""
    return bpy.data.objects["Cube"].active_material


def test_undo_takes_back_the_material_and_not_the_step_before(moved: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=64)
    assert own_nodes(material())
    bpy.ops.ed.undo()
    assert not own_nodes(material())
    assert feeding(principled(material()).inputs["Base Color"]) is None
    assert bpy.data.objects["Cube"].location.x == 3.0
    bpy.ops.ed.undo()
    assert bpy.data.objects["Cube"].location.x == 0.0


def test_redo_brings_it_back(moved: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=64)
    bpy.ops.ed.undo()
    bpy.ops.ed.redo()
    assert feeding(principled(material()).inputs["Base Color"]).image.name.startswith("mossy-red-brick-wall")
    assert bpy.data.objects["Cube"].location.x == 3.0


def test_undo_of_a_second_texture_leaves_the_first(moved: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=64)
    bpy.ops.dtex.generate(prompt="blue tiles", seed=8, width=64)
    bpy.ops.ed.undo()
    image = feeding(principled(material()).inputs["Base Color"]).image
    assert image.name == "mossy-red-brick-wall_7_basecolor"


def test_a_texture_arrives_although_the_artist_undid_something_meanwhile(
    moved: bpy.types.Object, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt=PROMPT, seed=7)
    bpy.ops.ed.undo()
    drain(lambda: job.target.settled)
    assert own_nodes(material())
    assert bpy.data.objects["Cube"].location.x == 0.0
    bpy.ops.ed.undo()
    assert not own_nodes(material())


def test_a_texture_is_applied_in_one_step_of_its_own(moved: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=64, count=2)
    before = len(bpy.data.images)
    bpy.ops.dtex.apply_material("EXEC_DEFAULT", True, index=1)
    assert feeding(principled(material()).inputs["Base Color"]).image.name.startswith(
        "mossy-red-brick-wall_8"
    )
    bpy.ops.ed.undo()
    assert feeding(principled(material()).inputs["Base Color"]).image.name.startswith(
        "mossy-red-brick-wall_7"
    )
    assert len(bpy.data.images) == before
