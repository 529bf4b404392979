# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed program, called as other programs call it: arguments, files, streams and exit statuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(sysconfig.get_path("scripts")) / (
    "dream-textures.exe" if os.name == "nt" else "dream-textures"
)
MAPS = ("basecolor", "normal", "roughness", "height", "ao", "metallic")


def call(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


def make(out: Path, *arguments: object) -> list[str]:
    done = call("generate", "mossy red brick wall", "--out", out, "--size", 128, "--seed", 7, *arguments)
    assert done.returncode == 0, done.stderr
    return sorted(path.name for path in out.iterdir())


def fails(*arguments: object, says: str) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, "one sentence, on one line"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:96, 0:128]
    grain = np.random.default_rng(3).normal(0, 8, (96, 128))
    grey = np.clip(30 + columns + rows * 0.6 + grain, 0, 255).astype(np.uint8)
    path = tmp_path / "My Photo.png"
    Image.fromarray(np.stack([grey, grey // 2, grey // 3], axis=2)).save(path)
    return path


def test_a_prompt_makes_the_named_files(tmp_path: Path) -> None:
    names = make(tmp_path / "new" / "folder")
    assert names == sorted(f"mossy-red-brick-wall_7_{name}.png" for name in (*MAPS, "sheet"))


def test_the_maps_have_their_formats_and_the_sheet_is_larger(tmp_path: Path) -> None:
    make(tmp_path)
    images = {name: Image.open(tmp_path / f"mossy-red-brick-wall_7_{name}.png") for name in (*MAPS, "sheet")}
    assert {images[name].mode for name in ("basecolor", "normal")} == {"RGB"}
    assert images["height"].mode.startswith("I;16")
    assert {images[name].mode for name in ("roughness", "ao", "metallic")} == {"L"}
    assert {images[name].size for name in MAPS} == {(128, 128)}
    assert images["sheet"].width > 800


def test_an_existing_file_is_kept_and_the_new_set_gets_its_own_name(tmp_path: Path) -> None:
    first = make(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in first}
    both = make(tmp_path)
    assert len(both) == 2 * len(first)
    assert "mossy-red-brick-wall_7-2_basecolor.png" in both
    assert before == {name: (tmp_path / name).read_bytes() for name in first}
    assert make(tmp_path, "--overwrite") == both


def test_the_same_seed_makes_the_same_bytes_and_the_recipe_makes_them_again(tmp_path: Path) -> None:
    names = make(tmp_path / "one")
    make(tmp_path / "two")
    recipe = tmp_path / "one" / "mossy-red-brick-wall_7_sheet.png"
    done = call("generate", "--recipe", recipe, "--out", tmp_path / "three")
    assert done.returncode == 0, done.stderr
    for name in names:
        original = (tmp_path / "one" / name).read_bytes()
        assert (tmp_path / "two" / name).read_bytes() == original
        assert (tmp_path / "three" / name).read_bytes() == original


def test_an_option_changes_one_thing_of_a_recipe(tmp_path: Path) -> None:
    make(tmp_path, "--maps", "none", "--no-sheet")
    recipe = tmp_path / "mossy-red-brick-wall_7_basecolor.png"
    assert call("generate", "--recipe", recipe, "--seed", 8, "--out", tmp_path).returncode == 0
    assert (tmp_path / "mossy-red-brick-wall_8_basecolor.png").is_file()


def test_a_photo_is_restyled_and_its_recipe_finds_the_photo_again(tmp_path: Path, photo: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    done = call(
        "generate",
        "mossy",
        "--source",
        photo,
        "--strength",
        0.5,
        "--seed",
        1,
        "--out",
        out,
        "--maps",
        "normal",
    )
    assert done.returncode == 0, done.stderr
    assert Image.open(out / "mossy_1_basecolor.png").size == (128, 96)
    assert call("seams", out / "mossy_1_basecolor.png").returncode == 0
    done = call("generate", "--recipe", out / "mossy_1_normal.png", "--out", again)
    assert done.returncode == 0, done.stderr
    assert (again / "my-photo_source.png").is_file(), "so that this recipe can be followed as well"
    for path in again.iterdir():
        assert path.read_bytes() == (out / path.name).read_bytes()
    (out / "my-photo_source.png").unlink()
    fails("generate", "--recipe", out / "mossy_1_normal.png", "--out", again, says="--source")


def test_maps_of_an_image(tmp_path: Path, photo: Path) -> None:
    done = call("maps", "--maps-from", "analysis", photo, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {f"my-photo_{name}.png" for name in (*MAPS, "sheet", "source")} == names
    assert np.array_equal(
        np.asarray(Image.open(tmp_path / "out" / "my-photo_basecolor.png")), Image.open(photo)
    )


def test_seams_gives_its_verdict_as_the_exit_status(tmp_path: Path, photo: Path) -> None:
    make(tmp_path / "out", "--maps", "none", "--no-sheet")
    tiling = call("seams", tmp_path / "out" / "mossy-red-brick-wall_7_basecolor.png")
    assert tiling.returncode == 0
    report = json.loads(tiling.stdout)
    assert report["tiles"] is True
    assert 0.5 < report["x"]["ratio"] < 1.5
    assert "z_score" in report["y"]
    broken = call("seams", photo)
    assert broken.returncode == 1
    assert json.loads(broken.stdout)["x"]["tiles"] is False
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "flat.png")
    assert call("seams", tmp_path / "flat.png").returncode in (0, 2)
    Image.new("RGB", (2, 2), "grey").save(tmp_path / "tiny.png")
    assert call("seams", tmp_path / "tiny.png").returncode == 2


def test_json_prints_one_event_a_line_and_nothing_else(tmp_path: Path) -> None:
    done = call("generate", "blue xylophone tiles", "--out", tmp_path, "--size", 64, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[-1] == "finished"
    assert kinds.count("result") == len(MAPS)
    assert any("xylophone" in event["message"] for event in events if event["type"] == "notice")
    files = [Path(event["path"]) for event in events if event["type"] == "file"]
    assert all(path.is_file() for path in files)
    assert len(files) == len(MAPS) + 1


def test_size_is_width_by_height_and_count_makes_several(tmp_path: Path) -> None:
    call("generate", "sand", "--out", tmp_path, "--size", "64x32", "--seed", 3, "--count", 2, "--no-sheet")
    for seed in (3, 4):
        assert Image.open(tmp_path / f"sand_{seed}_basecolor.png").size == (64, 32)


def test_models_and_doctor_answer_in_words_and_in_json() -> None:
    assert "builtin:procedural" in call("models").stdout
    listed = json.loads(call("models", "--json").stdout)
    assert len(listed["families"]) >= 12
    done = call("doctor")
    assert done.returncode == 0, done.stdout
    assert "numpy" in done.stdout
    assert all(finding["ok"] for finding in json.loads(call("doctor", "--json").stdout))


def test_errors_are_one_sentence_with_exit_status_two(tmp_path: Path, photo: Path) -> None:
    out = ("--out", tmp_path / "out")
    fails("generate", *out, says="Type what the texture should be")
    fails("generate", "sand", *out, "--size", "9", says="16 to 8192")
    fails("generate", "sand", *out, "--size", "big", says="not a size")
    fails("generate", "sand", *out, "--seed", "-1", says="seed")
    fails("generate", "sand", *out, "--maps", "colour", says="no map")
    fails("generate", "sand", *out, "--strength", "2", says="strength")
    fails("generate", "sand", *out, "--model", "/nowhere", says="no model")
    fails("generate", "sand", *out, "--model", tmp_path, says="model_index.json")
    fails("generate", "sand", *out, "--lora", tmp_path / "none.safetensors", says="no LoRA")
    fails(
        "generate", "sand", *out, "--lora", "C:\\none.safetensors:0.8", says="no LoRA C:\\none.safetensors."
    )
    (tmp_path / "moss.safetensors").write_bytes(b"")
    fails("generate", "sand", *out, "--lora", f"{tmp_path / 'moss.safetensors'}:much", says="not a weight")
    fails("generate", "sand", *out, "--lora", f"{tmp_path / 'moss.safetensors'}:9", says="from -2 to 2")
    nine = ["--lora", tmp_path / "moss.safetensors"] * 9
    fails("generate", "sand", *out, *nine, says="at most 8 LoRAs")
    fails("generate", "sand", *out, "--source", tmp_path / "none.png", says="no file")
    fails("generate", "--recipe", photo, *out, says="no recipe")
    fails("generate", "sand", "--out", photo, says="need a folder")
    fails("generate", "sand", *out, "--source", photo, "--strength", "2", says="strength")
    fails("generate", "sand", *out, "--source", photo, "--model", "/nowhere", says="no model")
    fails("maps", tmp_path, *out, says="folder")
    (tmp_path / "broken.png").write_bytes(photo.read_bytes()[:200])
    fails("seams", tmp_path / "broken.png", says="cannot be read")
    (tmp_path / "text.png").write_text("not a picture")
    fails("maps", tmp_path / "text.png", *out, says="not a picture")
    fails("paint", says="paint")
    fails(says="COMMAND")
    assert not list((tmp_path / "out").glob("*")), "a failure leaves no file behind"


def test_loras_are_carried_with_their_weights_whatever_colons_there_are(tmp_path: Path) -> None:
    folder = tmp_path / "loras"
    folder.mkdir()
    plain, odd = folder / "moss.safetensors", folder / "odd:1"
    for path in (plain, odd) if os.name != "nt" else (plain,):
        path.write_bytes(b"")
    given = {f"{plain}": 1.0, f"{plain}:0.8": 0.8, f"{plain}:-.5": -0.5}
    if os.name != "nt":
        given |= {f"{odd}": 1.0, f"{odd}:2": 2.0}
    options = [word for text in given for word in ("--lora", text)]
    done = call("generate", "sand", "--out", tmp_path / "out", "--size", 64, "--json", *options)
    assert done.returncode == 0, done.stderr
    assert "takes no LoRA" in done.stdout
    result = next(event for line in done.stdout.splitlines() if "recipe" in (event := json.loads(line)))
    assert [item["weight"] for item in result["recipe"]["loras"]] == list(given.values())
    assert {Path(item["file"]).parent for item in result["recipe"]["loras"]} == {folder}


def test_models_say_what_they_were_made_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sdxl-turbo").mkdir()
    index = tmp_path / "sdxl-turbo" / "model_index.json"
    index.write_text('{"_class_name": "StableDiffusionXLPipeline"}')
    monkeypatch.setenv("DREAM_TEXTURES_MODELS", str(tmp_path))
    assert "Turbo: 4 steps, no guidance" in call("models").stdout
    listed = {model["name"]: model for model in json.loads(call("models", "--json").stdout)["models"]}
    turbo = listed[str(tmp_path / "sdxl-turbo")]
    assert (turbo["few_steps"], turbo["steps"], turbo["guidance"]) == ("Turbo", 4, 0.0)
    assert listed["builtin:procedural"]["numbers"] == ""


def test_a_recipes_numbers_stay_with_its_own_model_and_loras(tmp_path: Path) -> None:
    make(tmp_path, "--maps", "none", "--no-sheet", "--steps", 3)
    recipe = tmp_path / "mossy-red-brick-wall_7_basecolor.png"

    def changed(*arguments: object) -> dict:
        out = ("--out", tmp_path / "out", "--json", "--no-sheet", "--overwrite")
        lines = call("generate", "--recipe", recipe, *out, *arguments).stdout.splitlines()
        return next(event for line in lines if "recipe" in (event := json.loads(line)))["recipe"]

    lora = tmp_path / "moss.safetensors"
    lora.write_bytes(b"")
    assert changed("--seed", 8)["num_inference_steps"] == 3
    assert changed("--steps", 0)["num_inference_steps"] == 25, "what the model was made for"
    assert changed("--guidance-end", 0.6)["guidance_end"] == 0.6
    assert changed("--lora", lora)["num_inference_steps"] == 25
    assert changed("--lora", lora, "--steps", 4)["num_inference_steps"] == 4


def test_a_model_that_needs_torch_says_so(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    fails("generate", "sand", "--model", tmp_path, "--out", tmp_path / "out", says="torch")


def test_a_torn_recipe_and_a_hostile_one_are_refused(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    for text, says in (("{", "recipe"), ('{"format": 99}', "recipe")):
        info = PngInfo()
        info.add_itxt("dream_textures", text)
        Image.new("RGB", (8, 8)).save(tmp_path / "recipe.png", pnginfo=info)
        fails("generate", "--recipe", tmp_path / "recipe.png", "--out", tmp_path / "out", says=says)


@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
def test_interrupting_leaves_no_half_written_file(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [str(PROGRAM), "generate", "cobblestone", "--out", str(tmp_path), "--size", "2048"],
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert "Traceback" not in said
    for path in tmp_path.iterdir():
        Image.open(path).verify()


def test_without_torch_nothing_of_it_is_needed() -> None:
    code = (
        "import sys; import generator.cli; print([name for name in sys.modules if name.startswith('torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
