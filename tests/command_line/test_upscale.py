# SPDX-License-Identifier: GPL-3.0-or-later
"""``dream-textures upscale``, called as other programs call it."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(sysconfig.get_path("scripts")) / (
    "dream-textures.exe" if os.name == "nt" else "dream-textures"
)
MAPS = ("basecolor", "normal", "roughness", "height", "ao", "metallic")
STEM = "mossy-red-brick-wall_3"


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def recipe_of(path: Path) -> dict:
    return json.loads(Image.open(path).text["dream_textures"])  # type: ignore[attr-defined]


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What went wrong: one sentence on stderr, and no traceback."""
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one set, as ``generate`` writes it."""
    folder = tmp_path_factory.mktemp("material")
    done = call("generate", "mossy red brick wall", "--size", 64, "--seed", 3, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def larger(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same four times as large."""
    out = tmp_path_factory.mktemp("larger")
    done = call("upscale", material, "--factor", 4, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def test_a_folder_of_maps_becomes_a_larger_one_under_the_same_names(material: Path, larger: Path) -> None:
    made = {path.name for path in larger.iterdir() if "_source_" not in path.name}
    assert made == {path.name for path in material.iterdir()}
    for name in MAPS:
        small, large = (Image.open(folder / f"{STEM}_{name}.png") for folder in (material, larger))
        assert large.size == (256, 256)
        assert large.mode == small.mode, "height keeps 16 bits, the others 8"


def test_it_still_tiles_and_the_recipe_says_so(larger: Path) -> None:
    for name in MAPS:
        recipe = recipe_of(larger / f"{STEM}_{name}.png")
        assert recipe["request"]["seamless"] == "both"
        assert all(recipe["seams"][axis]["tiles"] is not False for axis in "xy"), name
    assert call("seams", larger / f"{STEM}_basecolor.png").returncode in (0, 2)


def test_the_recipe_knows_what_it_was_before(material: Path, larger: Path) -> None:
    before, after = (recipe_of(folder / f"{STEM}_height.png") for folder in (material, larger))
    assert after["relief"] == pytest.approx(before["relief"])
    assert after["request"]["task"] == "upscale"
    assert after["request"]["prompt"] == "mossy red brick wall"


def test_the_recipe_makes_the_same_files_again(larger: Path, tmp_path: Path) -> None:
    done = call("generate", "--recipe", larger / f"{STEM}_normal.png", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in larger.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (larger / path.name).read_bytes(), path.name


def test_a_recipe_whose_source_is_gone_says_so(larger: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.png"
    alone.write_bytes((larger / f"{STEM}_normal.png").read_bytes())
    done = call("generate", "--recipe", alone, "--out", tmp_path / "out")
    assert "is not beside it" in said(done)


def test_a_set_can_be_named_by_what_its_files_share(material: Path, tmp_path: Path) -> None:
    done = call("upscale", material / STEM, "--out", tmp_path, "--no-sheet")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir() if "_source_" not in path.name} == {
        f"{STEM}_{name}.png" for name in MAPS
    }
    assert "Made larger by" in done.stderr


def test_nothing_is_replaced_unless_that_is_asked_for(material: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert call("upscale", material, "--out", tmp_path, "--no-sheet").returncode == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"{STEM}_normal.png", f"{STEM}-2_normal.png"} <= names
    assert call("upscale", material, "--out", tmp_path, "--no-sheet", "--overwrite").returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == names


def test_one_map_by_itself_is_taken_for_what_it_is(material: Path, tmp_path: Path) -> None:
    assert call("upscale", material / f"{STEM}_normal.png", "--out", tmp_path).returncode == 0
    made = tmp_path / f"{STEM}_normal.png"
    assert recipe_of(made)["request"]["maps"] == ["normal"]
    normal = np.asarray(Image.open(made), np.float32) / 127.5 - 1
    assert normal.shape == (128, 128, 3)
    assert np.abs(np.linalg.norm(normal, axis=2) - 1).max() < 0.02


def test_sixteen_bits_stay_sixteen(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:64, 0:64] * (2 * np.pi / 64)
    levels = (32768 + 20000 * np.sin(columns) * np.cos(rows)).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "dunes_height.png")
    assert call("upscale", tmp_path / "dunes_height.png", "--out", tmp_path / "out").returncode == 0
    made = np.asarray(Image.open(tmp_path / "out" / "dunes_height.png")).astype(int)
    assert made.shape == (128, 128)
    assert len(np.unique(made)) > 1000
    assert np.abs(made.reshape(64, 2, 64, 2).mean(axis=(1, 3)) - levels).max() < 200


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_any_picture_becomes_a_larger_one(tmp_path: Path, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(tmp_path / "My Photo.png")
    done = call("upscale", tmp_path / "My Photo.png", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    made = Image.open(tmp_path / "out" / "my-photo_upscaled.png")
    assert made.size == (112, 80)
    assert made.mode == {"P": "RGB"}.get(mode, mode)


def test_json_tells_programs_the_same(material: Path, tmp_path: Path) -> None:
    done = call("upscale", material, "--out", tmp_path, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["map"] for event in events if event["type"] == "result"] == list(MAPS)
    assert events[-1]["type"] == "finished"
    assert all(Path(event["path"]).is_file() for event in events if event["type"] == "file")


def test_what_cannot_be_done_is_said_in_a_sentence(material: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "There is no file" in said(call("upscale", tmp_path / "gone.png", "--out", out))
    assert "holds no set of maps" in said(call("upscale", tmp_path, "--out", out))
    assert "either --model-file or --method" in said(
        call("upscale", material, "--out", out, "--model-file", "x.pth", "--method", "lanczos")
    )
    assert "There is no model file" in said(
        call("upscale", material, "--out", out, "--model-file", tmp_path / "x.pth")
    )
    (tmp_path / "text.png").write_text("no picture")
    assert "not a picture" in said(call("upscale", tmp_path / "text.png", "--out", out))
    Image.new("RGB", (4000, 16)).save(tmp_path / "long.png")
    assert "more than 8192" in said(call("upscale", tmp_path / "long.png", "--factor", 4, "--out", out))
    assert not out.exists(), "nothing half-made is left"


def test_maps_of_different_sizes_are_no_set(material: Path, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "wall_basecolor.png")
    Image.new("L", (16, 16)).save(tmp_path / "wall_roughness.png")
    assert "not of one size" in said(call("upscale", tmp_path, "--out", tmp_path / "out"))


def test_one_bad_set_does_not_keep_the_others_back(material: Path, tmp_path: Path) -> None:
    folder = tmp_path / "several"
    folder.mkdir()
    for path in material.glob(f"{STEM}_*.png"):
        for stem in ("a_1", "b_2", "c_3"):
            (folder / path.name.replace(STEM, stem)).write_bytes(path.read_bytes())
    Image.new("L", (16, 16)).save(folder / "a_1_roughness.png")
    (folder / "b_2_normal.png").write_bytes(b"no picture")
    done = call("upscale", folder, "--factor", 2, "--out", tmp_path / "out")
    sentence = said(done)
    assert "2 of 3 sets were not made larger" in sentence
    assert "a_1: The maps are not of one size" in sentence and "b_2: " in sentence
    made = {path.name for path in (tmp_path / "out").iterdir() if "_source_" not in path.name}
    assert {f"c_3_{name}.png" for name in MAPS} <= made
    assert not [name for name in made if name.startswith(("a_1", "b_2"))]


def test_data_with_holes_keep_them(tmp_path: Path) -> None:
    pixels = np.full((32, 32, 4), 128, np.uint8)
    pixels[..., 3] = 255
    pixels[8:24, 8:24, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "mesh_roughness.png")
    done = call("upscale", tmp_path / "mesh_roughness.png", "--factor", 2, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    made = np.asarray(Image.open(tmp_path / "out" / "mesh_roughness.png"))
    assert made.shape == (64, 64, 4) and made[32, 32, 3] < 8 and made[2, 2, 3] > 247
