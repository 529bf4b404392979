# SPDX-License-Identifier: GPL-3.0-or-later
"""Upscale: a material keeps its nodes and gets larger images; an image by itself gets a larger one beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from tests.generator.upscaling.small_networks import network_file

from .conftest import feeding, image_pixels, own_nodes, principled, submodule
from .test_generate import images_of
from .test_panels import drawn
from .test_seamless import data_picture, stored, waves
from .test_source import picture

PROMPT = "mossy red brick wall"


@pytest.fixture
def bricks(cube: bpy.types.Object) -> bpy.types.Object:
    """The cube with a small material."""
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=64)
    return cube


def enlarge(**options: Any) -> None:
    assert bpy.ops.dtex.upscale(**options) == {"FINISHED"}


def refused(**options: Any) -> str:
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.dtex.upscale(**options)
    return str(caught.value)


def shrunk(image: bpy.types.Image, factor: int) -> np.ndarray:
    """The mean of every ``factor`` x ``factor`` pixels."""
    pixels = image_pixels(image)[..., :3]
    rows, columns = pixels.shape[:2]
    return pixels.reshape(rows // factor, factor, columns // factor, factor, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("factor", [2, 4])
def test_a_materials_images_are_replaced_by_larger_ones(bricks: bpy.types.Object, factor: int) -> None:
    material = bricks.active_material
    nodes = {role: node.name for role, node in own_nodes(material).items()}
    small = images_of(material)
    kept = {name: image_pixels(image)[..., :3] for name, image in small.items()}
    enlarge(factor=str(factor))
    assert {role: node.name for role, node in own_nodes(material).items()} == nodes
    large = images_of(material)
    assert list(large) == list(small)
    for name, image in large.items():
        assert tuple(image.size) == (64 * factor, 64 * factor)
        assert image != small[name]
        assert image.colorspace_settings.name == small[name].colorspace_settings.name
        assert image.is_float == (name == "height"), "16 bits stay 16 bits"
        # It shows the same: whatever is added lies between the pixels that were there.
        assert np.abs(shrunk(image, factor) - kept[name]).mean() < 0.03, name
    assert feeding(principled(material).inputs["Base Color"]).image == large["basecolor"]


def test_normals_have_length_one(bricks: bpy.types.Object) -> None:
    enlarge(factor="2")
    normal = image_pixels(images_of(bricks.active_material)["normal"])[..., :3] * 2 - 1
    assert np.abs(np.linalg.norm(normal, axis=2) - 1).max() < 0.02


def test_the_images_carry_what_made_them(bricks: bpy.types.Object) -> None:
    before = json.loads(images_of(bricks.active_material)["height"]["dtex_recipe"])
    enlarge(factor="2")
    recipe = json.loads(images_of(bricks.active_material)["height"]["dtex_recipe"])
    assert recipe["request"]["task"] == "upscale"
    assert recipe["request"]["prompt"] == PROMPT
    assert recipe["relief"] == pytest.approx(before["relief"])
    assert recipe["seams"]["x"]["tiles"] is not False


def test_undo_gives_the_smaller_images_back(bricks: bpy.types.Object) -> None:
    bricks.location.x = 3.0
    bpy.ops.ed.undo_push(message="Move")
    enlarge(factor="2")
    bpy.ops.ed.undo()
    cube = bpy.data.objects["Cube"]
    assert {tuple(image.size) for image in images_of(cube.active_material).values()} == {(64, 64)}
    assert cube.location.x == 3.0
    bpy.ops.ed.redo()
    cube = bpy.data.objects["Cube"]
    assert {tuple(image.size) for image in images_of(cube.active_material).values()} == {(128, 128)}


def test_twice_twice_is_four_times(bricks: bpy.types.Object) -> None:
    enlarge(factor="2")
    enlarge(factor="2")
    assert {tuple(image.size) for image in images_of(bricks.active_material).values()} == {(256, 256)}


def test_beside_a_saved_file_no_file_is_replaced(bricks: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    enlarge(factor="2")
    first = {path.name: path.read_bytes() for path in (tmp_path / "textures").iterdir()}
    assert "mossy-red-brick-wall_7_normal.png" in first
    enlarge(factor="2")
    for name, data in first.items():
        assert (tmp_path / "textures" / name).read_bytes() == data
    assert (tmp_path / "textures" / "mossy-red-brick-wall_7-2_normal.png").is_file()


def test_it_does_not_block_and_can_be_cancelled(
    bricks: bpy.types.Object, runtime: Any, drain: Callable[..., None]
) -> None:
    compose, order, submission = submodule("compose"), submodule("upscale_order"), submodule("submission")
    material = bricks.active_material
    job = submission.start(
        bpy.context,
        compose.Wishes(bpy.context.scene.dtex),
        lambda _context, wishes: order.compose_material(wishes, material, 4),
    )
    assert not job.over, "it returned before the generator had begun"
    runtime.session.cancel(job.id)
    drain(lambda: job.over)
    assert job.state.value == "cancelled"
    assert {tuple(image.size) for image in images_of(material).values()} == {(64, 64)}


def test_the_material_is_gone_when_the_images_arrive(
    bricks: bpy.types.Object, drain: Callable[..., None]
) -> None:
    compose, order, submission = submodule("compose"), submodule("upscale_order"), submodule("submission")
    material = bricks.active_material
    job = submission.start(
        bpy.context,
        compose.Wishes(bpy.context.scene.dtex),
        lambda _context, wishes: order.compose_material(wishes, material, 2),
    )
    bpy.data.materials.remove(material)
    drain(lambda: job.target.settled)
    assert job.state.value == "done"
    assert any("is gone; its larger images are kept" in text for text in submission.sentences(job))
    made = [image for image in bpy.data.images if tuple(image.size) == (128, 128)]
    assert len(made) == 6
    assert all(image.use_fake_user for image in made)


def test_an_image_by_itself_stays_and_gets_a_larger_one(scene: bpy.types.Scene) -> None:
    original = picture("wall.png", waves())
    was = stored(original)
    enlarge(image="wall.png", factor="2")
    made = bpy.data.images["wall Larger"]
    assert tuple(made.size) == (256, 192)
    assert np.array_equal(stored(original), was)
    assert np.abs(shrunk(made, 2) - image_pixels(original)[..., :3]).max() < 0.03
    assert made.use_fake_user


def test_data_by_itself_stays_data_and_is_never_coloured(scene: bpy.types.Scene) -> None:
    grey = waves()
    data_picture("packed.png", grey)
    enlarge(image="packed.png", factor="2")
    made = bpy.data.images["packed Larger"]
    assert made.colorspace_settings.name == "Non-Color"
    pixels = image_pixels(made)
    assert np.ptp(pixels[..., :3], axis=2).max() == 0


def test_transparency_is_made_larger_as_well(scene: bpy.types.Scene) -> None:
    leaf = waves()
    leaf[..., 3] = leaf[..., 0]
    picture("leaf.png", leaf)
    enlarge(image="leaf.png", factor="2")
    made = image_pixels(bpy.data.images["leaf Larger"])
    assert made.shape == (192, 256, 4)
    assert np.ptp(made[..., 3]) > 0.5


def test_what_cannot_be_done_is_said_in_a_sentence(cube: bpy.types.Object) -> None:
    assert "has no images of Dream Textures" in refused(factor="2")
    assert "There is no material “Gold”" in refused(factor="2", material="Gold")
    assert "No image named “gone”" in refused(factor="2", image="gone")
    bpy.data.images.new("huge", 4096, 16)
    assert "more than 8192 a side" in refused(factor="4", image="huge")


def test_a_model_file_is_used_for_what_it_is_for(bricks: bpy.types.Object, tmp_path: Path) -> None:
    path = network_file(tmp_path / "mine.safetensors", 3, 2)
    bpy.context.scene.dtex.upscaler = str(path)
    enlarge(factor="2")
    (said,) = [text for text in drawn(width=9000).texts if text.startswith("Made larger")]
    assert "base colour by mine.safetensors" in said
    assert "roughness" in said.partition("mine.safetensors")[2]
    recipe = json.loads(images_of(bricks.active_material)["basecolor"]["dtex_recipe"])
    assert recipe["request"]["model"] == str(path)


def test_a_model_file_that_is_none_is_refused_and_nothing_is_lost(
    bricks: bpy.types.Object, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match=r"model\.safetensors"):
        bpy.ops.dtex.upscale(factor="2", upscaler=str(tmp_path / "model.safetensors"))
    assert {tuple(image.size) for image in images_of(bricks.active_material).values()} == {(64, 64)}


def test_the_result_offers_it_and_says_how_it_was_done(bricks: bpy.types.Object) -> None:
    assert "dtex.upscale: Upscale 2×" in drawn().operators
    assert "dtex.upscale: Upscale 4×" in drawn().operators
    enlarge(factor="2")
    assert any(text.startswith("Made larger") for text in drawn(width=9000).texts)
    assert any("dtex.save_maps" in name for name in drawn().operators), "a larger set can be saved"


def test_a_destination_survives_the_disk_and_is_found_in_its_own_file_alone(
    bricks: bpy.types.Object,
) -> None:
    plans, compose, order = submodule("plans"), submodule("compose"), submodule("upscale_order")
    wishes = compose.Wishes(bpy.context.scene.dtex)
    chosen = order.compose_material(wishes, bricks.active_material, 2).destination
    plain = json.loads(json.dumps(plans.to_plain(chosen)))
    assert plans.from_plain(plain, True) == (chosen, True)
    elsewhere, here = plans.from_plain(plain, False)
    assert (elsewhere.material, here) == (None, False)
    assert set(elsewhere.originals.values()) == {None}
