# SPDX-License-Identifier: GPL-3.0-or-later
"""A Stable Diffusion folder from Blender: another Python, named in the preferences, runs the generator with torch.

``DREAM_TEXTURES_TEST_PYTHON`` names that Python; noxfile.py gives the one that it made for the generator's own tests.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from .conftest import MODULE, ROOT, own_nodes

PYTHON = os.environ.get("DREAM_TEXTURES_TEST_PYTHON", "")

pytestmark = pytest.mark.skipif(
    not PYTHON, reason="no Python with torch is named in DREAM_TEXTURES_TEST_PYTHON"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Stable Diffusion 1.x folder, made by the other Python."""
    path = tmp_path_factory.mktemp("models") / "sd1"
    code = f"import pathlib, tiny_models; tiny_models.save_sd(pathlib.Path({str(path)!r}))"
    subprocess.run([PYTHON, "-c", code], check=True, cwd=ROOT / "tests" / "generator" / "diffusion")
    return path


def test_a_model_folder_makes_a_material(
    cube: bpy.types.Object, generator_python: Callable[[str], None], folder: Path
) -> None:
    generator_python(PYTHON)
    assert bpy.ops.dtex.generate(prompt="red brick", model=str(folder), width=128, seed=1, steps=2) == {
        "FINISHED"
    }
    textures = [node for node in own_nodes(cube.active_material).values() if node.type == "TEX_IMAGE"]
    assert len(textures) == 6
    assert {tuple(node.image.size) for node in textures} == {(128, 128)}


def test_an_open_image_goes_through_the_model(
    cube: bpy.types.Object, generator_python: Callable[[str], None], folder: Path
) -> None:
    generator_python(PYTHON)
    bpy.ops.dtex.generate(prompt="red brick", model="builtin:procedural", width=128, seed=1)
    source = next(image.name for image in bpy.data.images if image.name.endswith("_basecolor"))
    done = bpy.ops.dtex.generate(
        prompt="moss", model=str(folder), source=source, strength=0.5, width=128, seed=2, steps=2
    )
    assert done == {"FINISHED"}
    assert any(image.name.startswith("moss_2_basecolor") for image in bpy.data.images)


def test_without_torch_a_model_folder_ends_in_advice(cube: bpy.types.Object, folder: Path) -> None:
    assert not bpy.context.preferences.addons[MODULE].preferences.python_path
    with pytest.raises(RuntimeError, match="torch"):
        bpy.ops.dtex.generate(prompt="red brick", model=str(folder), width=128)
