# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Seamless: any open image, and what must stay as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from .conftest import image_pixels, own_nodes, submodule
from .test_panels import drawn
from .test_source import picture


def photo(height: int = 96, width: int = 128, alpha: bool = False) -> np.ndarray:
    """Grain in uneven light, ``(H, W, 4)``: no side fits its opposite."""
    rows, columns = np.mgrid[0:height, 0:width]
    grey = 0.2 + 0.4 * columns / width + 0.2 * rows / height
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = (grey + np.random.default_rng(3).normal(0, 0.03, grey.shape))[..., None] * (1, 0.8, 0.6)
    if alpha:
        pixels[..., 3] = np.linspace(0.3, 1.0, height)[:, None]
    return np.round(np.clip(pixels, 0, 1) * 255).astype(np.float32) / np.float32(255)


def waves() -> np.ndarray:
    """A picture that tiles."""
    rows, columns = np.mgrid[0:96, 0:128] * (2 * np.pi)
    pixels = np.ones((96, 128, 4), np.float32)
    pixels[..., :3] = (0.5 + 0.2 * np.sin(columns / 32) + 0.2 * np.cos(rows / 24))[..., None]
    return pixels


def data_picture(name: str, pixels: np.ndarray, *, is_float: bool = False) -> bpy.types.Image:
    """An open image that holds no colours; its colour space comes first, for changing it empties an image."""
    image = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0], alpha=True, float_buffer=is_float)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.ascontiguousarray(pixels[::-1], np.float32).ravel())
    image.update()
    return image


def stored(image: bpy.types.Image) -> np.ndarray:
    """The pixels of an image of bytes as bytes, top row first."""
    return np.round(image_pixels(image)[::-1] * 255).astype(np.uint8)


def received(runtime: Any) -> np.ndarray:
    """The pixels that the generator sent for the latest job."""
    (result,) = runtime.board.latest.results
    return submodule("encode").pixels_of(result.image)


def made_of(name: str) -> bpy.types.Image:
    return bpy.data.images[f"{name} Seamless"]


def make(**options: Any) -> None:
    assert bpy.ops.dtex.make_seamless(**options) == {"FINISHED"}


@pytest.fixture
def seams(runtime: Any) -> Callable[[], tuple[dict, dict]]:
    """The reports of the latest job: after and before."""

    def reports() -> tuple[dict, dict]:
        (result,) = runtime.board.latest.results
        return result.seams, result.before

    return reports


def test_a_new_image_tiles_and_the_original_stays(
    scene: bpy.types.Scene, seams: Callable[[], tuple[dict, dict]]
) -> None:
    original = picture("wall.png", photo())
    was = stored(original)
    make(image="wall.png")
    after, before = seams()
    assert [before[axis]["tiles"] for axis in "xy"] == [False, False]
    assert False not in [after[axis]["tiles"] for axis in "xy"], (
        "at most it cannot be said, in so small a picture"
    )
    made = made_of("wall")
    assert tuple(made.size) == (128, 96)
    assert np.array_equal(stored(original), was)
    assert made.packed_file, "this file was never saved"
    assert made.use_fake_user, "nothing else keeps it"


def test_no_material_is_touched(cube: bpy.types.Object) -> None:
    picture("wall.png", photo())
    make(image="wall.png")
    assert not own_nodes(cube.active_material)


def test_the_pixels_arrive_as_the_generator_made_them(scene: bpy.types.Scene, runtime: Any) -> None:
    picture("wall.png", photo())
    make(image="wall.png")
    assert np.array_equal(stored(made_of("wall"))[..., :3], received(runtime))


def test_beside_a_saved_file_it_becomes_a_file(scene: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    for _ in range(2):
        picture("Old Wall.jpg", photo())
        make(image="Old Wall.jpg")
    names = sorted(path.name for path in (tmp_path / "textures").iterdir())
    assert names == ["old-wall_tiled-2.png", "old-wall_tiled.png"]
    assert made_of("Old Wall").filepath == "//textures/old-wall_tiled.png"
    make(image="Old Wall.jpg", store="pack")
    assert made_of("Old Wall") and len(list((tmp_path / "textures").iterdir())) == 2


@pytest.mark.parametrize("axes", ["x", "y"])
def test_the_axes_are_the_panels_or_the_scripts(
    scene: bpy.types.Scene, runtime: Any, seams: Callable[[], tuple[dict, dict]], axes: str
) -> None:
    picture("wall.png", photo())
    other = "y" if axes == "x" else "x"
    scene.dtex.seamless = axes
    for options, asked in (({}, axes), ({"seamless": other}, other)):
        make(image="wall.png", **options)
        after, before = seams()
        assert runtime.board.latest.request.seamless == asked
        assert after[asked]["ratio"] < 0.7 * before[asked]["ratio"]


def test_off_in_the_panel_means_both_here(scene: bpy.types.Scene, runtime: Any) -> None:
    picture("wall.png", photo())
    scene.dtex.seamless = "off"
    make(image="wall.png")
    assert runtime.board.latest.request.seamless == "both"


def test_the_panel_says_how_it_was_before(scene: bpy.types.Scene) -> None:
    picture("wall.png", photo())
    make(image="wall.png")
    panel = drawn(width=900)
    assert any(text.startswith("Tiles in X and Y (before: ") for text in panel.texts)
    assert any("wall Seamless" in text for text in panel.texts)
    assert "Before X" in panel.texts
    assert not any("apply_material" in name or "save_maps" in name for name in panel.operators)


def test_transparency_is_kept(scene: bpy.types.Scene, runtime: Any) -> None:
    picture("leaf.png", photo(alpha=True))
    make(image="leaf.png")
    assert received(runtime).shape == (96, 128, 4)
    assert np.array_equal(stored(made_of("leaf")), received(runtime))


@pytest.mark.parametrize("mode", ["STRAIGHT", "PREMUL", "CHANNEL_PACKED", "NONE"])
def test_the_alpha_mode_means_the_same_afterwards(scene: bpy.types.Scene, tmp_path: Path, mode: str) -> None:
    painted = picture("painted", photo(alpha=True))
    painted.filepath_raw, painted.file_format = str(tmp_path / "leaf.png"), "PNG"
    painted.save()
    original = bpy.data.images.load(str(tmp_path / "leaf.png"))
    original.alpha_mode = mode
    seen = image_pixels(original)[::-1]
    make(image="leaf.png", seamless="x")
    made = image_pixels(made_of("leaf"))[::-1]
    assert made_of("leaf").alpha_mode == ("STRAIGHT" if mode == "PREMUL" else mode)
    # Up to light that was evened out, it looks as it did.
    assert np.allclose(made.mean(axis=(0, 1)), seen.mean(axis=(0, 1)), atol=0.06)


def test_data_are_taken_as_they_are_stored(scene: bpy.types.Scene, runtime: Any) -> None:
    data_picture("normal.png", photo())
    make(image="normal.png")
    made = made_of("normal")
    assert made.colorspace_settings.is_data
    assert made.colorspace_settings.name == "Non-Color"
    assert np.array_equal(stored(made)[..., :3], received(runtime))


@pytest.mark.parametrize("is_data", [True, False])
def test_a_float_image_keeps_its_look_and_its_fine_steps(
    scene: bpy.types.Scene, runtime: Any, is_data: bool
) -> None:
    original = (data_picture if is_data else picture)("relief", photo(), is_float=True)
    make(image="relief")
    made = made_of("relief")
    assert received(runtime).dtype == np.uint16
    assert made.is_float, "16 bits"
    assert made.colorspace_settings.is_data == is_data
    before, after = image_pixels(original)[..., :3], image_pixels(made)[..., :3]
    assert np.allclose(before.mean(axis=(0, 1)), after.mean(axis=(0, 1)), atol=0.02)
    assert len(np.unique(after[..., 0])) > 256


def test_light_that_no_map_has_room_for_is_told(scene: bpy.types.Scene, runtime: Any) -> None:
    picture("lamp", photo() * 3, is_float=True)
    make(image="lamp")
    assert "Values of “lamp” above 1 were cut off." in submodule("submission").sentences(runtime.board.latest)


def test_colours_that_alpha_would_hide_are_told_to_be_lost(
    scene: bpy.types.Scene, runtime: Any, tmp_path: Path
) -> None:
    pixels = photo(alpha=True)
    pixels[:20, :, 3] = 0
    painted = picture("painted", pixels)
    painted.filepath_raw, painted.file_format = str(tmp_path / "packed.png"), "PNG"
    painted.save()
    bpy.data.images.load(str(tmp_path / "packed.png")).alpha_mode = "CHANNEL_PACKED"
    make(image="packed.png")
    assert any("lost its colours" in text for text in submodule("submission").sentences(runtime.board.latest))


def test_what_is_no_picture_is_refused_in_a_sentence(scene: bpy.types.Scene) -> None:
    with pytest.raises(RuntimeError, match="Choose the image"):
        bpy.ops.dtex.make_seamless()
    with pytest.raises(RuntimeError, match="No image named “gone”"):
        bpy.ops.dtex.make_seamless(image="gone")
    image = picture("wall.png", photo())
    for kind, words in (
        ("MOVIE", "movie"),
        ("SEQUENCE", "sequence"),
        ("TILED", "UDIM"),
    ):
        image.source = kind
        with pytest.raises(RuntimeError, match=words):
            bpy.ops.dtex.make_seamless(image="wall.png")
    picture("tiny", photo(8, 8))
    with pytest.raises(RuntimeError, match="“tiny” has less than 16 pixels"):
        bpy.ops.dtex.make_seamless(image="tiny")


def test_the_render_result_is_refused_in_a_sentence(scene: bpy.types.Scene) -> None:
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.resolution_x = scene.render.resolution_y = 16
    bpy.ops.render.render()
    with pytest.raises(RuntimeError, match="render result"):
        bpy.ops.dtex.make_seamless(image="Render Result")


def test_a_missing_file_is_named(scene: bpy.types.Scene, tmp_path: Path) -> None:
    image = bpy.data.images.new("gone.png", 4, 4)
    image.source, image.filepath = "FILE", str(tmp_path / "gone.png")
    with pytest.raises(RuntimeError, match=r"gone\.png.*has no pixels"):
        bpy.ops.dtex.make_seamless(image="gone.png")


def test_names_stay_within_what_blender_keeps(scene: bpy.types.Scene) -> None:
    picture("ü" * 31, photo())
    make(image="ü" * 31)
    (made,) = [image for image in bpy.data.images if image.name.endswith(" Seamless")]
    assert made.name == "ü" * 27 + " Seamless"


def test_the_model_is_asked_only_when_it_is_meant(scene: bpy.types.Scene, tmp_path: Path) -> None:
    scene.dtex.model, scene.dtex.model_folder = "folder", str(tmp_path)
    picture("wall.png", photo())
    make(image="wall.png")
    with pytest.raises(RuntimeError, match=r"model_index\.json"):
        bpy.ops.dtex.make_seamless(image="wall.png", use_model=True)
    with pytest.raises(RuntimeError, match="no model"):
        bpy.ops.dtex.make_seamless(image="wall.png", model="/nowhere")
