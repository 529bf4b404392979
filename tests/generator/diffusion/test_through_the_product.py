# SPDX-License-Identifier: GPL-3.0-or-later
"""A Stable Diffusion folder through the engine and the command line, as users reach it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models

from generator import engine
from generator.engine import Engine
from generator.pixels import from_wire, reference, to_wire
from generator.protocol import MAPS, Cancelled, Event, Failed, Finished, Notice, Request, Result, Step

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_sd(tmp_path_factory.mktemp("models") / "sd1")


@pytest.fixture
def request_for(folder: Path) -> Request:
    return Request(
        prompt="mossy red brick wall", model=str(folder), width=128, height=128, seed=3, num_inference_steps=3
    )


def run(request: Request, source: np.ndarray | None = None, **options) -> list[Event]:
    events: list[Event] = []
    array = None if source is None else to_wire(source)
    Engine().run("job", request, array, events.append, **options)
    return events


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "generator", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_words_become_every_map_and_they_tile(request_for: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PREVIEW_PAUSE", 0.0)
    events = run(request_for, previews=True)
    assert isinstance(events[-1], Finished)
    results = [event for event in events if isinstance(event, Result)]
    assert tuple(result.map for result in results) == MAPS
    for result in results:
        assert result.seams["x"]["tiles"] is not False, result.map
        assert result.seams["y"]["tiles"] is not False, result.map
    previews = [event.preview for event in events if isinstance(event, Step) and event.preview is not None]
    assert len(previews) >= request_for.num_inference_steps


def test_a_size_that_cannot_tile_is_snapped_and_said(request_for: Request) -> None:
    events = run(replace(request_for, width=140, maps=("basecolor",)))
    assert any("128 x 128" in event.message for event in events if isinstance(event, Notice))
    result = next(event for event in events if isinstance(event, Result))
    assert from_wire(result.image).shape == (128, 128, 3)
    assert (result.recipe["width"], result.recipe["height"]) == (128, 128)


def test_a_tiling_source_gives_a_tiling_result(request_for: Request) -> None:
    rows, columns = np.mgrid[0:128, 0:128] * (2 * np.pi / 128)
    wave = 128 + 60 * np.sin(3 * columns) + 50 * np.cos(2 * rows + columns)
    source = np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)
    request = replace(request_for, source=reference(source), strength=0.4, maps=("basecolor",))
    events = run(request, source)
    assert isinstance(events[-1], Finished)
    result = next(event for event in events if isinstance(event, Result))
    assert result.seams["x"]["tiles"] is not False
    assert result.seams["y"]["tiles"] is not False
    assert not any("does not tile" in event.message for event in events if isinstance(event, Notice))


def test_cancelling_takes_effect_within_one_step(request_for: Request) -> None:
    events: list[Event] = []

    def cancelled() -> bool:
        return any(isinstance(event, Step) and event.step >= 2 for event in events)

    Engine().run("job", replace(request_for, num_inference_steps=20), None, events.append, cancelled)
    assert isinstance(events[-1], Cancelled)
    assert max(event.step for event in events if isinstance(event, Step)) <= 3


def test_the_model_stays_loaded_between_requests(request_for: Request) -> None:
    engine, events = Engine(), []
    for seed in (1, 2):
        events.append([])
        engine.run("job", replace(request_for, seed=seed, maps=("basecolor",)), None, events[-1].append)
    loading = [[type(event).__name__ for event in heard].count("Loading") for heard in events]
    assert loading[1] < loading[0]


def test_the_command_line_makes_files_and_makes_them_again(folder: Path, tmp_path: Path) -> None:
    done = program(
        "generate", "red brick", "--model", folder, "--size", "64", "--steps", "2", "--seed", "1",
        "--out", tmp_path / "one", "--json", "--precision", "fp32",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert kinds[-1] == "finished"
    assert program("seams", tmp_path / "one" / "red-brick_1_basecolor.png").returncode in (0, 2)
    recipe = tmp_path / "one" / "red-brick_1_ao.png"
    done = program("generate", "--recipe", recipe, "--out", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_the_command_line_makes_a_tiling_image_of_a_tiling_source(tmp_path: Path, family: str) -> None:
    """All the way: a texture, image-to-image from it with a random folder, and the report on what came out."""
    save = tiny_models.save_sdxl if family == "sdxl" else tiny_models.save_sd
    model = save(tmp_path / family)
    done = program("generate", "mossy red brick wall", "--size", "256", "--seed", "1", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    source = tmp_path / "mossy-red-brick-wall_1_basecolor.png"

    done = program(
        "generate", "moss", "--model", model, "--source", source, "--strength", "0.5", "--steps", "4",
        "--seed", "2", "--maps", "basecolor", "--out", tmp_path / "out", "--precision", "fp32",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(program("seams", tmp_path / "out" / "moss_2_basecolor.png").stdout)
    assert report["x"]["tiles"] is not False, report
    assert report["y"]["tiles"] is not False, report


def test_a_damaged_folder_ends_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    import shutil

    shutil.copytree(folder, broken)
    for path in (broken / "unet").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:1000])
    done = program("generate", "red brick", "--model", broken, "--size", "64", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    end = run(Request(prompt="red brick", model=str(broken), width=64, height=64))[-1]
    assert isinstance(end, Failed)


def test_the_native_size_is_read_from_the_model(folder: Path) -> None:
    from generator.models import native_size

    assert native_size(str(folder)) % 8 == 0
