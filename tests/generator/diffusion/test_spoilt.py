# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no picture is noticed early, made again with a larger range of numbers, and right at once next time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from recorder import Recorder, loaded
from safetensors.torch import load_file, save_file

from generator import diffusion
from generator.diffusion import attempts, hardware
from generator.diffusion import loaded as loaded_module
from generator.diffusion.ladder import Measure, Plan
from generator.progress import GenerationError
from generator.protocol import Request

REQUEST = Request(
    prompt="brick", model="tiny", width=64, height=64, num_inference_steps=6, seed=4, scheduler="ddim"
)


def make(model: Any, request: Request = REQUEST) -> tuple[np.ndarray, Recorder]:
    progress = Recorder()
    return next(model.generate(request, None, progress)), progress


def spoil_denoiser(monkeypatch: pytest.MonkeyPatch, step: int, spoils: Callable[[Plan], bool]) -> None:
    """From step ``step`` on, what the denoiser says is not a number, by plans that ``spoils`` is true of."""
    place = loaded_module.Loaded.place

    def placed(self: Any, plan: Plan) -> None:
        fresh, calls = not self.placed, [-2]  # the check of the law asks twice
        place(self, plan)

        def hook(_module: Any, _args: Any, output: Any) -> Any:
            calls[0] += 1
            if calls[0] <= step or not spoils(plan):
                return None
            return (torch.full_like(output[0], torch.nan),)

        if fresh:
            self.denoiser.register_forward_hook(hook)

    monkeypatch.setattr(loaded_module.Loaded, "place", placed)


@pytest.mark.parametrize("step", range(REQUEST.num_inference_steps))
def test_not_a_number_at_any_step_ends_the_attempt_and_the_image_is_made_wider(folders, monkeypatch, step):
    expected, _ = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()))
    monkeypatch.setattr(hardware, "has_bf16", lambda _device: False)
    spoil_denoiser(monkeypatch, step, lambda plan: plan.dtype == torch.float16)
    picture, progress = make(diffusion.load(folders["sd1"], "fp16", "cpu", Recorder()))
    first = progress.steps[: progress.steps.index((0, 0, 6), 1)]
    assert len(first) - 1 <= step + 2, "it is noticed one step later at most"
    assert progress.notices == ["The image came out black in fp16; it is made again in fp32."]
    assert np.array_equal(picture, expected), "the same image that fp32 makes from the start"


def test_bfloat16_comes_before_float32_where_the_device_has_it(folders, monkeypatch):
    monkeypatch.setattr(hardware, "has_bf16", lambda _device: True)
    spoil_denoiser(monkeypatch, 1, lambda plan: plan.dtype != torch.float32)
    _, progress = make(diffusion.load(folders["sd1"], "fp16", "cpu", Recorder()))
    assert [notice.split("; it is made again in ")[1] for notice in progress.notices] == ["bf16.", "fp32."]


def test_what_helped_is_known_to_the_next_session_on_this_device(folders, monkeypatch):
    monkeypatch.setattr(hardware, "has_bf16", lambda _device: False)
    spoil_denoiser(monkeypatch, 0, lambda plan: plan.dtype == torch.float16)
    first, _ = make(diffusion.load(folders["sd1"], "fp16", "cpu", Recorder()))
    model = diffusion.load(folders["sd1"], "fp16", "cpu", Recorder())
    assert loaded(model).pipeline.unet.dtype == torch.float32
    again, progress = make(model)
    assert progress.notices == ["Images of this model came out black in fp16 here, so it computes in fp32."]
    assert len(progress.steps) == 7, "no attempt is wasted"
    assert np.array_equal(again, first)
    other = diffusion.load(folders["sd2"], "fp16", "cpu", Recorder())
    assert loaded(other).pipeline.unet.dtype == torch.float16, "another model is another matter"


def test_one_plain_colour_is_not_a_picture_in_half_precision_but_may_be_what_was_asked_for(folders, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "plain")
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["decoder.conv_out.weight"] *= 0
    tensors["decoder.conv_out.bias"] += 0.3
    save_file(tensors, file, metadata={"format": "pt"})
    picture, progress = make(diffusion.load(folder, "bf16", "cpu", Recorder()))
    assert np.ptp(picture) < 0.2
    assert np.ptp(picture, axis=(0, 1)).max() == 0
    assert progress.notices == ["The image came out black in bf16; it is made again in fp32."]
    _, progress = make(diffusion.load(folder, "bf16", "cpu", Recorder()))
    assert "made again" in progress.notices[0], "fp32 did not help, so that there was nothing to learn"


def test_a_model_that_eight_bits_spoil_keeps_its_weights_whole_from_then_on(folders, monkeypatch):
    plain = attempts.Attempts._first

    def first(self: Any, job: Any) -> Plan:
        found = plain(self, job)
        return found.having([Measure.FP8]) if Measure.FP8 in self._rungs(found, job) else found

    expected, _ = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()))
    monkeypatch.setattr(attempts.Attempts, "_first", first)
    spoil_denoiser(monkeypatch, 1, lambda plan: Measure.FP8 in plan)
    picture, progress = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()))
    assert np.array_equal(picture, expected)
    assert progress.notices == [
        "The image came out black with weights in 8 bits; it is made again with whole ones."
    ]
    _, progress = make(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()))
    assert progress.notices == []


def test_a_model_that_is_spoilt_in_every_format_fails_after_the_widest(folders, monkeypatch):
    spoil_denoiser(monkeypatch, 0, lambda _plan: True)
    progress = Recorder()
    model = diffusion.load(folders["sd1"], "fp16", "cpu", Recorder())
    with pytest.raises(GenerationError) as caught:
        next(model.generate(replace(REQUEST, num_inference_steps=50), None, progress))
    assert caught.value.kind == "bad_result"
    assert len(progress.steps) < 12, "no attempt goes on for 50 steps"
