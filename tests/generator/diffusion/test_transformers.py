# SPDX-License-Identifier: GPL-3.0-or-later
"""The transformer families through the product: real pipelines on random weights, from a folder to a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_transformers
import torch
from recorder import Recorder, loaded

from generator import diffusion
from generator.progress import CancelledError, GenerationError
from generator.protocol import Request

FAMILIES = tuple(tiny_transformers.FAMILIES)
REQUEST = Request(
    prompt="mossy red brick wall",
    model="tiny",
    width=192,
    height=128,
    num_inference_steps=3,
    guidance_scale=4,
    seed=5,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("transformers")
    return {name: save(root / name) for name, save in tiny_transformers.FAMILIES.items()}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Any]:
    return {name: diffusion.load(folder, "fp32", "cpu", Recorder()) for name, folder in folders.items()}


def make(model: Any, request: Request = REQUEST, source: np.ndarray | None = None) -> np.ndarray:
    return next(model.generate(request, source, Recorder()))


def picture(seed: int) -> np.ndarray:
    """A tiling source of 32-pixel squares."""
    squares = np.random.default_rng(seed).random((4, 6, 3), dtype=np.float32)
    return squares.repeat(32, 0).repeat(32, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_words_become_a_picture_that_depends_on_seed_and_words_alone(models, family):
    first = make(models[family])
    assert first.shape == (128, 192, 3)
    assert np.isfinite(first).all()
    assert first.std() > 0.02
    torch.manual_seed(99)
    assert np.array_equal(make(models[family]), first)
    assert not np.allclose(make(models[family], replace(REQUEST, seed=6)), first, atol=0.02)
    assert not np.array_equal(make(models[family], replace(REQUEST, prompt="oak planks")), first)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_source_is_changed_as_far_as_the_strength_says(models, family):
    untouched = make(models[family], replace(REQUEST, strength=0), picture(1))
    assert np.array_equal(untouched, picture(1))
    pictures = [
        make(models[family], replace(REQUEST, strength=s, num_inference_steps=8), picture(1))
        for s in (0.25, 1.0)
    ]
    assert all(made.shape == (128, 192, 3) and np.isfinite(made).all() for made in pictures)
    assert not np.allclose(*pictures, atol=0.02)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_as_many_steps_are_run_as_the_strength_says(models, family, strength):
    progress = Recorder()
    request = replace(REQUEST, strength=strength, num_inference_steps=4)
    list(models[family].generate(request, picture(1), progress))
    assert [step for _, step, _ in progress.steps] == list(range(round(4 * strength) + 1))


@pytest.mark.parametrize("family", FAMILIES)
def test_each_step_is_shown_at_the_latents_size(models, family):
    progress = Recorder()
    list(models[family].generate(REQUEST, None, progress))
    factor = 32 if family == "sana" else 8
    assert [preview.shape for preview in progress.previews] == [(128 // factor, 192 // factor, 3)] * 3


@pytest.mark.parametrize("family", FAMILIES)
def test_cancelling_takes_effect_at_the_next_step_and_leaves_nothing_behind(models, family):
    progress = Recorder(cancel_at=(0, 1))
    with pytest.raises(CancelledError):
        list(models[family].generate(REQUEST, None, progress))
    pipeline = loaded(models[family]).pipeline
    parts = [*pipeline.transformer.modules(), *pipeline.vae.modules()]
    assert not any(hasattr(part, "torus_x") for part in parts)
    assert not any(part._forward_pre_hooks or part._forward_hooks for part in parts)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_is_the_same_picture_in_bfloat16(folders, models, family):
    half = make(diffusion.load(folders[family], "bf16", "cpu", Recorder()))
    full, other = make(models[family]), make(models[family], replace(REQUEST, seed=6))
    assert np.abs(half - full).mean() < 0.5 * np.abs(other - full).mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_border_jumps_no_more_than_any_other_line(models, family):
    """The mean over seeds and axes, since random weights make rough pictures; unwrapped the border shows."""

    def jumps(seamless: str) -> float:
        found = []
        for seed in range(6):
            made = make(models[family], replace(REQUEST, seamless=seamless, seed=seed, num_inference_steps=4))
            for axis in (0, 1):
                step = 32 if family == "sana" else 16
                blocks = np.moveaxis(made, axis, 0)
                blocks = blocks.reshape(len(blocks) // step, step, -1).mean(1)
                lines = np.abs(blocks - np.roll(blocks, 1, 0)).mean(1)
                found.append(lines[0] / lines[1:].mean())
        return float(np.mean(found))

    assert 0.85 < jumps("both") < 1.15


def test_sizes_fit_the_patches_and_the_table_of_positions(models):
    assert models["flux"].fit_size(500, 100) == (496, 96)
    assert models["sana"].fit_size(500, 100) == (512, 96)
    largest = models["sd3"].fit_size(8192, 64)[0]
    assert largest < 8192
    assert make(models["sd3"], replace(REQUEST, width=largest, height=16)).shape == (16, largest, 3)


def test_a_negative_prompt_that_a_model_cannot_take_is_said(models):
    progress = Recorder()
    list(models["flux"].generate(replace(REQUEST, negative_prompt="wood"), None, progress))
    assert any("negative prompt" in notice for notice in progress.notices)


@pytest.mark.parametrize("family", ["sd3", "qwen_image", "z_image"])
def test_a_negative_prompt_steers_the_others(models, family):
    assert not np.array_equal(
        make(models[family], replace(REQUEST, negative_prompt="wood")), make(models[family])
    )


def test_a_scheduler_that_samples_noise_is_refused_for_a_flow(models):
    with pytest.raises(GenerationError, match="flow") as caught:
        make(models["flux"], replace(REQUEST, scheduler="dpmpp_2m_karras"))
    assert "euler" in caught.value.advice
    assert make(models["sana"], replace(REQUEST, scheduler="euler")).std() > 0.02
