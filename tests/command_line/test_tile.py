# SPDX-License-Identifier: GPL-3.0-or-later
"""``dream-textures tile``, called as other programs call it."""

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


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def tiles(path: Path, axes: str = "both") -> bool:
    """Whether no seam is found; in a small picture the answer may be that it cannot be said (2)."""
    return call("seams", path, "--axes", axes).returncode in (0, 2)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:96, 0:128]
    grain = np.random.default_rng(3).normal(0, 8, (96, 128))
    grey = np.clip(30 + columns + rows * 0.6 + grain, 0, 255).astype(np.uint8)
    path = tmp_path / "My Photo.png"
    Image.fromarray(np.stack([grey, grey // 2, grey // 3], axis=2)).save(path)
    return path


@pytest.fixture
def tiling(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:96, 0:128] * (2 * np.pi)
    wave = (128 + 50 * np.sin(columns / 32) + 50 * np.cos(rows / 24)).astype(np.uint8)
    path = tmp_path / "waves.png"
    Image.fromarray(np.repeat(wave[..., None], 3, axis=2)).save(path)
    return path


def test_a_photo_tiles_afterwards_and_the_terminal_says_how_well(tmp_path: Path, photo: Path) -> None:
    assert not tiles(photo)
    done = call("tile", photo, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    made = tmp_path / "out" / "my-photo_tiled.png"
    assert done.stdout.strip() == str(made)
    assert "my-photo tiles in X and Y (ratio " in done.stderr
    assert "; before " in done.stderr
    assert tiles(made)
    assert Image.open(made).size == (128, 96)


def test_the_recipe_makes_the_same_file_again(tmp_path: Path, photo: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    call("tile", photo, "--out", out, "--axes", "x")
    done = call("generate", "--recipe", out / "my-photo_tiled.png", "--out", again)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in again.iterdir()} == {"my-photo_tiled.png", "my-photo_source.png"}
    for path in again.iterdir():
        assert path.read_bytes() == (out / path.name).read_bytes()


def test_the_recipe_holds_the_seam_report(tmp_path: Path, photo: Path) -> None:
    call("tile", photo, "--out", tmp_path)
    recipe = json.loads(Image.open(tmp_path / "my-photo_tiled.png").text["dream_textures"])
    for axis in ("x", "y"):
        assert set(recipe["seams"][axis]) == {"ratio", "z_score", "second_difference", "tiles"}
        assert recipe["seams"][axis]["tiles"] is not False


def test_one_axis_alone(tmp_path: Path, photo: Path) -> None:
    done = call("tile", photo, "--out", tmp_path, "--axes", "x")
    assert done.returncode == 0, done.stderr
    assert "tiles in X (ratio" in done.stderr
    assert tiles(tmp_path / "my-photo_tiled.png", "x")
    assert not tiles(tmp_path / "my-photo_tiled.png", "y")


def test_a_picture_that_tiles_is_left_as_it_is(tmp_path: Path, tiling: Path) -> None:
    done = call("tile", tiling, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tiles already in X and Y" in done.stderr
    assert np.array_equal(Image.open(tmp_path / "waves_tiled.png"), Image.open(tiling))


def test_transparency_is_kept(tmp_path: Path, tiling: Path) -> None:
    alpha = Image.open(tiling).convert("L")
    image = Image.open(tiling).convert("RGB")
    image.putalpha(alpha)
    image.save(tmp_path / "cut out.png")
    call("tile", tmp_path / "cut out.png", "--out", tmp_path)
    assert np.array_equal(Image.open(tmp_path / "cut-out_tiled.png"), image)


def test_one_that_cannot_be_read_does_not_lose_the_others(tmp_path: Path, photo: Path, tiling: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    done = call(
        "tile", photo, tmp_path / "text.png", tmp_path / "gone.png", tiling, "--out", tmp_path / "out"
    )
    assert done.returncode == 2
    assert "text.png is not a picture" in done.stderr
    assert "no file" in done.stderr
    assert "Traceback" not in done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"my-photo_tiled.png", "my-photo_source.png", "waves_tiled.png", "waves_source.png"}


def test_no_file_is_replaced_unless_asked(tmp_path: Path, photo: Path) -> None:
    first = tmp_path / "my-photo_tiled.png"
    call("tile", photo, "--out", tmp_path)
    call("tile", photo, "--out", tmp_path, "--axes", "y")
    assert (tmp_path / "my-photo-2_tiled.png").is_file()
    before = first.read_bytes()
    call("tile", photo, "--out", tmp_path, "--axes", "y", "--overwrite")
    assert first.read_bytes() != before


def test_json_tells_of_each_image_under_its_path(tmp_path: Path, photo: Path) -> None:
    missing = tmp_path / "gone.png"
    done = call("tile", photo, missing, "--out", tmp_path, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ends = {event["job"]: event["type"] for event in events if event["type"] in ("finished", "failed")}
    assert ends == {str(photo): "finished", str(missing): "failed"}
    (result,) = [event for event in events if event["type"] == "result"]
    assert result["before"]["x"]["tiles"] is False
    assert result["seams"]["x"]["tiles"] is True
    (file,) = [event for event in events if event["type"] == "file"]
    assert Path(file["path"]).is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--axes", "z"], "axes"),
        (["--model", "/nowhere"], "no model"),
        (["--model", "builtin:nothing"], "no built-in model"),
        (["--strength", "2"], "strength"),
        (["--steps", "-1"], "steps"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    tmp_path: Path, photo: Path, arguments: list[str], says: str
) -> None:
    done = call("tile", photo, "--out", tmp_path / "out", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "out").glob("*")), "a failure leaves no file behind"


def test_a_tiny_picture_and_a_file_in_place_of_the_folder_are_refused(tmp_path: Path, photo: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "tiny.png")
    done = call("tile", tmp_path / "tiny.png", "--out", tmp_path / "out")
    assert (done.returncode, "8 x 8" in done.stderr) == (2, True)
    done = call("tile", photo, photo, "--out", photo)
    assert (done.returncode, done.stderr.count("need")) == (2, 1)
