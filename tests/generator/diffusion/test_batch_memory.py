# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches where memory or the range of numbers does not suffice: halved, remembered, and no image lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from recorder import Recorder, loaded
from test_batches import REQUEST, TOLERANCE, make, off

from generator import diffusion
from generator.diffusion import attempts, codec, estimate, hardware
from generator.diffusion import loaded as loaded_module
from generator.diffusion.estimate import Job
from generator.diffusion.experience import Worked
from generator.diffusion.ladder import Measure, Plan


def fail_above(monkeypatch: pytest.MonkeyPatch, batch: int, step: int = 0) -> list[Plan]:
    """The denoiser runs out of memory in ``step`` (from 0) whenever it has more than ``batch`` images to work on."""
    place, failed = loaded_module.Loaded.place, []

    def placed(self: Any, plan: Plan) -> None:
        fresh, calls = not self.placed, [0]
        place(self, plan)

        def hook(_module: Any, args: tuple, _kwargs: Any) -> None:
            calls[0] += args[0].shape[-1] == 8  # not those of the check of the law
            images = 1 if Measure.ONE_BY_ONE in self.plan else len(args[0])
            if images > batch and calls[0] > step:
                calls[0] = 0
                failed.append(self.plan)
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

        if fresh:
            self.denoiser.register_forward_pre_hook(hook, with_kwargs=True)

    monkeypatch.setattr(loaded_module.Loaded, "place", placed)
    return failed


@pytest.mark.parametrize("step", [0, 2])
def test_a_batch_that_is_too_large_is_halved_and_the_limit_is_remembered(
    folders, together, monkeypatch, step
):
    request = replace(REQUEST, count=8)
    expected, _ = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), request)
    together(8)
    failed = fail_above(monkeypatch, 2 * 2, step)
    made, progress = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), request)
    assert off(made, expected) < TOLERANCE
    assert [plan.batch for plan in failed] == [8, 4]
    assert {plan.measures for plan in failed} == {()}, "nothing that costs quality was tried"
    assert progress.notices == ["There was not enough memory at first; fewer images were made at once."]
    failed.clear()
    again, progress = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), request)
    assert failed == [], "what was too many once is not tried again"
    assert progress.notices == ["Memory is short here, so fewer images were made at once."]
    assert set(progress.together) == {2}
    assert off(again, expected) < TOLERANCE
    _, progress = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), replace(request, count=1))
    assert progress.notices == [], "a single image is not made in a smaller batch than asked for"
    _, progress = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), request)
    assert set(progress.together) == {2}, "and does not wipe out what was learnt"


def test_when_much_more_memory_is_free_larger_batches_are_tried_again(folders, together, monkeypatch):
    free = [8 << 30]
    monkeypatch.setattr(attempts.free_memory, "available", lambda _device: free[0])
    together(4)
    failed = fail_above(monkeypatch, 2 * 2)
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    request = replace(REQUEST, count=4)
    make(model, request)
    assert [plan.batch for plan in failed] == [4]
    free[0] = 20 << 30
    monkeypatch.undo()
    together(4)
    monkeypatch.setattr(attempts.free_memory, "available", lambda _device: free[0])
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    for _ in range(2):
        _, progress = make(model, request)
        assert set(progress.together) == {4}
        assert progress.notices == []
        free[0] = 8 << 30  # it is known by then that four are not too many


def test_where_a_single_image_is_too_large_the_other_rungs_follow(folders, together, monkeypatch):
    together(4)
    failed = fail_above(monkeypatch, 1)
    made, progress = make(
        diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), replace(REQUEST, count=4)
    )
    assert len(made) == 4
    assert [plan.batch for plan in failed] == [4, 2, 1]
    assert progress.notices == [
        "There was not enough memory at first; fewer images were made at once and each step was computed in two passes."
    ]


def test_running_out_of_memory_while_decoding_loses_no_image_and_makes_none_twice(
    folders, together, monkeypatch
):
    request = replace(REQUEST, count=4, num_inference_steps=1)
    expected, _ = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), request)
    together(4)
    decode, calls = codec.decode, []

    def failing(vae: Any, latents: torch.Tensor, way: Any) -> torch.Tensor:
        assert len(latents) == 1, "image by image"
        calls.append(len(calls))
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return decode(vae, latents, way)

    monkeypatch.setattr(codec, "decode", failing)
    made, progress = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), request)
    assert len(made) == 4
    assert off(made[:2], expected[:2]) < TOLERANCE
    for index, neighbour in ((2, 3), (3, 2)):
        own, other = ([expected[place]] for place in (index, neighbour))
        assert off([made[index]], own) < off([made[index]], other) / 2
    assert len(calls) == 5, "those before it had been handed over"
    assert progress.steps[-1][0] == 2
    assert progress.together[0] == 4
    assert progress.together[-1] == 2
    assert len(progress.notices) == 1


def test_an_image_of_a_batch_that_is_no_picture_is_made_wider_with_those_after_it(
    folders, together, monkeypatch
):
    monkeypatch.setattr(hardware, "has_bf16", lambda _device: False)
    expected, _ = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()))
    decode, calls = codec.decode, []

    def spoilt(vae: Any, latents: torch.Tensor, way: Any) -> torch.Tensor:
        calls.append(vae.dtype)
        made = decode(vae, latents, way)
        return made * 0 if vae.dtype == torch.float16 and len(calls) > 1 else made

    monkeypatch.setattr(codec, "decode", spoilt)
    monkeypatch.setattr(codec, "is_spoilt", lambda _pixels: False)
    together(3)
    made, progress = make(diffusion.load(folders["sd1"], "fp16", "cpu", Recorder()))
    assert calls == [torch.float16] * 2 + [torch.float32] * 2
    assert off(made[1:], expected[1:]) < TOLERANCE
    assert off(made[:1], expected[:1]) < 0.2, "made in half precision, and good"
    assert progress.notices == [
        "An image came out black in fp16; it and those after it are made again in fp32."
    ]


def test_as_many_are_made_together_as_the_estimate_has_room_for(folders, together, monkeypatch):
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    request = replace(REQUEST, count=8, width=128, height=128, num_inference_steps=1)
    make(model, request)
    held = model._attempts

    def need(batch: int) -> int:
        return held._need(replace(loaded(model).plan, batch=batch), Job(128, 128, batch=8))["denoise"]

    assert need(8) > need(4) > need(1)
    # A step takes more than decoding, as with the real models.
    monkeypatch.setattr(estimate, "_UNET", 28 * 400)
    monkeypatch.setattr(held, "_available", lambda _device: need(4))
    together(8)
    _, progress = make(model, request)
    assert set(progress.together) == {4}
    assert progress.notices == [], "a batch that fits is nothing to complain of"


def test_the_estimate_counts_every_image_of_a_batch_and_a_step_in_two_passes_none(folders):
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    held = loaded(model)
    job = Job(512, 512, batch=4)

    def denoising(plan: Plan) -> int:
        return estimate.working(held.pipeline, held.family, plan, job)["denoise"]

    plan = held.plan
    assert denoising(replace(plan, batch=4)) == 4 * denoising(plan)
    assert denoising(plan.having([Measure.ONE_BY_ONE])) == denoising(plan) // 2


def test_what_an_older_version_has_learnt_still_holds(own_state):
    import json

    from generator.diffusion.experience import FILE, Experience

    known = Experience("key")
    known.learn(64, 64, Worked((Measure.TILES,), False, 5, 3))
    assert known.worked(64, 64) == Worked((Measure.TILES,), False, 5, 3)
    file = own_state / FILE
    kept = json.loads(file.read_text())
    for entry in kept["entries"].values():
        del entry["batch"]
    file.write_text(json.dumps(kept))
    assert known.worked(64, 64) == Worked((Measure.TILES,), False, 5, 0)
