# SPDX-License-Identifier: GPL-3.0-or-later
"""A device that gets borders wrong is found out at the first image, and its images are repaired and marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
from recorder import Recorder, loaded
from torch.nn import functional as F

from generator import diffusion
from generator.diffusion import model as model_module
from generator.protocol import Request
from generator.torus import convolutions

REQUEST = Request(
    prompt="mossy brick", model="tiny", width=128, height=128, num_inference_steps=2, seed=4, scheduler="ddim"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_sd(tmp_path_factory.mktemp("models") / "sd1")


@pytest.fixture
def broken_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding that fetches nothing from the opposite side, as some devices' circular padding did."""

    def extend_axis(image: torch.Tensor, axis: int, before: int, after: int) -> torch.Tensor:
        return F.pad(image, (before, after) if axis == -1 else (0, 0, before, after))

    monkeypatch.setattr(convolutions, "extend_axis", extend_axis)


def load(folder: Path, precision: str = "fp32"):
    return diffusion.load(folder, precision, "cpu", Recorder())


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("seamless", ["both", "x", "y"])
def test_a_sound_device_is_not_complained_of_in_any_precision(folder, precision, seamless):
    progress = Recorder()
    list(load(folder, precision).generate(replace(REQUEST, seamless=seamless), None, progress))
    assert progress.notices == []


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_a_device_with_wrong_borders_gets_a_warning_and_a_repair(
    folder, broken_borders, precision, monkeypatch
):
    repaired = []

    def repair(picture: np.ndarray, x: bool, y: bool) -> np.ndarray:
        repaired.append((x, y))
        return picture * 0.5

    monkeypatch.setattr(model_module, "make_tileable", repair)
    model, progress = load(folder, precision), Recorder()
    request = replace(REQUEST, count=2, seamless="x")
    pictures = list(model.generate(request, None, progress))
    assert repaired == [(True, False)] * 2
    assert len(progress.notices) == 2, "each result carries the warning"
    assert all(
        "does not join its edges" in notice and "joined afterwards" in notice for notice in progress.notices
    )
    assert all(picture.max() <= 0.5 for picture in pictures)


def test_without_wrapping_nothing_is_checked_or_repaired(folder, broken_borders):
    progress = Recorder()
    list(load(folder).generate(replace(REQUEST, seamless="off"), None, progress))
    assert progress.notices == []


def test_the_check_is_made_once_and_not_for_every_image(folder):
    model, calls = load(folder), []
    unet = loaded(model).pipeline.unet
    handle = unet.register_forward_hook(lambda *_: calls.append(None))
    list(model.generate(replace(REQUEST, count=1), None, Recorder()))
    first = len(calls)
    list(model.generate(replace(REQUEST, count=1), None, Recorder()))
    assert first == 2 + 2, "two steps, and the two calls of the check"
    assert len(calls) == first + 2
    handle.remove()
    assert not unet._forward_pre_hooks


def test_the_check_takes_a_small_latent(folder):
    model, sizes = load(folder), []
    handle = loaded(model).pipeline.unet.register_forward_hook(
        lambda _module, args, _out: sizes.append(args[0].shape[-1])
    )
    list(model.generate(replace(REQUEST, width=512, height=128), None, Recorder()))
    handle.remove()
    assert sorted(sizes) == [16, 16, 64, 64]
