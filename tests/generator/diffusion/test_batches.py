# SPDX-License-Identifier: GPL-3.0-or-later
"""Several images in one batch: each is the image of its own seed, and none is lost where the batch was too large."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tiny_models
import tiny_transformers
import torch
from recorder import Recorder, loaded

from generator import diffusion
from generator.diffusion.batches import VARIABLE, evenly, most_together, side_by_side
from generator.diffusion.schedulers import SCHEDULERS
from generator.progress import CancelledError, GenerationError
from generator.protocol import Request

REQUEST = Request(
    prompt="mossy red brick wall",
    negative_prompt="wood",
    model="tiny",
    width=64,
    height=64,
    seed=7,
    count=3,
    num_inference_steps=3,
    guidance_scale=4,
    strength=0.7,
)
TOLERANCE = 2e-3
"""Matrix products of several images are summed in another order; a different seed is off by more than 0.1."""


def source(width: int = 64, height: int = 64) -> np.ndarray:
    squares = np.random.default_rng(0).random((height // 16, width // 16, 3), dtype=np.float32)
    return squares.repeat(16, 0).repeat(16, 1)


def make(model: Any, request: Request = REQUEST, picture: np.ndarray | None = None) -> tuple[list, Recorder]:
    progress = Recorder()
    return list(model.generate(request, picture, progress)), progress


def off(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    assert len(left) == len(right)
    return max(float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


def calls_of(denoiser: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images every call of ``denoiser`` from now on is given."""
    found: list[int] = []
    plain = type(denoiser).forward

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        images = (
            args[0] if args else next(kwargs[name] for name in ("sample", "hidden_states") if name in kwargs)
        )
        if self is denoiser:
            found.append(len(images))
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(type(denoiser), "forward", forward)
    return found


@pytest.mark.parametrize("with_source", [False, True])
@pytest.mark.parametrize("scheduler", ["", *SCHEDULERS])
def test_an_image_is_the_same_in_a_batch_as_alone(models, together, scheduler, with_source):
    request = replace(REQUEST, scheduler=scheduler)
    picture = source() if with_source else None
    alone, _ = make(models["sd1"], request, picture)
    together(3)
    batch, progress = make(models["sd1"], request, picture)
    assert off(batch, alone) < TOLERANCE
    assert np.abs(batch[0] - batch[1]).max() > 0.05, "each from its own seed"
    assert set(progress.together) == {3}


@pytest.mark.parametrize("with_source", [False, True])
@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_an_image_is_the_same_in_a_batch_of_every_unet(models, together, family, with_source):
    request = replace(REQUEST, scheduler="euler_a", seamless="x", width=128)
    picture = source(128) if with_source else None
    alone, _ = make(models[family], request, picture)
    together(3)
    assert off(make(models[family], request, picture)[0], alone) < TOLERANCE


def test_a_refiner_s_batch_is_that_of_its_single_images(tmp_path, together):
    model = diffusion.load(tiny_models.save_refiner(tmp_path / "refiner"), "fp32", "cpu", Recorder())
    alone, _ = make(model, REQUEST, source())
    together(2)
    batch, progress = make(model, REQUEST, source())
    assert off(batch, alone) < TOLERANCE
    assert set(progress.together) == {2, 1}


@pytest.mark.parametrize("with_source", [False, True])
def test_an_inpainting_model_s_batch_is_that_of_its_single_images(tmp_path, together, with_source):
    model = diffusion.load(tiny_models.save_inpaint(tmp_path / "inpaint"), "fp32", "cpu", Recorder())
    picture = source() if with_source else None
    alone, _ = make(model, REQUEST, picture)
    together(3)
    assert off(make(model, REQUEST, picture)[0], alone) < TOLERANCE


def test_what_a_mask_protects_is_kept_in_every_image_of_a_batch(models):
    """No task of the product paints several pictures on one mask yet; sampling takes them all the same."""
    from generator.diffusion import sampling
    from generator.diffusion.sampling import Start

    held = loaded(models["sd1"])
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    start = Start(torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)), mask)

    def run(*seeds: int) -> torch.Tensor:
        with torch.no_grad(), held.on_torus((64, 64), 0, True, True):
            request = replace(REQUEST, scheduler="dpmpp_2m_sde")
            arguments = (held.family, held.scheduler, request, seeds, start, lambda *_: None)
            return sampling.denoise(held.image_to_image, *arguments, torch.device("cpu"))

    found = run(7, 8)
    assert torch.allclose(found, torch.cat([run(7), run(8)]), atol=1e-3)
    assert torch.allclose(found[..., 4:], start.latents[..., 4:].expand(2, -1, -1, -1), atol=1e-5)
    assert not torch.allclose(found[0, ..., :4], found[1, ..., :4], atol=0.1)


@pytest.mark.parametrize("family", tiny_transformers.FAMILIES)
def test_models_that_are_rolled_are_made_one_by_one_and_others_are_not(tmp_path, together, family):
    model = diffusion.load(tiny_transformers.FAMILIES[family](tmp_path / family), "fp32", "cpu", Recorder())
    request = replace(REQUEST, width=128, height=128, num_inference_steps=2)
    alone, _ = make(model, request)
    flat = replace(request, seamless="off")
    plain, _ = make(model, flat)
    together(3)
    batch, progress = make(model, request)
    assert off(batch, alone) < TOLERANCE
    assert set(progress.together) == ({3} if family == "sana" else {1})
    batch, progress = make(model, flat)
    assert off(batch, plain) < TOLERANCE, "nothing is rolled where nothing tiles"
    assert set(progress.together) == {3}


def test_a_graphics_card_makes_several_at_once_and_a_processor_one_by_one(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)

    def most(name: str, side: int = 512) -> int:
        return most_together(torch.device(name), side * side)

    assert [most(name) for name in ("cuda:0", "xpu:1", "mps", "cpu")] == [8, 8, 1, 1]
    assert [most("cuda", side) for side in (64, 1024, 1536, 2048, 8192)] == [8, 4, 1, 1, 1]
    monkeypatch.setenv(VARIABLE, "3")
    assert {most(name, side) for name in ("cuda", "cpu", "mps") for side in (64, 8192)} == {3}


@pytest.mark.parametrize("said", ["0", "-1", "many", "2.5", "65", "99999999999", "٣"])
def test_a_batch_that_is_no_number_is_a_sentence(models, monkeypatch, said):
    monkeypatch.setenv(VARIABLE, said)
    with pytest.raises(GenerationError) as caught:
        make(models["sd1"])
    assert caught.value.kind == "batch"
    assert VARIABLE in caught.value.message
    assert "1 to 64" in caught.value.advice


def test_batches_are_about_equally_large_and_no_more_than_needed():
    assert [evenly(count, 8) for count in (1, 7, 8, 9, 10, 16, 17)] == [1, 7, 8, 5, 5, 8, 6]
    assert [evenly(count, 1) for count in (1, 5)] == [1, 1]


def test_a_step_of_a_batch_is_one_call_of_the_denoiser(folders, together, monkeypatch):
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    make(model)  # the check of the law asks twice, once
    calls = calls_of(loaded(model).denoiser, monkeypatch)
    make(model, replace(REQUEST, count=5))
    assert calls == [2] * 5 * 4
    calls.clear()
    together(3)
    _, progress = make(model, replace(REQUEST, count=5))
    assert calls == [6] * 4 + [4] * 4, "five are three and two; PNDM takes one step more than asked for"
    assert [(step, count) for step, count in zip(progress.steps, progress.together, strict=True)] == [
        *(((0, step, 4), 3) for step in range(5)),
        *(((3, step, 4), 2) for step in range(5)),
    ]


def test_a_preview_shows_all_images_of_a_batch_side_by_side(models, together):
    together(3)
    _, progress = make(models["sd1"], replace(REQUEST, scheduler="ddim", num_inference_steps=2))
    (_, last), single = progress.previews, []
    for index in range(3):
        together(1)
        alone = replace(REQUEST.for_image(index), scheduler="ddim", num_inference_steps=2)
        single.append(make(models["sd1"], alone)[1].previews[-1])
    rows, columns = single[0].shape[:2]
    assert last.shape == (2 * rows, 2 * columns, 3)
    assert np.abs(last[:rows, :columns] - single[0]).max() < 0.01
    assert np.abs(last[:rows, columns:] - single[1]).max() < 0.01
    assert np.abs(last[rows:, :columns] - single[2]).max() < 0.01
    assert not last[rows:, columns:].any()


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (2, (1, 2)), (4, (2, 2)), (5, (2, 3)), (8, (3, 3))]
)
def test_pictures_side_by_side_take_as_many_rows_as_columns_or_one_fewer(count, shape):
    pictures = [np.full((2, 3, 3), index + 1, np.float32) for index in range(count)]
    made = side_by_side(pictures)
    assert made.shape == (2 * shape[0], 3 * shape[1], 3)
    cells = made[::2, ::3, 0].ravel()
    assert cells[:count].tolist() == list(range(1, count + 1))
    assert not cells[count:].any()


@pytest.mark.parametrize("at", [(0, 0), (0, 2), (2, 1)])
def test_cancelling_takes_effect_at_the_next_step_of_a_batch(models, together, at):
    together(2)
    progress, pictures = Recorder(cancel_at=at), []
    with pytest.raises(CancelledError):
        for picture in models["sd1"].generate(REQUEST, None, progress):
            pictures.append(picture)
    assert progress.steps[-1][:2] == at
    assert len(pictures) == at[0], "what was finished has been handed over"
    parts = [*loaded(models["sd1"]).pipeline.unet.modules(), *loaded(models["sd1"]).pipeline.vae.modules()]
    assert not any(hasattr(part, "torus_x") for part in parts)


def test_cancelling_while_images_are_decoded_takes_effect_before_the_next_one(models, together):
    together(3)

    class Impatient(Recorder):
        over = False

        def check(self) -> None:
            if self.over:
                raise CancelledError

    progress, pictures = Impatient(), []
    with pytest.raises(CancelledError):
        for picture in models["sd1"].generate(REQUEST, None, progress):
            pictures.append(picture)
            progress.over = True
    assert len(pictures) == 1


def test_nothing_of_the_model_s_state_is_left_open_while_an_image_is_looked_at(models, together):
    together(3)
    made = models["sd1"].generate(REQUEST, None, Recorder())
    next(made)
    assert torch.is_grad_enabled()
    parts = loaded(models["sd1"]).pipeline.vae.modules()
    assert not any(hasattr(part, "torus_x") for part in parts)
    made.close()


def test_the_engine_tells_of_a_batch_and_its_recipes_make_each_image_alone(folders, together, monkeypatch):
    from generator import engine
    from generator.engine import Engine
    from generator.protocol import Event, Result, Step

    monkeypatch.setattr(engine, "PREVIEW_PAUSE", 0.0)

    def run(request: Request) -> list[Event]:
        events: list[Event] = []
        Engine().run("job", request, None, events.append, previews=True)
        return events

    together(3)
    events = run(replace(REQUEST, model=str(folders["sd1"]), precision="fp32", maps=("basecolor",)))
    steps = [event for event in events if isinstance(event, Step)]
    assert {(step.index, step.together) for step in steps} == {(0, 3)}
    assert all(step.preview is not None and step.preview.shape == (16, 16, 3) for step in steps[1:])
    results = [event for event in events if isinstance(event, Result)]
    assert [(result.index, result.seed) for result in results] == [(0, 7), (1, 8), (2, 9)]
    for result in results[1:]:
        again = [event for event in run(Request.from_json(result.recipe)) if isinstance(event, Result)]
        (ours, alone) = (
            np.frombuffer(found.image.data, np.uint8).astype(int) for found in (result, again[0])
        )
        assert np.abs(ours - alone).max() <= 1
