# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a texture goes, and what happens when it cannot go there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest

from .conftest import own_nodes, submodule

PROMPT = "red bricks"


def said(runtime: Any) -> str:
    """What the last job's report says."""
    return " ".join(runtime.board.latest.target.outcome.sentences)


def test_an_object_without_a_material_gets_one(cube: bpy.types.Object) -> None:
    cube.data.materials.clear()
    bpy.ops.dtex.generate(prompt="mossy red bricks")
    assert [slot.material.name for slot in cube.material_slots] == ["Mossy Red Bricks"]
    assert own_nodes(cube.active_material)


def test_an_empty_slot_is_filled(cube: bpy.types.Object) -> None:
    cube.active_material = None
    bpy.ops.dtex.generate(prompt=PROMPT)
    assert len(cube.material_slots) == 1
    assert own_nodes(cube.active_material)


def test_the_active_slot_is_the_one(cube: bpy.types.Object) -> None:
    materials = [bpy.data.materials.new(name) for name in "ABC"]
    cube.data.materials.clear()
    for material in materials:
        cube.data.materials.append(material)
    cube.active_material_index = 1
    bpy.ops.dtex.generate(prompt=PROMPT)
    assert [bool(m.node_tree and own_nodes(m)) for m in materials] == [False, True, False]


def test_a_new_material_leaves_the_old_one_as_it_was(cube: bpy.types.Object) -> None:
    old = cube.active_material
    bpy.ops.dtex.generate(prompt=PROMPT, target="new")
    assert cube.active_material != old
    assert not own_nodes(old)


def test_without_an_object_the_material_is_kept_and_said_so(scene: bpy.types.Scene, runtime: Any) -> None:
    bpy.context.view_layer.objects.active = None
    bpy.ops.dtex.generate(prompt=PROMPT)
    material = bpy.data.materials["Red Bricks"]
    assert material.use_fake_user
    assert own_nodes(material)
    assert "No object is active" in said(runtime)


def test_a_camera_carries_no_material_and_that_is_said(scene: bpy.types.Scene, runtime: Any) -> None:
    bpy.context.view_layer.objects.active = scene.objects["Camera"]
    bpy.ops.dtex.generate(prompt=PROMPT)
    assert bpy.data.materials["Red Bricks"].use_fake_user
    assert "“Camera” cannot carry a material" in said(runtime)


def test_a_mesh_without_uvs_is_projected_and_that_is_said(cube: bpy.types.Object, runtime: Any) -> None:
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    bpy.ops.dtex.generate(prompt=PROMPT)
    assert own_nodes(cube.active_material)["basecolor"].projection == "BOX"
    assert "no UV map" in said(runtime)


@pytest.mark.parametrize("kind", ["curve", "text", "metaball"])
def test_other_surfaces_carry_materials_too(scene: bpy.types.Scene, kind: str) -> None:
    {
        "curve": bpy.ops.curve.primitive_bezier_circle_add,
        "text": bpy.ops.object.text_add,
        "metaball": bpy.ops.object.metaball_add,
    }[kind]()
    bpy.ops.dtex.generate(prompt=PROMPT)
    assert own_nodes(bpy.context.object.active_material)


@pytest.fixture
def library(scene: bpy.types.Scene, tmp_path: Path) -> Path:
    """A file with an object and its material, to link from."""
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    return path


def link_cube(library: Path) -> bpy.types.Object:
    """The library's cube, linked into the scene and active."""
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["Cube"]
    (linked,) = wanted.objects
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    return linked


@pytest.mark.parametrize("target", ["active", "new"])
def test_linked_data_is_refused_before_any_work(library: Path, runtime: Any, target: str) -> None:
    link_cube(library)
    with pytest.raises(RuntimeError, match="make it local"):
        bpy.ops.dtex.generate(prompt=PROMPT, target=target)
    assert runtime.board.latest is None


def test_an_override_is_refused(library: Path) -> None:
    linked = link_cube(library)
    override = linked.override_create(remap_local_usages=True)
    bpy.context.view_layer.objects.active = override
    with pytest.raises(RuntimeError, match="make it local"):
        bpy.ops.dtex.generate(prompt=PROMPT, target="new")


def test_a_target_that_was_deleted_leaves_the_images(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt=PROMPT, seed=7)
    bpy.data.objects.remove(cube)
    drain(lambda: job.target.settled)
    assert "gone; its images are kept" in said(runtime)
    images = [image for image in bpy.data.images if image.name.startswith("red-bricks_7_")]
    assert len(images) == 6
    assert all(image.use_fake_user for image in images)


def test_a_target_that_was_renamed_is_found(
    cube: bpy.types.Object, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt=PROMPT)
    cube.name = cube.active_material.name = "Wall"
    bpy.context.view_layer.objects.active = None
    drain(lambda: job.target.settled)
    assert own_nodes(cube.active_material)


def test_another_object_selected_meanwhile_is_left_alone(
    cube: bpy.types.Object, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt=PROMPT)
    bpy.ops.mesh.primitive_plane_add()
    other = bpy.context.object
    drain(lambda: job.target.settled)
    assert not other.material_slots
    assert own_nodes(cube.active_material)


def test_after_another_file_was_opened_the_texture_waits_to_be_applied(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt=PROMPT)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    drain(lambda: job.over and job.target.ready)
    submodule("pump").drain()
    material = bpy.data.objects["Cube"].active_material
    assert not own_nodes(material)
    assert not [image for image in bpy.data.images if image.name.startswith("red-bricks")]
    assert submodule("pump").is_for_other_file(job)
    assert bpy.ops.dtex.apply_material() == {"FINISHED"}
    assert own_nodes(material)
    assert not submodule("pump").is_for_other_file(job)


def test_a_finished_texture_goes_onto_another_object_with_the_same_images(cube: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    count = len(bpy.data.images)
    bpy.ops.mesh.primitive_plane_add()
    assert bpy.ops.dtex.apply_material() == {"FINISHED"}
    plane = bpy.context.object
    assert own_nodes(plane.active_material)["normal"].image == own_nodes(cube.active_material)["normal"].image
    assert len(bpy.data.images) == count


def test_images_that_were_deleted_are_made_again(cube: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    for image in list(bpy.data.images):
        bpy.data.images.remove(image)
    bpy.ops.dtex.apply_material()
    assert own_nodes(cube.active_material)["normal"].image.size[0] > 0
