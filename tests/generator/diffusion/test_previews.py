# SPDX-License-Identifier: GPL-3.0-or-later
"""Previews by a small decoder: only where one fits, only while it is cheap, and never at the cost of an image."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import tiny_models
import torch
from diffusers import AutoencoderTiny
from recorder import Recorder, loaded
from safetensors.torch import load_file, save_file

from generator import diffusion
from generator.diffusion import previews
from generator.diffusion.latents import decode
from generator.diffusion.previews import Previews
from generator.diffusion.tiny_decoders import small_decoders
from generator.protocol import Request

WEIGHTS = "diffusion_pytorch_model.safetensors"
LATENTS = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(0))


def tiny(seed: int = 5, **settings: Any) -> AutoencoderTiny:
    """An `AutoencoderTiny` of a few channels, whose random decoder makes colours around a middle grey."""
    torch.manual_seed(seed)
    channels = (8, 8, 8, 8)
    made = AutoencoderTiny(
        encoder_block_out_channels=channels,
        decoder_block_out_channels=channels,
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
        **settings,
    ).eval()
    with torch.no_grad():
        last = made.decoder.layers[-1].weight.abs_()
        latents = torch.randn(1, made.config.latent_channels, 16, 16)
        raw = made.decode(latents).sample / 2 + 0.5
        last *= 0.5 / raw.mean((0, 2, 3)).view(-1, 1, 1, 1)
    return made


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time does not count: the models of these tests are all of one size."""
    monkeypatch.setattr(previews, "SHARE", float("inf"))


def shown(preview: Previews, latents: torch.Tensor = LATENTS) -> list[np.ndarray]:
    preview(latents)
    return preview(latents)


def test_a_copy_of_the_model_s_own_decoder_shows_what_it_will_make(always):
    own = tiny()
    preview = Previews(own, [tiny(6), tiny()])
    pictures = shown(preview)
    with torch.no_grad():
        wanted = decode(own, LATENTS).permute(0, 2, 3, 1).numpy()
    assert [picture.shape for picture in pictures] == [(64, 96, 3)] * 2
    assert np.abs(np.stack(pictures) - wanted).max() < 1e-5


def test_what_does_not_fit_is_not_used(always):
    preview = Previews(tiny(), [tiny(6), tiny(7)])
    assert [picture.shape for picture in shown(preview)] == [(8, 12, 3)] * 2
    assert preview.decoder is None


def test_a_decoder_that_takes_long_is_not_asked(monkeypatch):
    preview = Previews(tiny(), [tiny()])
    monkeypatch.setattr(previews, "SHARE", 0.0)
    assert [picture.shape for picture in shown(preview)] == [(8, 12, 3)] * 2
    assert preview.decoder is not None
    monkeypatch.setattr(previews, "SHARE", float("inf"))
    assert preview(LATENTS)[0].shape == (64, 96, 3)


def test_a_pause_between_jobs_is_not_taken_for_a_long_step(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(previews.time, "perf_counter", lambda: clock[0])
    preview = Previews(tiny(), [tiny()])
    shown(preview)
    preview._seconds = 1.0  # a latent, as if it had been measured
    for pause, decoded in ((1.0, False), (1e6, False), (1.0, False), (1e6, False), (1e6, True)):
        clock[0] += pause
        assert (preview(LATENTS)[0].shape == (64, 96, 3)) is decoded


def test_a_decoder_that_fails_gives_way_to_colours(always, monkeypatch):
    preview = Previews(tiny(), [tiny()])
    shown(preview)

    def exhausted(*_: object) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(preview.decoder, "decode", exhausted)
    assert preview(LATENTS)[0].shape == (8, 12, 3)
    assert preview(LATENTS)[0].shape == (8, 12, 3)


def test_previews_are_small_and_tile(always, monkeypatch):
    monkeypatch.setattr(previews, "SIDE", 48)
    preview = Previews(tiny(), [tiny()])
    shown(preview)
    with preview.on_torus(True, True):
        plain = preview(LATENTS)[0]
        rolled = preview(LATENTS.roll((2, 4), (2, 3)))[0]
    assert plain.shape == (32, 48, 3)
    assert np.abs(rolled - np.roll(plain, (8, 16), (0, 1))).max() < 1e-4
    unwrapped = preview(LATENTS.roll((2, 4), (2, 3)))[0]
    assert np.abs(unwrapped - np.roll(plain, (8, 16), (0, 1))).max() > 1e-3


def test_a_model_whose_own_decoder_is_small_shows_pictures_from_the_second_step_on(tmp_path, always):
    folder = tiny_models.save_sd(tmp_path / "wall-model", vae=tiny())
    progress = Recorder()
    model = diffusion.load(folder, "fp32", "cpu", progress)
    request = Request(
        prompt="moss", model="tiny", width=64, height=128, num_inference_steps=3, seed=1, scheduler="ddim"
    )
    next(model.generate(request, None, progress))
    assert progress.previews[-1].shape == (128, 64, 3)
    assert loaded(model).preview.decoder is not loaded(model).pipeline.vae, "offloading may not touch it"
    assert progress.notices == []


@pytest.mark.parametrize("place", ["preview_decoder", "taesd-mine", "vae_tiny", "among the models"])
def test_decoders_are_found_where_they_may_lie(tmp_path, monkeypatch, place):
    model, shelf = tmp_path / "model", tmp_path / "shelf"
    model.mkdir()
    shelf.mkdir()
    monkeypatch.setenv("DREAM_TEXTURES_MODELS", str(shelf))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "none"))
    tiny().save_pretrained(shelf / "any" if place == "among the models" else model / place)
    tiny(latent_channels=16).save_pretrained(model / "taesd3")
    tiny_models.vae().save_pretrained(model / "taesd-not")
    (model / "taesd-nothing").mkdir()
    told: list[str] = []
    found = small_decoders(model, tiny_models.vae(), torch.float16, told.append)
    assert [decoder.dtype for decoder in found] == [torch.float16]
    assert told == []


def test_a_decoder_in_the_hub_s_cache_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--madebyollin--taesd"
    tiny().save_pretrained(repository / "snapshots" / "0123abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda name, file, _plain=huggingface_hub.try_to_load_from_cache: _plain(name, file, str(tmp_path)),
    )
    assert len(small_decoders(tmp_path, tiny_models.vae(), torch.float32, lambda _: None)) == 1


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def drop(file: Path) -> None:
    tensors = load_file(file)
    del tensors["decoder.layers.0.weight"]
    save_file(tensors, file, metadata={"format": "pt"})


def pickled(file: Path) -> None:
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()


@pytest.mark.parametrize(
    "breaking", [cut, drop, pickled, Path.unlink], ids=lambda breaking: breaking.__name__
)
def test_a_broken_decoder_is_one_sentence_and_no_harm(folders, tmp_path, breaking):
    folder = shutil.copytree(folders["sd1"], tmp_path / "wall-model")
    tiny().save_pretrained(folder / "preview_decoder")
    breaking(folder / "preview_decoder" / WEIGHTS)
    progress = Recorder()
    model = diffusion.load(folder, "fp32", "cpu", progress)
    request = Request(
        prompt="moss", model="tiny", width=64, height=64, num_inference_steps=2, seed=1, scheduler="ddim"
    )
    next(model.generate(request, None, progress))
    assert len(progress.previews) == 2
    assert len(progress.notices) == 1
    assert "preview_decoder" in progress.notices[0]
    assert "\n" not in progress.notices[0]
