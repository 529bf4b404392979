# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedulers, devices, previews and prompts, each by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny_models
import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler, PNDMScheduler
from recorder import Recorder
from torch.nn import functional as F

from generator import diffusion
from generator.diffusion import failures, hardware
from generator.diffusion.latents import decode, is_spoilt
from generator.diffusion.previews import Previews
from generator.diffusion.prompts import dropped_words
from generator.diffusion.schedulers import SCHEDULERS, instrument, make_scheduler
from generator.progress import GenerationError
from generator.protocol import Request


@pytest.mark.parametrize(("family", "steps"), [("sd1", 1), ("sd1", 3), ("sd2", 3), ("sdxl", 3)])
def test_every_scheduler_runs_on_every_family(models, family, steps):
    source = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    for name in ("", *SCHEDULERS):
        request = Request(
            prompt="wall", width=64, height=64, num_inference_steps=steps, scheduler=name, strength=0.5
        )
        for picture_to_change in (None, source):
            progress = Recorder()
            (picture,) = models[family].generate(request, picture_to_change, progress)
            assert picture.std() > 0.02, name
            assert progress.steps[0][2] == progress.steps[-1][1] == progress.steps[-1][2], name
            assert len(progress.previews) == progress.steps[-1][1], name


def test_schedulers_make_different_pictures(models):
    request = Request(prompt="wall", width=64, height=64, num_inference_steps=4)
    names = ("ddim", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "lcm")
    pictures = [
        next(models["sd1"].generate(replace(request, scheduler=name), None, Recorder())) for name in names
    ]
    for index, picture in enumerate(pictures):
        assert not any(np.allclose(picture, other, atol=1e-3) for other in pictures[:index])


def test_a_scheduler_keeps_the_model_s_noise_schedule():
    own = PNDMScheduler(prediction_type="v_prediction", **tiny_models.BETAS)
    made = make_scheduler(own, "DPM++ 2M Karras")
    assert isinstance(made, DPMSolverMultistepScheduler)
    assert made.config.use_karras_sigmas
    assert made.config.prediction_type == "v_prediction"
    assert torch.equal(made.alphas_cumprod, own.alphas_cumprod)
    again = make_scheduler(own, "")
    assert type(again) is PNDMScheduler
    assert again is not own


def test_latents_are_not_clipped_as_pixels_would_be():
    assert not make_scheduler(EulerDiscreteScheduler(**tiny_models.BETAS), "ddim").config.clip_sample


def test_an_unknown_scheduler_is_refused_with_the_names_of_the_known_ones(models):
    with pytest.raises(GenerationError) as caught:
        next(models["sd1"].generate(Request(prompt="wall", scheduler="magic"), None, Recorder()))
    assert caught.value.kind == "unknown_scheduler"
    assert all(name in caught.value.advice for name in SCHEDULERS)


@pytest.mark.parametrize("name", ["ddim", "euler", "dpmpp_2m", "unipc", "heun", "pndm"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_perfect_denoiser_s_preview_is_the_finished_picture(name, prediction):
    """Given the noise that is really in the sample, every sampler's estimate is the clean latents."""
    own = PNDMScheduler(prediction_type=prediction, skip_prk_steps=True, **tiny_models.BETAS)
    scheduler = make_scheduler(own, name)
    generator = torch.Generator("cpu").manual_seed(0)
    clean, noise = torch.randn(2, 1, 4, 8, 8, generator=generator)
    estimates = []
    instrument(scheduler, [generator], noise, lambda denoised: estimates.append(denoised()))
    scheduler.set_timesteps(8)
    first = scheduler.timesteps[:1]
    sample = scheduler.add_noise(clean, torch.zeros_like(clean), first)
    kept = own.alphas_cumprod[int(first)]
    perfect = noise if prediction == "epsilon" else kept.sqrt() * noise - (1 - kept).sqrt() * clean
    scheduler.step(perfect, first[0], sample, return_dict=False)
    torch.testing.assert_close(estimates[0], clean, rtol=0, atol=0.02)


def test_noise_is_drawn_in_float32_for_a_sampler_in_half_precision():
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        scheduler = make_scheduler(PNDMScheduler(**tiny_models.BETAS), "euler_a")
        generator = torch.Generator("cpu").manual_seed(3)
        instrument(scheduler, [generator], torch.zeros(1), lambda denoised: None)
        scheduler.set_timesteps(4)
        zeros = torch.zeros(1, 4, 8, 8, dtype=dtype)
        results.append(scheduler.step(zeros, scheduler.timesteps[0], zeros, return_dict=False)[0])
    assert results[1].dtype == torch.bfloat16
    torch.testing.assert_close(results[1].float(), results[0], rtol=0.01, atol=0)


@pytest.mark.parametrize("settings", [{}, {"latent_channels": 16}, {"scaling_factor": 0.13025}])
def test_a_preview_resembles_what_the_decoder_makes(settings):
    vae = tiny_models.vae(**settings)
    generator = torch.Generator("cpu").manual_seed(9)
    coarse = torch.randn(1, vae.config.latent_channels, 4, 4, generator=generator)
    latents = F.interpolate(coarse, scale_factor=6, mode="bicubic")
    with torch.no_grad():
        truth = F.adaptive_avg_pool2d(decode(vae, latents), 24)[0].permute(1, 2, 0).numpy()
    (preview,) = Previews(vae)(latents)
    assert preview.dtype == np.float32
    assert np.corrcoef(preview.ravel(), truth.ravel())[0, 1] > 0.4


def test_a_preview_is_fitted_once():
    vae, calls = tiny_models.vae(), []
    vae.decoder.register_forward_hook(lambda *_: calls.append(1))
    preview = Previews(vae)
    for _ in range(3):
        preview(torch.randn(1, 4, 8, 8))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("pixels", "spoilt"),
    [
        (torch.zeros(1, 3, 4, 4), True),
        (torch.full((1, 3, 4, 4), torch.nan), True),
        (torch.tensor([0.5, torch.nan]), True),
        (torch.full((1, 3, 4, 4), 0.02), False),
    ],
)
def test_black_and_not_a_number_count_as_spoilt(pixels, spoilt):
    assert is_spoilt(pixels) is spoilt


def test_words_that_fit_are_not_dropped(tmp_path):
    tokenizer = tiny_models.tokenizer(tmp_path)
    assert dropped_words(tokenizer, "red brick " * 37 + "wall") == ""
    assert dropped_words(tokenizer, "red brick " * 37 + "wall mossy stone") == "mossy stone"


def test_the_cpu_is_always_listed_and_last():
    listed = diffusion.devices()
    assert listed[-1]["id"] == "cpu"
    assert [device["kind"] for device in listed].count("cpu") == 1
    assert diffusion.devices() == listed, "asking twice gives the same"
    assert listed[-1]["bf16"] is hardware.cpu_has_bf16()


def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(GenerationError) as caught:
        hardware.choose_device("cuda:99")
    assert caught.value.kind == "no_device"
    assert "cpu" in caught.value.message


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_computes_in_bfloat16_only_where_it_can(monkeypatch, native, dtype):
    monkeypatch.setattr(hardware, "cpu_has_bf16", lambda: native)
    cpu = torch.device("cpu")
    assert hardware.choose_dtype("auto", cpu, "F16") == dtype
    assert hardware.choose_dtype("fp32", cpu, "F16") == torch.float32
    assert hardware.wider_dtype(torch.float16, cpu) == dtype


@pytest.mark.parametrize(
    ("stored", "bf16", "dtype"),
    [
        ("F16", True, torch.float16),
        ("F32", True, torch.float16),
        ("BF16", True, torch.bfloat16),
        ("BF16", False, torch.float16),
    ],
)
def test_a_graphics_card_keeps_the_file_s_half_precision(monkeypatch, stored, bf16, dtype):
    monkeypatch.setattr(hardware, "has_bf16", lambda device: bf16)
    assert hardware.choose_dtype("auto", torch.device("cuda:0"), stored) == dtype


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_every_backend_s_lack_of_memory_is_recognised(error):
    with pytest.raises(GenerationError) as caught, failures.explained("other", "Stopped.", "Try again."):
        raise error
    assert caught.value.kind == "out_of_memory"


def test_other_errors_keep_their_cause_and_first_line():
    with pytest.raises(GenerationError) as caught, failures.explained("other", "Stopped.", "Try again."):
        raise RuntimeError("mat1 and mat2\nsecond line")
    assert caught.value.kind == "other"
    assert caught.value.message == "Stopped. (mat1 and mat2)"
    assert isinstance(caught.value.__cause__, RuntimeError)
