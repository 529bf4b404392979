# SPDX-License-Identifier: GPL-3.0-or-later
"""An open image as the start of a texture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from .conftest import feeding, image_pixels, principled, submodule


def picture(name: str, pixels: np.ndarray, *, is_float: bool = False) -> bpy.types.Image:
    """An open image of ``(H, W, 4)`` floats, top row first."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True, float_buffer=is_float)
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    image.update()
    return image


def gradient(height: int = 24, width: int = 40) -> np.ndarray:
    """Red grows to the right, green downwards; opaque."""
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., 0] = np.linspace(0, 1, width)
    pixels[..., 1] = np.linspace(0, 1, height)[:, None]
    pixels[..., 2] = 0.25
    return pixels


def test_a_source_is_read_with_its_top_row_first(scene: bpy.types.Scene) -> None:
    pixels = gradient()
    array, reference = submodule("images").read_source(picture("photo.png", pixels))
    assert (array.shape, reference.width, reference.height) == ((24, 40, 3), 40, 24)
    assert reference.name == "photo.png"
    seen = submodule("encode").pixels_of(array)
    assert np.abs(seen / 255.0 - pixels[..., :3]).max() <= 0.5 / 255 + 1e-6


def test_a_float_image_is_sent_as_it_looks(scene: bpy.types.Scene) -> None:
    grey = np.ones((8, 8, 4), np.float32)
    grey[..., :3] = 0.2140411  # linear light; sRGB calls it 0.5
    array, _ = submodule("images").read_source(picture("linear", grey, is_float=True))
    seen = submodule("encode").pixels_of(array)
    assert np.abs(seen.astype(int) - 128).max() <= 1


def test_transparency_goes_along(scene: bpy.types.Scene) -> None:
    pixels = gradient()
    pixels[:10, :, 3] = 0.0
    array, _ = submodule("images").read_source(picture("cut out", pixels))
    seen = submodule("encode").pixels_of(array)
    assert seen.shape == (24, 40, 4)
    assert (seen[:10, :, 3] == 0).all()
    assert (seen[10:, :, 3] == 255).all()


def test_strength_nought_keeps_the_picture(cube: bpy.types.Object, runtime: Any) -> None:
    columns = np.sin(np.linspace(0, 4 * np.pi, 64, endpoint=False)) / 3 + 0.5
    pixels = np.ones((64, 64, 4), np.float32)
    pixels[..., 0], pixels[..., 1] = columns, columns[:, None]
    picture("waves.png", pixels)
    bpy.ops.dtex.generate(source="waves.png", strength=0.0, width=64, seed=1, maps_from="analysis")
    image = feeding(principled(cube.active_material).inputs["Base Color"]).image
    assert image.name == "waves_1_basecolor"
    assert np.abs(image_pixels(image)[::-1][..., :3] - pixels[..., :3]).mean() < 0.02


def test_maps_can_be_made_of_a_picture_as_it_is(cube: bpy.types.Object, runtime: Any) -> None:
    pixels = gradient(48, 64)
    picture("photo.png", pixels)
    assert bpy.ops.dtex.make_maps(source="photo.png", maps_from="analysis") == {"FINISHED"}
    image = feeding(principled(cube.active_material).inputs["Base Color"]).image
    assert tuple(image.size) == (64, 48)
    assert np.abs(image_pixels(image)[::-1][..., :3] - pixels[..., :3]).max() <= 1 / 255
    assert len(runtime.board.latest.image(0)) == 6


def test_the_panel_says_who_sees_the_maps(cube: bpy.types.Object, runtime: Any) -> None:
    picture("photo.png", gradient(48, 64))
    made = {}
    for maker in ("network", "analysis"):
        cube.users_scene[0].dtex.maps_from = maker
        bpy.ops.dtex.make_maps(source="photo.png")
        recipes = {result.recipe["maps_from"] for result in runtime.board.latest.results}
        assert recipes == {maker}
        image = feeding(principled(cube.active_material).inputs["Base Color"]).image
        made[maker] = image_pixels(image).copy()
    assert np.abs(made["network"] - made["analysis"]).max() > 2 / 255, "the network takes the light out"


def test_a_source_whose_file_is_missing_is_named(scene: bpy.types.Scene, tmp_path: Path) -> None:
    path = tmp_path / "gone.png"
    image = bpy.data.images.new("gone", 4, 4)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    scene.dtex.source = bpy.data.images.load(str(path))
    path.unlink()
    scene.dtex.source.reload()
    with pytest.raises(RuntimeError, match=r"gone\.png.*has no pixels"):
        bpy.ops.dtex.generate(prompt="moss")


def test_an_image_that_is_not_open_is_named(scene: bpy.types.Scene) -> None:
    with pytest.raises(RuntimeError, match=r"No image named “nowhere\.png” is open"):
        bpy.ops.dtex.generate(prompt="moss", source="nowhere.png")


def test_a_render_result_cannot_be_chosen(scene: bpy.types.Scene) -> None:
    is_picture = submodule("settings").is_picture
    assert is_picture(None, picture("photo.png", gradient()))
    render = bpy.data.images.get("Render Result") or bpy.data.images.new("x", 4, 4)
    render.source = "VIEWER"
    assert not is_picture(None, render)
