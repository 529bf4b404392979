# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that we did not write read what we made: the glTF exporter, Node Wrangler, Cycles."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest

from .conftest import image_pixels, own_nodes

PROMPT = "red bricks"


def read_glb(path: Path) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk of a glTF binary (glTF 2.0, section 4.4)."""
    data = path.read_bytes()
    magic, version, _ = struct.unpack_from("<4sII", data)
    assert (magic, version) == (b"glTF", 2)
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    return json.loads(data[20 : 20 + length]), data[20 + length + 8 :]


def test_blenders_gltf_exporter_finds_the_maps(cube: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.dtex.generate(prompt=PROMPT, seed=7)
    addon_utils.enable("io_scene_gltf2", default_set=False)
    path = tmp_path / "cube.glb"
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB", use_selection=False)
    described, binary = read_glb(path)
    (material,) = [item for item in described["materials"] if item["name"] == cube.active_material.name]
    shading = material["pbrMetallicRoughness"]
    names = {
        "base": shading["baseColorTexture"],
        "rough": shading["metallicRoughnessTexture"],
        "normal": material["normalTexture"],
    }
    images = {name: described["textures"][item["index"]]["source"] for name, item in names.items()}
    assert len(set(images.values())) == 3
    assert described["images"][images["base"]]["name"].startswith("red-bricks_7_basecolor")
    assert described["images"][images["normal"]]["name"].startswith("red-bricks_7_normal")
    view = described["bufferViews"][described["images"][images["rough"]]["bufferView"]]
    start = view.get("byteOffset", 0)
    exported = tmp_path / "rough.png"
    exported.write_bytes(binary[start : start + view["byteLength"]])
    packed = image_pixels(bpy.data.images.load(str(exported)))
    roughness = image_pixels(own_nodes(cube.active_material)["roughness"].image)
    assert np.abs(packed[..., 1] - roughness[..., 0]).max() <= 1 / 255  # glTF keeps roughness in green


@pytest.fixture
def node_wrangler() -> ModuleType:
    """Node Wrangler's pure matching module, straight from Blender's files."""
    (folder,) = [
        Path(path) / "node_wrangler"
        for path in addon_utils.paths()
        if (Path(path) / "node_wrangler").is_dir()
    ]
    spec = importlib.util.spec_from_file_location("wrangler_paths", folder / "utils" / "paths.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("prompt", [PROMPT, "rusty metal plates with bumpy normal rivets", "Мох", "2k rock"])
def test_node_wrangler_recognises_our_files(
    cube: bpy.types.Object, node_wrangler: ModuleType, tmp_path: Path, prompt: str
) -> None:
    # The same component names as in its default preferences.
    tags = {
        "Base Color": "diffuse diff albedo base col color basecolor",
        "Metallic": "metallic metalness metal mtl",
        "Roughness": "roughness rough rgh",
        "Normal": "normal nor nrm nrml norm",
        "Displacement": "displacement displace disp dsp height heightmap",
        "Ambient Occlusion": "ao ambient occlusion",
    }
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    for _ in range(2):  # the second time with endings that keep the first files
        bpy.ops.dtex.generate(prompt=prompt, seed=7, width=32)
        images = {name: own_nodes(cube.active_material)[name].image for name in own_maps()}
        files = [SimpleNamespace(name=Path(image.filepath).name) for image in images.values()]
        sockets = [[name, words.split(), None] for name, words in tags.items()]
        node_wrangler.match_files_to_socket_names(files, sockets)
        assert {name: found for name, _, found in sockets} == {
            "Base Color": Path(images["basecolor"].filepath).name,
            "Metallic": Path(images["metallic"].filepath).name,
            "Roughness": Path(images["roughness"].filepath).name,
            "Normal": Path(images["normal"].filepath).name,
            "Displacement": Path(images["height"].filepath).name,
            "Ambient Occlusion": Path(images["ao"].filepath).name,
        }


def own_maps() -> tuple[str, ...]:
    """The maps in their usual order."""
    return ("basecolor", "normal", "roughness", "height", "ao", "metallic")


@pytest.fixture
def wall(scene: bpy.types.Scene) -> bpy.types.Object:
    """A plane that fills the picture from edge to edge, right side up, in even white light."""
    bpy.ops.mesh.primitive_plane_add(size=2.0)
    for name in ("Cube", "Light"):
        scene.objects[name].hide_render = True
    camera = scene.objects["Camera"]
    camera.location, camera.rotation_euler = (0.0, 0.0, 3.0), (0.0, 0.0, 0.0)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.0
    world_strength(scene, 1.0)
    return bpy.context.object


def world_strength(scene: bpy.types.Scene, strength: float) -> None:
    """How bright the white world around is."""
    (background,) = [node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND"]
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = strength


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of two pictures."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_cycles_shows_the_texture_the_right_way_up(
    scene: bpy.types.Scene, wall: bpy.types.Object, tmp_path: Path
) -> None:
    bpy.ops.dtex.generate(prompt="mossy red bricks", seed=7, width=128)
    picture = render(scene, tmp_path / "wall.png")
    texture = image_pixels(own_nodes(wall.active_material)["basecolor"].image)[..., :3]
    shrunk = texture.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert picture[..., 0].mean() > 1.2 * picture[..., 2].mean(), "bricks are red"
    assert alike(picture, shrunk) > 0.85
    assert alike(picture[::-1], shrunk) < 0.7
    assert alike(picture[:, ::-1], shrunk) < 0.7


def test_cycles_lights_the_slopes_that_face_the_light(
    scene: bpy.types.Scene, wall: bpy.types.Object, tmp_path: Path
) -> None:
    bpy.ops.dtex.generate(prompt="cobblestone", seed=7, width=128)
    normals = image_pixels(own_nodes(wall.active_material)["normal"].image).reshape(64, 2, 64, 2, 4)
    slopes = normals.mean(axis=(1, 3)) - 0.5
    world_strength(scene, 0.0)
    lamp = scene.objects["Light"]
    lamp.hide_render = False
    lamp.data.type, lamp.data.energy = "SUN", 3.0
    lit = {}
    for name, tilt in (("above", (-0.9, 0.0, 0.0)), ("below", (0.9, 0.0, 0.0))):
        lamp.rotation_euler = tilt  # a sun shines along its own -Z
        lit[name] = render(scene, tmp_path / f"{name}.png").mean(axis=2)
    difference = lit["above"] - lit["below"]
    assert alike(difference, slopes[..., 1]) > 0.8


def render(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    """A picture of 64 x 64 pixels by Cycles on the CPU, ``(64, 64, 3)``, bottom row first."""
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 32, False
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return image_pixels(bpy.data.images.load(str(path)))[..., :3]
