# SPDX-License-Identifier: GPL-3.0-or-later
"""True displacement: Cycles moves the surface of a mesh that is fine enough."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .conftest import image_pixels


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
