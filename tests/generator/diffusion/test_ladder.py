# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory runs out at every place of a run: the image is made all the same, the same one, and the artist is told how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recorder import Recorder, loaded

from generator import diffusion
from generator.diffusion import attempts, codec, hardware, loading
from generator.diffusion import loaded as loaded_module
from generator.diffusion.ladder import Measure, Plan
from generator.progress import GenerationError
from generator.protocol import Request

REQUEST = Request(
    prompt="mossy brick",
    model="tiny",
    width=128,
    height=128,
    num_inference_steps=3,
    seed=4,
    scheduler="euler_a",
    guidance_scale=4,
)
CALLS = 2 + 3  # the check of the law asks the denoiser twice
EXACT = (Measure.MODEL_OFFLOAD, Measure.GROUP_OFFLOAD)


def exhausted(*_arguments: object, **_settings: object) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def load(folder: Path, precision: str = "fp32") -> Any:
    return diffusion.load(folder, precision, "cpu", Recorder())


def make(model: Any, request: Request = REQUEST, source: np.ndarray | None = None):
    progress = Recorder()
    return next(model.generate(request, source, progress)), progress.notices


def squares(side: int = 128) -> np.ndarray:
    return (
        np.random.default_rng(0).random((side // 32, side // 32, 3), np.float32).repeat(32, 0).repeat(32, 1)
    )


@pytest.fixture
def with_every_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU as if it were a card with memory of its own and without fused attention: offloading goes from main
    memory to main memory, through the same hooks."""
    monkeypatch.setattr(hardware, "has_own_memory", lambda _device: True)
    monkeypatch.setattr(hardware, "attends_at_once", lambda _device, _dtype: True)


@pytest.fixture
def starting_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes every model start with these measures."""

    def start(*measures: Measure) -> None:
        plain = attempts.Attempts._first
        monkeypatch.setattr(attempts.Attempts, "_first", lambda self, job: plain(self, job).having(measures))

    return start


def fail_in_denoiser(monkeypatch: pytest.MonkeyPatch, should_fail: Callable[[int, Plan], bool]) -> list[Plan]:
    """Every call of every denoiser asks ``should_fail`` with its number and its plan; gives the plans that failed."""
    place, calls, failed = loaded_module.Loaded.place, [0], []

    def placed(self: Any, plan: Plan) -> None:
        fresh = not self.placed
        place(self, plan)

        def hook(*_: object) -> None:
            calls[0] += 1
            if should_fail(calls[0] - 1, self.plan):
                failed.append(self.plan)
                exhausted()

        if fresh:
            self.denoiser.register_forward_pre_hook(hook)

    monkeypatch.setattr(loaded_module.Loaded, "place", placed)
    return failed


@pytest.mark.parametrize("call", range(CALLS))
def test_out_of_memory_in_any_step_is_made_good_by_the_next_rung(folders, monkeypatch, call):
    expected, _ = make(load(folders["sd1"]))
    failed = fail_in_denoiser(monkeypatch, lambda number, _plan: number == call)
    picture, notices = make(load(folders["sd1"]))
    assert len(failed) == 1
    assert np.abs(picture - expected).max() < 1e-3
    assert notices == ["There was not enough memory at first; each step was computed in two passes."]


def test_every_rung_is_tried_in_its_order_and_each_only_once(folders, monkeypatch, with_every_rung):
    failed = fail_in_denoiser(monkeypatch, lambda _number, plan: Measure.GROUP_OFFLOAD not in plan)
    picture, notices = make(load(folders["sd1"]))
    assert picture.std() > 0.02
    added = [set(after.measures) - set(before.measures) for before, after in pairwise(failed)]
    assert added == [{Measure.SLICES}, {Measure.ONE_BY_ONE}, {Measure.FP8}, {Measure.MODEL_OFFLOAD}]
    assert notices == [
        "There was not enough memory at first; attention was computed in slices, each step was computed in two passes, "
        "weights were kept in 8 bits (fp8) and the model was fetched from main memory layer by layer."
    ]


def test_where_nothing_helps_the_sentence_names_what_was_tried_and_the_model_is_still_good(
    folders, monkeypatch, with_every_rung
):
    short = [True]
    failed = fail_in_denoiser(monkeypatch, lambda _number, _plan: short[0])
    model = load(folders["sd1"])
    with pytest.raises(GenerationError) as caught:
        make(model)
    assert caught.value.kind == "out_of_memory"
    assert "128 x 128" in caught.value.message
    for done in ("slices", "two passes", "8 bits", "layer by layer"):
        assert done in caught.value.message
    assert "smaller size" in caught.value.advice
    assert len(failed) == 6
    assert model._attempts._loaded is None, "what did not fit is not kept"
    short[0] = False
    picture, notices = make(model)
    assert picture.std() > 0.02
    assert notices == [], "what was tried in vain is not taken for what helps"


@pytest.mark.parametrize("place", ["read", "move", "encode", "decode", "text"])
def test_out_of_memory_anywhere_else_is_made_good_too(folders, monkeypatch, with_every_rung, place):
    source = squares() if place == "encode" else None
    request = replace(REQUEST, strength=0.5)
    expected, _ = make(load(folders["sd1"]), request, source)
    model, left = load(folders["sd1"]), [1]

    def once(function: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*arguments: Any, **settings: Any) -> Any:
            left[0] -= 1
            return exhausted() if left[0] == 0 else function(*arguments, **settings)

        return failing

    if place == "read":
        read = loading._read_pipeline
        monkeypatch.setattr(
            loading, "_read_pipeline", lambda f, plan: read(f, plan) if Measure.FP8 in plan else exhausted()
        )
        model, left[0] = load(folders["sd1"]), 0
    elif place == "move":
        monkeypatch.setattr(loaded_module, "Offloading", once(loaded_module.Offloading))
    elif place == "text":
        monkeypatch.setattr(
            loaded(model).pipeline.text_encoder, "forward", once(loaded(model).pipeline.text_encoder.forward)
        )
    else:
        monkeypatch.setattr(codec, place, once(getattr(codec, place)))
    picture, notices = make(model, request, source)
    assert left[0] <= 0
    assert len(notices) == 1
    assert notices[0].startswith("There was not enough memory at first; ")
    # Weights in 8 bits change a picture of random weights a little; what was not touched is the same.
    assert np.abs(picture - expected).mean() < (0.1 if "8 bits" in notices[0] else 1e-3) * expected.std()


def test_a_model_that_cannot_be_read_for_lack_of_memory_is_a_sentence(folders, monkeypatch):
    monkeypatch.setattr(loading, "_read_pipeline", exhausted)
    with pytest.raises(GenerationError) as caught:
        load(folders["sd1"])
    assert caught.value.kind == "out_of_memory"
    assert "main memory" in caught.value.message
    monkeypatch.undo()
    assert make(load(folders["sd1"]))[0].std() > 0.02


def test_out_of_memory_while_an_image_is_put_into_tiles_goes_on_down(folders, monkeypatch):
    request = replace(REQUEST, width=576, height=64, num_inference_steps=1)
    expected, _ = make(load(folders["sd1"]), request)
    decode, calls = codec.decode, []

    def failing(vae: Any, latents: torch.Tensor, way: Any) -> torch.Tensor:
        calls.append(way)
        return exhausted() if len(calls) < 3 else decode(vae, latents, way)

    monkeypatch.setattr(codec, "decode", failing)
    picture, notices = make(load(folders["sd1"]), request)
    assert notices == [
        "There was not enough memory at first; the image was decoded in tiles and weights were kept in 8 bits (fp8)."
    ]
    assert np.abs(picture - expected).mean() < 0.3 * expected.std()


@pytest.mark.parametrize("measure", list(Measure))
def test_the_law_of_the_torus_holds_on_every_rung(
    folders, monkeypatch, with_every_rung, starting_with, measure
):
    from generator.diffusion import sampling, slices

    monkeypatch.setattr(slices, "SLICE_BYTES", 1 << 12)
    starting_with(measure)
    # Only what is longer than a tile is cut.
    side = 576 if measure is Measure.TILES else 128
    request = replace(
        REQUEST, width=side, height=128, scheduler="ddim", num_inference_steps=2, guidance_scale=5
    )
    model = load(folders["sd1"])
    plain, notices = make(model, request)
    assert len(notices) == 1
    assert "Memory is short here, so" in notices[0]
    assert loaded(model).plan.measures == (measure,)
    assert all(found < 1e-3 for found in loaded(model).laws._found.values())
    assert len(loaded(model).laws._found) == 3, "encoder, decoder and denoiser were asked"
    draw = sampling.starting_noise
    monkeypatch.setattr(sampling, "starting_noise", lambda *of: draw(*of).roll((8, 8), (2, 3)))
    rolled, _ = make(model, request)
    difference = np.abs(rolled - np.roll(plain, (64, 64), (0, 1)))
    # Tiles lie where they lie: group normalisation takes its measure from each of them.
    assert difference.max() < (0.3 if measure is Measure.TILES else 2e-3)
    assert difference.mean() < (0.1 * plain.std() if measure is Measure.TILES else 1e-4)
    unwrapped, _ = make(model, replace(request, seamless="off"))
    assert np.abs(unwrapped - np.roll(plain, (64, 64), (0, 1))).max() > 0.05


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
@pytest.mark.parametrize("measure", [*EXACT, Measure.SLICES, Measure.ONE_BY_ONE])
def test_measures_that_only_cost_time_make_the_same_picture(
    folders, monkeypatch, with_every_rung, starting_with, measure, family
):
    from generator.diffusion import slices

    expected, _ = make(load(folders[family]), replace(REQUEST, strength=0.6), squares())
    monkeypatch.setattr(slices, "SLICE_BYTES", 1 << 12)
    starting_with(measure)
    picture, _ = make(load(folders[family]), replace(REQUEST, strength=0.6), squares())
    if measure in EXACT:
        assert np.array_equal(picture, expected)
    assert np.abs(picture - expected).max() < 1e-3


def test_weights_in_eight_bits_include_convolutions_and_change_little(folders, starting_with):
    expected, _ = make(load(folders["sd1"]))
    starting_with(Measure.FP8)
    model = load(folders["sd1"])
    unet = loaded(model).pipeline.unet
    assert unet.down_blocks[0].resnets[0].conv1.weight.dtype == torch.float8_e4m3fn
    assert unet.dtype == torch.float32
    picture, _ = make(model)
    assert not np.array_equal(picture, expected)
    assert np.corrcoef(picture.ravel(), expected.ravel())[0, 1] > 0.95


def test_parts_that_wait_are_fetched_for_their_work_and_sent_back(
    folders, monkeypatch, with_every_rung, starting_with
):
    """Where to is seen from what accelerate is asked to do: the CPU is both ends here."""
    starting_with(Measure.MODEL_OFFLOAD)
    model = load(folders["sdxl"])
    make(model)
    pipeline, moves = loaded(model).pipeline, []
    for name in ("text_encoder", "text_encoder_2", "unet", "vae"):
        hook = getattr(pipeline, name)._hf_hook
        assert hook.execution_device == torch.device("cpu")
        hook.pre_forward = lambda module, *a, _hook=hook, _name=name, **k: (
            moves.append(_name) or type(_hook).pre_forward(_hook, module, *a, **k)
        )
    make(model)
    assert set(moves) == {"unet", "vae"}, "words that were read before are not read again"
    moves.clear()
    make(model, replace(REQUEST, prompt="oak planks"))
    order = [name for index, name in enumerate(moves) if index == 0 or moves[index - 1] != name]
    assert order in (
        ["text_encoder", "text_encoder_2", "unet", "vae"],
        ["text_encoder", "text_encoder_2", "text_encoder", "text_encoder_2", "unet", "vae"],
    )


def test_a_card_on_which_nothing_fits_leaves_the_work_to_the_processor(folders, monkeypatch):
    card = torch.device("cuda:0")
    monkeypatch.setattr(hardware, "choose_device", lambda _name: card)
    monkeypatch.setattr(hardware, "has_own_memory", lambda device: device == card)
    monkeypatch.setattr(hardware, "keeps_fp8", lambda _device: True)
    monkeypatch.setattr(hardware, "attends_at_once", lambda _device, _dtype: False)
    monkeypatch.setattr(attempts.free_memory, "available", lambda _device: 8 << 30)
    place, tried = loaded_module.Offloading, []

    def offloading(pipeline: Any, denoiser: Any, plan: Plan) -> Any:
        tried.append(plan)
        return exhausted() if plan.device == card else place(pipeline, denoiser, plan)

    monkeypatch.setattr(loaded_module, "Offloading", offloading)
    model = diffusion.load(folders["sd1"], "fp32", "auto", Recorder())
    picture, notices = make(model)
    assert [plan.device.type for plan in tried] == ["cuda"] * 4 + ["cpu"]
    assert tried[-1].measures == ()
    assert notices == ["There was not enough memory at first; the image was made on the processor (CPU)."]
    monkeypatch.undo()
    assert np.array_equal(picture, make(load(folders["sd1"]))[0])
