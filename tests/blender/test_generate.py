# SPDX-License-Identifier: GPL-3.0-or-later
"""One operator, from words to images, with the real generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from .conftest import SIZE, feeding, image_pixels, own_nodes, principled, submodule

PROMPT = "mossy red brick wall"
LEVELS = {"height": 65535.0}


def images_of(material: bpy.types.Material) -> dict[str, bpy.types.Image]:
    """The images of our texture nodes by map."""
    return {role: node.image for role, node in own_nodes(material).items() if node.type == "TEX_IMAGE"}


def sent_pixels(runtime: Any) -> dict[str, np.ndarray]:
    """What the generator sent for the first image, as it came over the wire."""
    pixels_of = submodule("encode").pixels_of
    return {name: pixels_of(result.image) for name, result in runtime.board.latest.image(0).items()}


def test_a_prompt_becomes_a_material_on_the_active_object(cube: bpy.types.Object) -> None:
    material = cube.active_material
    assert bpy.ops.dtex.generate(prompt=PROMPT, seed=7) == {"FINISHED"}
    assert cube.active_material == material
    images = images_of(material)
    assert {name: image.name for name, image in images.items()} == {
        name: f"mossy-red-brick-wall_7_{name}"
        for name in ("basecolor", "normal", "roughness", "height", "ao", "metallic")
    }
    assert {tuple(image.size) for image in images.values()} == {(SIZE, SIZE)}
    shader = principled(material)
    assert feeding(shader.inputs["Base Color"]).image == images["basecolor"]
    assert feeding(shader.inputs["Roughness"]).image == images["roughness"]
    assert feeding(shader.inputs["Metallic"]).image == images["metallic"]


def test_colours_are_colours_and_data_is_data(cube: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    images = images_of(cube.active_material)
    assert [name for name, image in images.items() if not image.colorspace_settings.is_data] == ["basecolor"]
    assert images["basecolor"].colorspace_settings.name == "sRGB"
    assert [name for name, image in images.items() if image.is_float] == ["height"]


@pytest.mark.parametrize("store", ["pack", "beside"])
def test_every_pixel_arrives_where_it_belongs(
    cube: bpy.types.Object, runtime: Any, tmp_path: Path, store: str
) -> None:
    if store == "beside":
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=96, height=64, store=store)
    images = images_of(cube.active_material)
    sent = sent_pixels(runtime)
    assert set(images) == set(sent)
    for name, expected in sent.items():
        assert (images[name].packed_file is not None) == (store == "pack")
        seen = image_pixels(images[name])[::-1] * LEVELS.get(
            name, 255.0
        )  # Blender's first row is the bottom one
        wanted = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
        assert np.abs(seen[..., :3] - wanted).max() < 0.02, name


def test_the_height_keeps_its_sixteen_bits(cube: bpy.types.Object) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=256)
    height = image_pixels(images_of(cube.active_material)["height"])[..., 0]
    assert len(np.unique(height)) > 1000


def test_beside_a_saved_file_the_images_are_files_with_relative_paths(
    cube: bpy.types.Object, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    images = images_of(cube.active_material)
    for name, image in images.items():
        assert image.filepath == f"//textures/mossy-red-brick-wall_7_{name}.png"
        assert image.packed_file is None
    first = {path: path.read_bytes() for path in (tmp_path / "textures").iterdir()}
    assert len(first) == 6
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    assert {path: path.read_bytes() for path in first} == first
    names = {path.name for path in (tmp_path / "textures").iterdir()} - {path.name for path in first}
    assert "mossy-red-brick-wall_7-2_normal.png" in names
    assert len(names) == 6


def test_a_folder_that_cannot_be_written_means_packed_images_and_a_sentence(
    cube: bpy.types.Object, runtime: Any, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    (tmp_path / "textures").write_text("a file where the folder should be")
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    assert all(image.packed_file for image in images_of(cube.active_material).values())
    assert "packed instead" in " ".join(runtime.board.latest.target.outcome.sentences)


def test_packed_images_survive_saving_and_loading(cube: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, store="pack")
    before = {name: image_pixels(image) for name, image in images_of(cube.active_material).items()}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    after = images_of(bpy.data.objects["Cube"].active_material)
    for name, pixels in before.items():
        assert np.array_equal(image_pixels(after[name]), pixels)
        assert after[name].colorspace_settings.is_data == (name != "basecolor")


def test_each_image_carries_the_recipe_that_makes_it_again(
    cube: bpy.types.Object, runtime: Any, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    read_text, protocol = submodule("png").read_text, submodule("wire").protocol
    for name, image in images_of(cube.active_material).items():
        inside = read_text(Path(bpy.path.abspath(image.filepath)).read_bytes(), "dream_textures")
        assert inside == image["dtex_recipe"]
        recipe = protocol.parse_recipe(inside)
        assert recipe.map == name
        assert recipe.request == runtime.board.latest.request.settled(25, 7.5), "nothing is left open in it"
        assert recipe.version == runtime.session.hello.version


def test_the_same_seed_makes_the_same_bytes(cube: bpy.types.Object) -> None:
    packed = []
    for _ in range(2):
        bpy.ops.dtex.generate(prompt=PROMPT, seed=7, store="pack")
        packed.append({name: i.packed_file.data for name, i in images_of(cube.active_material).items()})
    assert packed[0] == packed[1]


def test_the_panels_settings_count_unless_a_script_says_otherwise(
    scene: bpy.types.Scene, cube: bpy.types.Object, runtime: Any
) -> None:
    scene.dtex.prompt = "blue tiles"
    scene.dtex.seed = 3
    bpy.ops.dtex.generate()
    assert (runtime.board.latest.request.prompt, runtime.board.latest.request.seed) == ("blue tiles", 3)
    bpy.ops.dtex.generate(prompt=PROMPT, seed=4, maps={"basecolor", "height"}, seamless="x")
    request = runtime.board.latest.request
    assert (request.prompt, request.seed, request.seamless) == (PROMPT, 4, "x")
    assert request.maps == ("basecolor", "height")
    bpy.ops.dtex.generate()
    assert runtime.board.latest.request.prompt == "blue tiles"
    assert (scene.dtex.prompt, scene.dtex.seed) == ("blue tiles", 3)


def test_a_random_seed_is_shown_so_that_it_can_be_kept(scene: bpy.types.Scene, runtime: Any) -> None:
    scene.dtex.random_seed = True
    seeds = []
    for _ in range(2):
        bpy.ops.dtex.generate(prompt=PROMPT)
        assert scene.dtex.seed == runtime.board.latest.request.seed
        seeds.append(scene.dtex.seed)
    assert seeds[0] != seeds[1]
    bpy.ops.dtex.generate(prompt=PROMPT, seed=5)
    assert runtime.board.latest.request.seed == 5


def test_words_that_are_not_understood_are_reported(scene: bpy.types.Scene, runtime: Any) -> None:
    bpy.ops.dtex.generate(prompt="red brick wall with flumpety")
    assert any("flumpety" in notice for notice in runtime.board.latest.notices)


def test_an_empty_prompt_is_answered_with_a_sentence(scene: bpy.types.Scene) -> None:
    with pytest.raises(RuntimeError, match="Type what the texture should be"):
        bpy.ops.dtex.generate()


def test_variations_are_kept_and_another_one_can_be_applied(cube: bpy.types.Object, runtime: Any) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, count=3, maps={"basecolor", "normal"})
    assert images_of(cube.active_material)["basecolor"].name == "mossy-red-brick-wall_7_basecolor"
    kept = [bpy.data.images[f"mossy-red-brick-wall_{seed}_basecolor"] for seed in (8, 9)]
    assert all(image.use_fake_user for image in kept)
    count = len(bpy.data.images)
    assert bpy.ops.dtex.apply_material(index=2) == {"FINISHED"}
    assert images_of(cube.active_material)["basecolor"] == kept[1]
    assert len(bpy.data.images) == count
    with pytest.raises(RuntimeError):
        bpy.ops.dtex.apply_material(index=3)


def test_maps_can_be_saved_to_any_folder(scene: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, maps={"basecolor", "height"})
    for _ in range(2):
        bpy.ops.dtex.save_maps(directory=str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mossy-red-brick-wall_7-2_basecolor.png",
        "mossy-red-brick-wall_7-2_height.png",
        "mossy-red-brick-wall_7_basecolor.png",
        "mossy-red-brick-wall_7_height.png",
    ]


def test_a_report_says_what_ran(scene: bpy.types.Scene, runtime: Any) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    text = submodule("operators.copy_report").report_text(runtime)
    assert bpy.app.version_string in text
    assert json.dumps(PROMPT) in text
    assert runtime.session.hello.version in text
