# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles shows what the maps say: upright, and with the slopes that face the light the brightest."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from .conftest import image_pixels, own_nodes


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
