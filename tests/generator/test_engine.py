# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: a request in, events out, and always exactly one end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from generator import engine, models
from generator.engine import Engine, settle_axes
from generator.pixels import flatten_alpha, from_wire, reference, to_wire
from generator.progress import GenerationError
from generator.protocol import (
    MAPS,
    Array,
    Cancelled,
    Event,
    Failed,
    Finished,
    Notice,
    Request,
    Result,
    Step,
)

BRICKS = Request(prompt="mossy red brick wall", width=64, height=96, seed=5)


def run(request: Request, source: Array | None = None, **options) -> list[Event]:
    events: list[Event] = []
    Engine().run("job", request, source, events.append, **options)
    ends = [event for event in events if isinstance(event, (Finished, Failed, Cancelled))]
    assert ends == events[-1:], "a job ends exactly once, with its last event"
    return events


def results(events: list[Event]) -> dict[str, np.ndarray]:
    return {event.map: from_wire(event.image) for event in events if isinstance(event, Result)}


def photo(width: int = 80, height: int = 60) -> np.ndarray:
    """Soft spots with some grain in uneven light: it does not tile in either direction."""
    rows, columns = np.mgrid[0:height, 0:width]
    grain = np.random.default_rng(1).normal(0, 4, (height, width))
    spots = 60 * np.sin(columns / 7) * np.cos(rows / 6)
    grey = 70 + spots + 60 * columns / width + 30 * rows / height + grain
    return np.clip(np.stack([grey, grey * 0.8, grey * 0.6], axis=2), 0, 255).astype(np.uint8)


def test_a_prompt_becomes_every_map_at_the_size_asked_for() -> None:
    made = results(run(BRICKS))
    assert tuple(made) == MAPS
    assert all(image.shape[:2] == (96, 64) for image in made.values())
    assert made["height"].dtype == np.uint16
    assert made["basecolor"].dtype == made["normal"].dtype == np.uint8


def test_only_the_maps_asked_for_are_sent() -> None:
    assert tuple(results(run(replace(BRICKS, maps=("height", "basecolor"))))) == ("basecolor", "height")


def test_every_result_says_that_it_tiles_and_how_to_make_it_again() -> None:
    events = [event for event in run(replace(BRICKS, count=2)) if isinstance(event, Result)]
    assert {event.seed for event in events} == {5, 6}
    for event in events:
        assert event.seams["x"]["tiles"] is not False
        assert event.seams["y"]["tiles"] is not False
    second = next(event for event in events if event.index == 1)
    again = results(run(Request.from_json(second.recipe)))
    assert np.array_equal(again[second.map], from_wire(second.image))


def test_a_recipe_leaves_nothing_to_the_model() -> None:
    for request in (BRICKS, replace(BRICKS, num_inference_steps=3, guidance_scale=1.0)):
        (result, *_) = [event for event in run(request) if isinstance(event, Result)]
        asked = request.num_inference_steps or 25, request.guidance_scale or 7.5
        assert (result.recipe["num_inference_steps"], result.recipe["guidance_scale"]) == asked
    pixels = photo()
    maps = replace(BRICKS, task="maps", width=80, height=60, source=reference(pixels), seamless="auto")
    (result, *_) = [event for event in run(maps, to_wire(pixels)) if isinstance(event, Result)]
    assert (result.recipe["num_inference_steps"], result.recipe["guidance_scale"]) == (25, 7.5)


def test_words_that_are_not_understood_are_reported() -> None:
    events = run(replace(BRICKS, prompt="red brick wall with a xylophone"))
    assert any("xylophone" in event.message for event in events if isinstance(event, Notice))


def test_previews_come_only_when_wanted() -> None:
    big = replace(BRICKS, width=256, height=256)
    assert not any(event.preview for event in run(big) if isinstance(event, Step))
    previews = [
        event.preview for event in run(big, previews=True) if isinstance(event, Step) and event.preview
    ]
    assert previews
    assert all(preview.shape[2] == 3 for preview in previews)


@pytest.mark.parametrize("checks", [0, 1, 3])
def test_a_cancelled_job_ends_as_cancelled_whenever_it_is_noticed(checks: int) -> None:
    asked = iter([False] * checks + [True] * 1000)
    events = run(BRICKS, cancelled=lambda: next(asked))
    assert isinstance(events[-1], Cancelled)
    assert not results(events)


def test_a_source_is_made_to_tile_and_keeps_its_look() -> None:
    pixels = photo()
    request = replace(
        BRICKS, prompt="mossy", width=80, height=60, source=reference(pixels), strength=0.1, seamless="both"
    )
    events = run(request, to_wire(pixels))
    made = results(events)["basecolor"].astype(float)
    assert any("tile" in event.message for event in events if isinstance(event, Notice))
    # The cut moves pixels, so what is compared is the look: the colours and the contrast.
    assert np.allclose(made.mean(axis=(0, 1)), pixels.mean(axis=(0, 1)), atol=25)
    assert 0.5 < made.std() / pixels.std() < 1.5


@pytest.mark.parametrize(
    ("prompt", "adds"), [("stone wall", False), ("moss", True), ("rusty", True), ("blue", True)]
)
def test_words_that_add_nothing_to_a_source_are_said_to(prompt: str, adds: bool) -> None:
    pixels = photo()
    events = run(
        replace(BRICKS, prompt=prompt, width=80, height=60, source=reference(pixels)), to_wire(pixels)
    )
    said = any("nothing is added" in event.message for event in events if isinstance(event, Notice))
    assert said is not adds


def test_maps_of_an_image_by_analysis_keep_the_image() -> None:
    pixels = photo(64, 64)
    request = Request(
        task="maps", width=64, height=64, source=reference(pixels), seamless="auto", maps_from="analysis"
    )
    events = run(request, to_wire(pixels))
    made = results(events)
    assert np.array_equal(made["basecolor"], pixels)
    recipe = next(event.recipe for event in events if isinstance(event, Result))
    assert recipe["seamless"] == "off", "auto is settled by measuring the picture"


def test_auto_means_both_without_a_source() -> None:
    assert settle_axes(replace(BRICKS, seamless="auto"), None).seamless == "both"


def test_a_source_that_is_not_the_one_named_is_refused() -> None:
    pixels = photo()
    request = replace(BRICKS, source=reference(pixels))
    for sent in (None, to_wire(pixels + 1), to_wire(pixels.astype(np.uint16))):
        end = run(request, sent)[-1]
        assert isinstance(end, Failed)
        assert end.kind == "invalid_request"


def test_transparent_pixels_do_not_bleed_into_the_texture() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2] = (200, 100, 50, 255)
    flat = flatten_alpha(pixels)
    assert np.allclose(flat, np.array([200, 100, 50]) / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "kind"),
    [("builtin:nothing", "no_such_model"), ("/no/such/folder", "no_such_model"), ("a name", "no_such_model")],
)
def test_an_unknown_model_ends_in_a_sentence(model: str, kind: str) -> None:
    end = run(replace(BRICKS, model=model))[-1]
    assert isinstance(end, Failed)
    assert end.kind == kind
    assert end.message.endswith(".")
    assert "Traceback" not in end.message


def test_a_folder_without_a_model_and_a_single_file_are_explained(tmp_path) -> None:
    with pytest.raises(GenerationError, match="model_index"):
        models.find_folder(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(GenerationError, match="single file"):
        models.find_folder(str(tmp_path / "model.safetensors"))


def test_model_folders_are_found_where_the_environment_says(tmp_path, monkeypatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    (tmp_path / "notes.txt").write_text("not a model")
    monkeypatch.setenv(models.MODEL_FOLDERS, str(tmp_path))
    names = [model.name for model in models.installed()]
    assert names[0] == models.PROCEDURAL.name
    assert str(tmp_path / "one") in names


def test_an_unexpected_error_ends_in_a_sentence_and_a_report(monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(models, "load", broken)
    end = run(BRICKS)[-1]
    assert isinstance(end, Failed)
    assert end.kind == "internal"
    assert "planted" in end.traceback


def test_a_model_is_let_go_of_by_name_and_loaded_again_when_it_is_wanted() -> None:
    engine, events = Engine(), []
    assert engine.release() == ""
    engine.run("one", BRICKS, None, events.append)
    assert engine.loaded == BRICKS.model
    assert engine.release() == BRICKS.model
    assert engine.loaded == ""
    engine.run("two", BRICKS, None, events.append)
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 64.0 GiB for an array"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
@pytest.mark.parametrize("task", ["generate", "maps", "tile"])
def test_too_little_memory_in_any_task_is_a_sentence_and_the_engine_goes_on(monkeypatch, task, error) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise error

    pixels = photo(64, 64)
    request = replace(BRICKS, height=64) if task == "generate" else Request(
        task=task, width=64, height=64, source=reference(pixels), maps=("basecolor",)
    )  # fmt: skip
    source = None if task == "generate" else to_wire(pixels)
    place = {"generate": "generator.procedural.generate", "maps": "generator.maps.estimate"}
    engine, events = Engine(), []
    with monkeypatch.context() as patch:
        patch.setattr(place.get(task, "generator.engine.repair"), exhausted)
        engine.run("job", request, source, events.append)
    assert isinstance(events[-1], Failed)
    assert events[-1].kind == "out_of_memory"
    assert events[-1].message == "There is not enough memory for 64 x 64."
    assert events[-1].advice
    assert str(error) in events[-1].traceback
    assert engine.loaded == "", "what might have filled the memory is not kept"
    engine.run("again", request, source, events.append)
    assert isinstance(events[-1], Finished)


def test_previews_are_no_more_than_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card makes a hundred steps a second; each is told of, and few are shown."""
    now, events, asked = [0.0], list[Any](), list[float]()
    monkeypatch.setattr(engine.time, "monotonic", lambda: now[0])
    progress = engine._JobProgress("job", events.append, lambda: False, previews=True)

    def preview() -> np.ndarray:
        asked.append(now[0])
        return np.zeros((8, 8, 3), np.float32)

    for step in range(50):
        now[0] = 0.01 * step
        progress.step(0, step, 50, preview)
    assert len(events) == 50
    np.testing.assert_allclose(asked, [0.0, 0.1, 0.2, 0.3, 0.4], atol=0.011)
    assert sum(event.preview is not None for event in events) == len(asked)
