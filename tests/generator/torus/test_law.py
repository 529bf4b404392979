# SPDX-License-Identifier: GPL-3.0-or-later
"""The law ``f(roll(x)) == roll(f(x))`` for diffusers' own networks, in float64 and with random weights."""

from __future__ import annotations

import pytest
import tiny_models
import torch

from generator.torus import wrap

EXACT = 1e-12


def noise(*shape: int) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(5)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def distance(left: torch.Tensor, right: torch.Tensor) -> float:
    return float((left - right).abs().max() / right.abs().max())


def broken(function, inputs: torch.Tensor, shift: tuple[int, int], scale: float) -> float:
    """By how much ``function`` fails the law for a shift by ``(y, x)`` inputs; its output is ``scale`` times
    as large."""
    with torch.no_grad():
        rolled = function(inputs.roll(shift, (-2, -1)))
        expected = function(inputs).roll(tuple(int(step * scale) for step in shift), (-2, -1))
    return distance(rolled, expected)


def denoiser(family: str):
    model = tiny_models.unet(family).double()
    words = noise(1, 7, model.config.cross_attention_dim)
    added = {"text_embeds": noise(1, tiny_models.TEXT_WIDTH), "time_ids": noise(1, 6)}
    conditions = added if family == "sdxl" else None
    return model, lambda latents: model(latents, 500, words, added_cond_kwargs=conditions).sample


@pytest.mark.parametrize(("family", "stride"), [("sd1", 8), ("sd2", 8), ("sdxl", 4)])
def test_the_denoiser_keeps_the_law(family, stride):
    model, denoise = denoiser(family)
    latents, shift = noise(1, 4, 2 * stride, 3 * stride), (stride, 2 * stride)
    assert broken(denoise, latents, shift, 1) > 0.01, "the unwrapped model must break it"
    with wrap(model):
        assert broken(denoise, latents, shift, 1) < EXACT


@pytest.mark.parametrize("axis", ["x", "y"])
def test_one_axis_of_the_denoiser_can_be_wrapped_alone(axis):
    model, denoise = denoiser("sd1")
    latents = noise(1, 4, 16, 24)
    with wrap(model, x=axis == "x", y=axis == "y"):
        along = broken(denoise, latents, (0, 8) if axis == "x" else (8, 0), 1)
        across = broken(denoise, latents, (8, 0) if axis == "x" else (0, 8), 1)
    assert along < EXACT
    assert across > 0.01


def test_the_decoder_keeps_the_law_for_a_shift_by_one_latent():
    model, latents = tiny_models.vae().double(), noise(1, 4, 6, 8)
    assert broken(lambda z: model.decode(z).sample, latents, (1, 3), 8) > 0.01
    with wrap(model):
        assert broken(lambda z: model.decode(z).sample, latents, (1, 3), 8) < EXACT


def test_the_encoder_keeps_the_law_for_a_shift_by_one_latents_pixels():
    model, pixels = tiny_models.vae().double(), noise(1, 3, 48, 64)
    assert broken(lambda p: model.encode(p).latent_dist.mean, pixels, (8, 24), 1 / 8) > 0.01
    with wrap(model):
        assert broken(lambda p: model.encode(p).latent_dist.mean, pixels, (8, 24), 1 / 8) < EXACT


@pytest.mark.parametrize("axis", ["x", "y"])
def test_one_axis_of_the_encoder_can_be_wrapped_alone(axis):
    model, pixels = tiny_models.vae().double(), noise(1, 3, 48, 64)
    with wrap(model, x=axis == "x", y=axis == "y"):
        along, across = ((0, 8), (8, 0)) if axis == "x" else ((8, 0), (0, 8))
        assert broken(lambda p: model.encode(p).latent_dist.mean, pixels, along, 1 / 8) < EXACT
        assert broken(lambda p: model.encode(p).latent_dist.mean, pixels, across, 1 / 8) > 0.01


def test_the_encoders_own_padding_stays_on_the_axis_that_is_not_wrapped():
    layer = next(part for part in tiny_models.vae().modules() if type(part).__name__ == "Downsample2D")
    pixels = noise(1, layer.channels, 8, 12).float()
    plain = layer(pixels)
    with wrap(layer, x=True, y=False):
        assert torch.equal(layer(pixels)[..., :-1], plain[..., :-1])
    with wrap(layer, x=False, y=True):
        assert torch.equal(layer(pixels)[..., :-1, :], plain[..., :-1, :])


def test_the_law_holds_behind_accelerates_offloading_hooks():
    hooks = pytest.importorskip("accelerate.hooks")
    model, pixels = tiny_models.vae().double(), noise(1, 3, 32, 48)
    for part in model.modules():
        hooks.add_hook_to_module(part, hooks.ModelHook())
    with wrap(model):
        assert broken(lambda p: model.encode(p).latent_dist.mean, pixels, (8, 24), 1 / 8) < EXACT


def test_leaving_restores_every_class():
    for model in (tiny_models.unet("sdxl"), tiny_models.vae()):
        classes = [type(part) for part in model.modules()]
        with wrap(model):
            assert [type(part) for part in model.modules()] != classes
        assert [type(part) for part in model.modules()] == classes
