# SPDX-License-Identifier: GPL-3.0-or-later
"""The object as Blender's own glTF exporter writes it: the pixels behind every texture, and the repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest

from .conftest import image_pixels, submodule

PROMPT = "mossy red brick wall"


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
