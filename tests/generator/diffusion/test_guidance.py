# SPDX-License-Identifier: GPL-3.0-or-later
"""A pass without words is computed only where the guidance scale gives it weight: calls and images are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import tiny_transformers
import torch
from diffusers.pipelines.latent_consistency_models.pipeline_latent_consistency_text2img import (
    LatentConsistencyModelPipeline,
)
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from recorder import Recorder, loaded
from transformers import CLIPTextModel

from generator import diffusion
from generator.protocol import Request

REQUEST = Request(
    prompt="mossy red brick wall", negative_prompt="wood", model="tiny", width=128, height=128,
    seed=5, num_inference_steps=3, strength=0.7,
)  # fmt: skip
SAVERS: dict[str, Callable[[Path], Path]] = {
    "sd1": lambda folder: tiny_models.save_sd(folder, "sd1"),
    "sd2": lambda folder: tiny_models.save_sd(folder, "sd2"),
    "sdxl": tiny_models.save_sdxl,
    "inpaint": tiny_models.save_inpaint,
    "refiner": tiny_models.save_refiner,
    **tiny_transformers.FAMILIES,
}
GUIDED = {"flux": [1], "qwen_image": [1, 1]}
"""What a guided step asks of the denoiser, where that is not one call for two images."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    root = tmp_path_factory.mktemp("guided")
    known: dict[str, Any] = {}

    def model(name: str) -> Any:
        if name not in known:
            known[name] = diffusion.load(SAVERS[name](root / name), "fp32", "cpu", Recorder())
        return known[name]

    return model


def source() -> np.ndarray:
    return np.random.default_rng(0).random((8, 8, 3), dtype=np.float32).repeat(16, 0).repeat(16, 1)


@contextmanager
def counted(model: Any) -> Iterator[tuple[list[int], dict[str, int]]]:
    """How many images each call of the denoiser is given, and how many texts all calls of the text encoders."""
    held = loaded(model)
    denoised: list[int] = []
    read: dict[str, int] = {}
    handles = []

    def look(_module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        given = (
            args[0]
            if args
            else next(kwargs[key] for key in ("sample", "hidden_states", "x") if key in kwargs)
        )
        denoised.append(len(given))

    handles.append(held.denoiser.register_forward_pre_hook(look, with_kwargs=True))
    for name, part in held.pipeline.components.items():
        if name.startswith("text_encoder") and part is not None:

            def hear(_module: Any, args: tuple, kwargs: dict[str, Any], name: str = name) -> None:
                read[name] = read.get(name, 0) + len(args[0] if args else kwargs["input_ids"])

            handles.append(part.register_forward_pre_hook(hear, with_kwargs=True))
    try:
        yield denoised, read
    finally:
        for handle in handles:
            handle.remove()


def make(model: Any, request: Request, picture: np.ndarray | None = None) -> tuple[np.ndarray, Recorder]:
    progress = Recorder()
    return next(model.generate(request, picture, progress)), progress


def sources(name: str) -> list[bool]:
    return [True] if name == "refiner" else [False, True]


CASES = [(name, with_source) for name in SAVERS for with_source in sources(name)]


@pytest.mark.parametrize(("name", "with_source"), CASES)
def test_without_guidance_a_step_is_one_pass_and_the_negative_prompt_is_not_read(models, name, with_source):
    model, picture = models(name), source() if with_source else None
    make(model, replace(REQUEST, prompt="stone", guidance_scale=1), picture)  # what is asked once is asked
    # Words that were read before are remembered.
    request = replace(REQUEST, prompt=f"red brick {with_source}", guidance_scale=0)
    with counted(model) as (denoised, read):
        nought, progress = make(model, request, picture)
    passes = progress.steps[-1][2]
    assert denoised == [1] * passes
    assert set(read.values()) == {1}, read
    with counted(model) as (denoised, _):
        one, _ = make(model, replace(request, guidance_scale=1), picture)
    # Flux is told the scale, and Z-Image counts it from 0.
    assert denoised == ([2] if name == "z_image" else [1]) * passes
    assert np.array_equal(nought, one) == (name not in ("flux", "z_image"))
    guided = replace(request, prompt=f"red wall {with_source}", negative_prompt=f"blue {with_source}")
    with counted(model) as (denoised, read):
        make(model, replace(guided, guidance_scale=4), picture)
    assert denoised == GUIDED.get(name, [2]) * passes
    assert sum(read.values()) > len(read) or name == "flux"


def consistency_model(folder: Path, *, own_pipeline: bool, xl: bool = False) -> Path:
    """A full latent consistency model: it is told the guidance scale beside the time."""
    if xl:
        return tiny_models.save_sdxl(folder, unet=tiny_models.unet("sdxl", time_cond_proj_dim=8))
    unet = tiny_models.unet("sd1", time_cond_proj_dim=8)
    scheduler = LCMScheduler(clip_sample=False, set_alpha_to_one=True, **tiny_models.BETAS)
    if not own_pipeline:
        return tiny_models.save_sd(folder, "sd1", unet=unet, scheduler=scheduler)
    torch.manual_seed(3)
    parts: dict[str, Any] = {
        "vae": tiny_models.vae(),
        "text_encoder": CLIPTextModel(tiny_models._text_config()).eval(),
        "tokenizer": tiny_models.tokenizer(folder / "tokenizer"),
        "unet": unet,
        "scheduler": scheduler,
        "safety_checker": None,
        "feature_extractor": None,
    }
    LatentConsistencyModelPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("with_source", [False, True])
@pytest.mark.parametrize("kind", ["sd", "sdxl", "own"])
def test_a_consistency_model_is_told_the_scale_in_its_only_pass(tmp_path, monkeypatch, kind, with_source):
    folder = consistency_model(tmp_path / kind, own_pipeline=kind == "own", xl=kind == "sdxl")
    model, picture = diffusion.load(folder, "fp32", "cpu", Recorder()), source() if with_source else None
    request = replace(REQUEST, guidance_scale=8, negative_prompt="")
    make(model, replace(request, prompt="stone"), picture)
    with counted(model) as (denoised, read):
        strong, progress = make(model, request, picture)
    assert denoised == [1] * progress.steps[-1][2]
    assert progress.steps[-1][1] == progress.steps[-1][2]
    assert set(read.values()) == {1}
    weak, progress = make(model, replace(request, guidance_scale=2, negative_prompt="wood"), picture)
    assert not np.array_equal(strong, weak), "the scale matters all the same"
    assert progress.notices == ["This model does not take a negative prompt."]
    assert not np.allclose(make(model, replace(request, guidance_scale=1), picture)[0], weak, atol=1e-5)
    batch = replace(request, count=2)
    alone = list(model.generate(batch, picture, Recorder()))
    monkeypatch.setenv("DREAM_TEXTURES_BATCH", "2")
    together = list(model.generate(batch, picture, Recorder()))
    assert all(np.abs(a - b).max() < 2e-3 for a, b in zip(alone, together, strict=True))


def test_memory_is_estimated_for_the_passes_that_are_computed(tmp_path, models):
    from generator.diffusion import families

    plain, told = loaded(models("sd1")), diffusion.load(
        consistency_model(tmp_path / "lcm", own_pipeline=True), "fp32", "cpu", Recorder()
    )  # fmt: skip
    assert families.is_guided(plain.pipeline, plain.family, 1.01)
    assert not families.is_guided(plain.pipeline, plain.family, 1.0)
    held = loaded(told)
    assert not families.is_guided(held.pipeline, held.family, 8.0)


@pytest.mark.parametrize(("name", "with_source"), [("sd1", False), ("sd1", True), ("sdxl", False), ("sdxl", True),
                                                   ("sd2", False), ("refiner", True), ("inpaint", True)])  # fmt: skip
def test_guidance_that_ends_early_leaves_one_pass_to_each_step_that_follows(models, name, with_source):
    model, picture = models(name), source() if with_source else None
    request = replace(
        REQUEST, width=64, height=64, scheduler="ddim", guidance_scale=6, num_inference_steps=5, strength=1
    )
    picture = None if picture is None else picture[:64, :64]
    make(model, replace(request, num_inference_steps=1), picture)
    full, _ = make(model, request, picture)
    with counted(model) as (denoised, _):
        early, progress = make(model, replace(request, guidance_end=0.4), picture)
    assert denoised == [2, 2, 1, 1, 1]
    assert progress.notices == []
    assert not np.allclose(early, full, atol=1e-4)
    with counted(model) as (denoised, _):
        again, _ = make(model, request, picture)
    assert denoised == [2] * 5
    assert np.array_equal(again, full), "and the next image is guided again"


def test_guidance_ends_after_the_words_that_were_not_the_negative_ones(models):
    """From the first step on without guidance, all but that step is what a scale of 1 computes."""
    model = models("sd1")
    request = replace(REQUEST, width=64, height=64, scheduler="ddim", num_inference_steps=6)
    one, _ = make(model, replace(request, guidance_scale=1))
    barely, _ = make(model, replace(request, guidance_scale=1.0001, guidance_end=0.01))
    assert np.abs(barely - one).max() < 1e-3
    other, _ = make(model, replace(request, guidance_scale=1, prompt="wood"))
    assert np.abs(other - one).max() > 0.01


def test_guidance_ends_between_two_steps_of_a_sampler_that_asks_twice_in_each(models):
    request = replace(REQUEST, width=64, height=64, scheduler="heun", guidance_scale=6, num_inference_steps=4)
    with counted(models("sd1")) as (denoised, _):
        make(models("sd1"), replace(request, guidance_end=0.3))
    assert denoised == [2] * 4 + [1] * 3


def test_guidance_ends_early_in_every_image_of_a_batch(models, monkeypatch):
    request = replace(
        REQUEST, width=64, height=64, guidance_scale=6, guidance_end=0.5, count=2, scheduler="ddim"
    )
    alone = list(models("sdxl").generate(request, None, Recorder()))
    monkeypatch.setenv("DREAM_TEXTURES_BATCH", "2")
    with counted(models("sdxl")) as (denoised, _):
        together = list(models("sdxl").generate(request, None, Recorder()))
    assert denoised == [4, 4, 2]
    assert all(np.abs(a - b).max() < 2e-3 for a, b in zip(alone, together, strict=True))


def test_a_model_whose_guidance_cannot_end_early_says_so(models):
    request = replace(REQUEST, guidance_scale=4, guidance_end=0.5)
    _, progress = make(models("sd3"), request)
    assert progress.notices == ["The guidance of this model cannot end early; every step is guided."]
    _, progress = make(models("sd3"), replace(request, guidance_scale=1, negative_prompt=""))
    assert progress.notices == []
