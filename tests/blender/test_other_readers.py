# SPDX-License-Identifier: GPL-3.0-or-later
"""The material as programs see it that we did not write: the glTF exporter, Node Wrangler, and Cycles."""

from __future__ import annotations

import json
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest

from .conftest import image_pixels, submodule

PROMPT = "mossy red brick wall"
NODE_WRANGLER = "addons_core/node_wrangler/utils/paths.py"


def scripts() -> Path:
    """The folder of Blender's own scripts."""
    spec = find_spec("bpy")
    assert spec is not None and spec.origin is not None
    (folder,) = Path(spec.origin).parent.glob("[0-9].[0-9]/scripts")
    return folder


def exported(folder: Path, thing: bpy.types.Object) -> dict[str, Any]:
    """The object as Blender's exporter writes it: glTF's JSON, with its images as files beside it."""
    addon_utils.enable("io_scene_gltf2")
    bpy.ops.object.select_all(action="DESELECT")
    thing.select_set(True)
    bpy.ops.export_scene.gltf(
        filepath=str(folder / "thing.gltf"), export_format="GLTF_SEPARATE", use_selection=True
    )
    return json.loads((folder / "thing.gltf").read_text(encoding="utf-8"))


def texture_pixels(folder: Path, gltf: dict[str, Any], texture: dict[str, Any]) -> np.ndarray:
    """The picture behind a glTF texture in ``[0, 255]``, ``(H, W, 3)``, top row first."""
    source = gltf["textures"][texture["index"]]["source"]
    image = bpy.data.images.load(str(folder / gltf["images"][source]["uri"]))
    image.colorspace_settings.is_data = True
    return image_pixels(image)[::-1, :, :3] * 255


def sent(runtime: Any, name: str) -> np.ndarray:
    """A map as it came from the generator."""
    return submodule("encode").pixels_of(runtime.board.latest.image(0)[name].image).astype(np.float32)


def test_gltf_has_base_colour_and_normal(cube: bpy.types.Object, runtime: Any, tmp_path: Path) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    gltf = exported(tmp_path, cube)
    (material,) = gltf["materials"]
    color = texture_pixels(tmp_path, gltf, material["pbrMetallicRoughness"]["baseColorTexture"])
    normal = texture_pixels(tmp_path, gltf, material["normalTexture"])
    assert np.abs(color - sent(runtime, "basecolor")).max() < 0.5
    assert np.abs(normal - sent(runtime, "normal")).max() < 0.5


def test_gltf_packs_roughness_into_green_and_metallic_into_blue(
    cube: bpy.types.Object, runtime: Any, tmp_path: Path
) -> None:
    bpy.ops.dtex.generate(prompt="rusty metal plate", seed=2)
    gltf = exported(tmp_path, cube)
    (material,) = gltf["materials"]
    packed = texture_pixels(tmp_path, gltf, material["pbrMetallicRoughness"]["metallicRoughnessTexture"])
    roughness, metallic = sent(runtime, "roughness"), sent(runtime, "metallic")
    assert np.ptp(roughness) > 50 and np.ptp(metallic) > 50, "a plain map would prove nothing"
    assert np.abs(packed[..., 1] - roughness).max() <= 1
    assert np.abs(packed[..., 2] - metallic).max() <= 1


def test_gltf_follows_the_repeat(cube: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7, width=128, height=64, mapping_scale=3.0)
    gltf = exported(tmp_path, cube)
    texture = gltf["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    assert texture["extensions"]["KHR_texture_transform"]["scale"] == pytest.approx([3.0, 6.0])


@pytest.fixture(scope="module")
def matcher() -> ModuleType:
    """Node Wrangler's own file, which needs nothing else of it."""
    spec = spec_from_file_location("node_wrangler_paths", scripts() / NODE_WRANGLER)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sockets(installed: ModuleType) -> list[tuple[str, list[str]]]:
    """What Node Wrangler looks for: its sockets, and the words of its own preferences."""
    addon_utils.enable("node_wrangler", default_set=True)
    tags = bpy.context.preferences.addons["node_wrangler"].preferences.principled_tags
    names = ("base_color", "metallic", "specular", "normal", "bump", "rough", "gloss", "displacement")
    found = [
        (name, getattr(tags, name).split(" ")) for name in (*names, "emission", "alpha", "ambient_occlusion")
    ]
    addon_utils.disable("node_wrangler", default_set=True)
    return found


@pytest.mark.parametrize(
    "prompt", [PROMPT, "rusty metal plate", "base of a rough wall", "a", "12 normal blue tiles"]
)
def test_node_wrangler_finds_every_map_by_its_file_name(
    cube: bpy.types.Object,
    matcher: ModuleType,
    sockets: list[tuple[str, list[str]]],
    tmp_path: Path,
    prompt: str,
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.dtex.generate(prompt=prompt, seed=7, width=32)
    files = sorted((tmp_path / "textures").iterdir())
    looked_for = [[name, list(tags), None] for name, tags in sockets]
    matcher.match_files_to_socket_names([SimpleNamespace(name=path.name) for path in files], looked_for)
    found = {name: path for name, _, path in looked_for if path}
    ending = {name: Path(path).stem.rpartition("_")[2] for name, path in found.items()}
    assert ending == {
        "base_color": "basecolor",
        "metallic": "metallic",
        "normal": "normal",
        "rough": "roughness",
        "displacement": "height",
        "ambient_occlusion": "ao",
    }


def test_cycles_renders_the_bricks(scene: bpy.types.Scene, cube: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.dtex.generate(prompt="red brick wall", seed=7)
    bricks = rendered(scene, tmp_path / "bricks.png")
    assert 0.05 < bricks.mean() < 0.95
    assert bricks[..., 0].mean() > 1.25 * bricks[..., 1].mean()
    assert bricks[..., 0].std() > 0.02


def rendered(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    """The cube's top, seen from straight above in white light, as it would be shown; ``(64, 64, 3)``."""
    camera = scene.camera
    camera.location, camera.rotation_euler = (0.0, 0.0, 5.0), (0.0, 0.0, 0.0)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.8
    lamp = scene.objects["Light"]
    lamp.data.type = "SUN"
    lamp.data.energy = 3.0
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 8, False
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return image_pixels(bpy.data.images.load(str(path)))[..., :3]


def test_displacement_moves_the_surface_in_cycles(
    scene: bpy.types.Scene, cube: bpy.types.Object, tmp_path: Path
) -> None:
    """Seen from the side and against the light, the outline of a displaced cube is no straight line."""
    cube.modifiers.new("Subdivision", "SUBSURF").subdivision_type = "SIMPLE"
    cube.modifiers[0].render_levels = 6
    scene.dtex.mapping_scale = 0.5
    widths = {}
    for mode in ("bump", "displacement"):
        bpy.ops.dtex.generate(prompt="cobblestone", seed=7, displacement=mode)
        widths[mode] = outline(scene, tmp_path / f"{mode}.png")
    assert np.ptp(widths["bump"]) == 0
    assert np.ptp(widths["displacement"]) >= 2


def outline(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    """Of each column of a side view, how many pixels the cube covers."""
    camera = scene.camera
    camera.location, camera.rotation_euler = (0.0, -5.0, 0.0), (np.pi / 2, 0.0, 0.0)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 3.0
    scene.render.engine, scene.render.film_transparent = "CYCLES", True
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.resolution_x = scene.render.resolution_y = 96
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    covered = image_pixels(bpy.data.images.load(str(path)))[..., 3] > 0.5
    return covered.sum(axis=0)[24:72]
