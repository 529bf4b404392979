# SPDX-License-Identifier: GPL-3.0-or-later
"""A Stable Diffusion folder from Blender: another Python, named in the preferences, runs the generator with torch.

``DREAM_TEXTURES_TEST_PYTHON`` names that Python; noxfile.py gives the one that it made for the generator's own tests.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from .conftest import MODULE, ROOT, own_nodes
from .test_panels import drawn
from .test_seamless import made_of, photo
from .test_source import picture

PYTHON = os.environ.get("DREAM_TEXTURES_TEST_PYTHON", "")

pytestmark = pytest.mark.skipif(
    not PYTHON, reason="no Python with torch is named in DREAM_TEXTURES_TEST_PYTHON"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small random folders of Stable Diffusion 1.x and XL, made by the other Python."""
    root = tmp_path_factory.mktemp("models")
    code = (
        f"import pathlib, tiny_models; root = pathlib.Path({str(root)!r}); "
        "tiny_models.save_sd(root / 'sd1'); tiny_models.save_sdxl(root / 'sdxl')"
    )
    subprocess.run([PYTHON, "-c", code], check=True, cwd=ROOT / "tests" / "generator" / "diffusion")
    return {"sd1": root / "sd1", "sdxl": root / "sdxl"}


@pytest.fixture
def folder(folders: dict[str, Path]) -> Path:
    """The folder of Stable Diffusion 1.x."""
    return folders["sd1"]


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


def test_the_starter_makes_a_material_from_words_and_from_a_photo(
    cube: bpy.types.Object, generator_python: Callable[[str], None], runtime: Any
) -> None:
    """The model that came with the add-on, chosen in the panel, with nothing else on this machine."""
    generator_python(PYTHON)
    settings = bpy.context.scene.dtex
    settings.model, settings.size, settings.seed, settings.random_seed = "starter", "256", 3, False
    settings.prompt = "weathered turquoise planks"
    assert bpy.ops.dtex.generate() == {"FINISHED"}
    textures = [node for node in own_nodes(cube.active_material).values() if node.type == "TEX_IMAGE"]
    assert len(textures) == 6
    result = runtime.board.latest.results[0]
    assert (result.recipe["model"], result.recipe["num_inference_steps"]) == ("builtin:starter", 20)
    assert all(result.seams[axis]["tiles"] is not False for axis in ("x", "y"))
    assert "20 steps, guidance 2.5" in drawn(width=2000).texts
    settings.source, settings.strength = picture("photo.png", photo()), 0.5
    assert bpy.ops.dtex.generate() == {"FINISHED"}
    assert runtime.board.latest.results[0].recipe["source"]["name"] == "photo.png"


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_tiling_image_stays_one_on_its_way_through_the_model(
    scene: bpy.types.Scene,
    generator_python: Callable[[str], None],
    folders: dict[str, Path],
    runtime: Any,
    family: str,
) -> None:
    """The seam reports are clean, and the steps across the borders are as large as those inside.

    Random weights make rough pictures of 8-pixel squares: the ratio is one for the mean of several seeds alone (in Y
    it is below 0.8 without the wrap), and one verdict of twelve may be wrong.
    """
    generator_python(PYTHON)
    columns = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    pixels = np.ones((128, 128, 4), np.float32)
    pixels[..., :3] = (0.5 + 0.2 * np.sin(3 * columns) + 0.2 * np.cos(2 * columns)[:, None])[..., None]
    picture("waves.png", pixels)
    count = 12
    done = bpy.ops.dtex.generate(
        prompt="moss",
        model=str(folders[family]),
        source="waves.png",
        strength=0.5,
        steps=4,
        width=128,
        seed=0,
        count=count,
        maps={"basecolor"},
    )
    assert done == {"FINISHED"}
    job = runtime.board.latest
    assert not any("does not tile" in notice for notice in job.notices), "the source was sent as it is"
    reports = [result.seams for result in job.results]
    assert len(reports) == count
    for axis in ("x", "y"):
        assert sum(report[axis]["tiles"] is not False for report in reports) >= count - 1, axis
        assert abs(float(np.mean([report[axis]["ratio"] for report in reports])) - 1) < 0.15, axis


def test_a_size_that_the_model_cannot_make_tile_is_changed_and_said(
    scene: bpy.types.Scene, generator_python: Callable[[str], None], folder: Path, runtime: Any
) -> None:
    generator_python(PYTHON)
    bpy.ops.dtex.generate(
        prompt="moss", model=str(folder), width=140, height=128, steps=1, maps={"basecolor"}
    )
    assert any("The size is 128 x 128" in text for text in drawn(width=2000).texts)
    assert tuple(bpy.data.images["moss_0_basecolor"].size) == (128, 128)


def test_the_model_can_draw_the_joint_anew(
    scene: bpy.types.Scene, generator_python: Callable[[str], None], folder: Path, runtime: Any
) -> None:
    generator_python(PYTHON)
    scene.dtex.model, scene.dtex.model_folder = "folder", str(folder)
    scene.dtex.prompt, scene.dtex.automatic, scene.dtex.steps = "gravel", False, 2
    picture("photo.png", photo())
    assert bpy.ops.dtex.make_seamless(image="photo.png", use_model=True) == {"FINISHED"}
    request = runtime.board.latest.request
    assert (request.task, request.model, request.prompt) == ("tile", str(folder), "gravel")
    assert tuple(made_of("photo").size) == (128, 96)


def test_what_is_left_to_the_model_and_its_lora_stands_in_the_recipe(
    scene: bpy.types.Scene,
    generator_python: Callable[[str], None],
    folder: Path,
    runtime: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        f"import pathlib, tiny_loras; "
        f"tiny_loras.save_lora(pathlib.Path({str(tmp_path / 'lcm-lora')!r}), pathlib.Path({str(folder)!r}))"
    )
    subprocess.run([PYTHON, "-c", code], check=True, cwd=ROOT / "tests" / "generator" / "diffusion")
    monkeypatch.setenv("DREAM_TEXTURES_MODELS", str(folder.parent))
    bpy.ops.dtex.stop_generator()  # one that is started now knows where the models are
    generator_python(PYTHON)
    scene.dtex.model, scene.dtex.model_folder = "folder", str(folder)
    scene.dtex.prompt, scene.dtex.maps = "gravel", {"basecolor"}
    (file,) = (tmp_path / "lcm-lora").glob("*.safetensors")
    bpy.ops.dtex.add_lora(filepath=str(file))
    assert bpy.ops.dtex.generate() == {"FINISHED"}
    made = runtime.board.latest.results[0].recipe
    assert (made["num_inference_steps"], made["guidance_scale"], made["scheduler"]) == (4, 1.0, "lcm")
    assert "As the model and its LoRAs were made for" in drawn(width=2000).texts
    bpy.ops.dtex.remove_lora(index=0)
    assert "25 steps, guidance 7.5" in drawn(width=2000).texts


def test_without_torch_a_model_folder_ends_in_advice(cube: bpy.types.Object, folder: Path) -> None:
    assert not bpy.context.preferences.addons[MODULE].preferences.python_path
    with pytest.raises(RuntimeError, match="torch"):
        bpy.ops.dtex.generate(prompt="red brick", model=str(folder), width=128)
