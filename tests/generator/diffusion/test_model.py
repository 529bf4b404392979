# SPDX-License-Identifier: GPL-3.0-or-later
"""What a loaded model makes: real pipelines of every family, random weights."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny_models
import torch
from recorder import Recorder, loaded
from safetensors.torch import load_file, save_file

from generator import diffusion
from generator.diffusion import codec, sampling
from generator.diffusion.latents import decode, encode, to_picture
from generator.progress import CancelledError, GenerationError
from generator.protocol import Request
from generator.torus import wrap

FAMILIES = ("sd1", "sd2", "sdxl")
REQUEST = Request(
    prompt="mossy red brick wall", model="tiny", width=128, height=128, num_inference_steps=3, seed=11
)


def make(model, request=REQUEST, source=None, progress=None):
    return list(model.generate(request, source, progress or Recorder()))


def patchwork(seed: int, side: int = 128) -> np.ndarray:
    """A tiling picture of 8-pixel squares at a random place."""
    random = np.random.default_rng(seed)
    squares = random.random((side // 8, side // 8, 3), dtype=np.float32).repeat(8, 0).repeat(8, 1)
    return np.roll(squares, random.integers(0, side, 2), (0, 1))


@pytest.mark.parametrize("family", FAMILIES)
def test_words_become_pictures_of_the_requested_size(models, family):
    request = replace(REQUEST, width=192, height=128, count=2)
    pictures = make(models[family], request)
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.shape == (128, 192, 3)
        assert picture.dtype == np.float32
        assert picture.min() >= 0
        assert picture.max() <= 1
        assert picture.std() > 0.02


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("with_source", [False, True])
def test_an_image_of_a_batch_is_the_image_of_its_own_seed_to_the_last_bit(models, family, with_source):
    source = patchwork(0) if with_source else None
    request = replace(REQUEST, count=3, scheduler="euler_a")  # draws noise on its way
    batch = make(models[family], request, source)
    alone = [make(models[family], request.for_image(index), source)[0] for index in range(3)]
    assert all(np.array_equal(left, right) for left, right in zip(batch, alone, strict=True))
    assert not np.allclose(batch[0], batch[1], atol=0.05)


def test_a_picture_does_not_depend_on_the_process_s_own_random_state(models):
    torch.manual_seed(1)
    first = make(models["sd1"], replace(REQUEST, scheduler="ddpm"), patchwork(0))[0]
    torch.manual_seed(2)
    assert np.array_equal(make(models["sd1"], replace(REQUEST, scheduler="ddpm"), patchwork(0))[0], first)


@pytest.mark.parametrize("with_source", [False, True])
def test_a_seed_is_the_same_picture_in_every_precision(folders, models, with_source):
    source = patchwork(0) if with_source else None
    request = replace(REQUEST, scheduler="euler_a", num_inference_steps=4)
    full = make(models["sd1"], request, source)[0]
    other = make(models["sd1"], replace(request, seed=12), source)[0]
    for precision in ("fp16", "bf16"):
        half = make(diffusion.load(folders["sd1"], precision, "cpu", Recorder()), request, source)[0]
        assert np.abs(half - full).mean() < 0.02 < np.abs(other - full).mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_loaded_again_makes_the_same_picture(folders, models, family):
    again = diffusion.load(folders[family], "fp32", "cpu", Recorder())
    assert np.array_equal(make(again)[0], make(models[family])[0])


@pytest.mark.parametrize(("family", "stride"), [("sd1", 64), ("sdxl", 32)])
@pytest.mark.parametrize("with_source", [False, True])
def test_rolled_noise_gives_the_rolled_picture(models, monkeypatch, family, stride, with_source):
    """The law of the torus for the whole run: encode, denoise with guidance, decode."""
    shift = (stride, 2 * stride)
    request = replace(REQUEST, width=192, scheduler="ddim", guidance_scale=5)
    source = np.concatenate([patchwork(3), patchwork(4)[:, :64]], axis=1) if with_source else None
    plain = make(models[family], request, source)[0]
    draw = sampling.starting_noise
    latent_shift = tuple(step // 8 for step in shift)
    monkeypatch.setattr(sampling, "starting_noise", lambda *of: draw(*of).roll(latent_shift, (2, 3)))
    rolled_source = None if source is None else np.roll(source, shift, (0, 1))
    rolled = make(models[family], request, rolled_source)[0]
    assert np.abs(rolled - np.roll(plain, shift, (0, 1))).max() < 2e-3
    unwrapped = make(models[family], replace(request, seamless="off"), rolled_source)[0]
    assert np.abs(unwrapped - np.roll(plain, shift, (0, 1))).max() > 0.05


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_tiling_source_gives_a_tiling_picture_along_the_chosen_axes(models, family):
    """The jump across the border is as large as the jumps inside; random weights make rough pictures, so it
    is taken between rows of the decoder's 8-pixel blocks, and over several seeds."""

    def seam_ratios(seamless: str) -> tuple[float, float]:
        jumps = np.zeros((2, 16))
        for seed in range(8):
            request = replace(REQUEST, seamless=seamless, strength=0.5, num_inference_steps=4, seed=seed)
            picture = make(models[family], request, patchwork(seed))[0].astype(np.float64)
            for axis in (0, 1):
                blocks = np.moveaxis(picture, axis, 0).reshape(16, 8, 128, 3).mean(1)
                jumps[axis] += np.abs(blocks - np.roll(blocks, 1, 0)).mean((1, 2))
        vertical, horizontal = jumps[:, 0] / jumps[:, 1:].mean(1)
        return horizontal, vertical

    assert all(0.9 < ratio < 1.1 for ratio in seam_ratios("both"))
    assert not any(0.85 < ratio < 1.15 for ratio in seam_ratios("off"))
    x, y = seam_ratios("x")
    assert 0.9 < x < 1.1
    assert not 0.85 < y < 1.15


@pytest.mark.parametrize("family", ["sd1", "sd2"])
def test_strength_says_how_far_a_source_is_changed(tmp_path, family):
    """Random weights do not give a picture back, so the untouched source is what the VAE alone makes of it."""
    folder = tiny_models.save_sd(tmp_path / family, family, vae=tiny_models.loud_vae())
    model, source = diffusion.load(folder, "fp32", "cpu", Recorder()), patchwork(1)
    vae = loaded(model).pipeline.vae
    with torch.no_grad(), wrap(vae):
        untouched = to_picture(decode(vae, encode(vae, source))[0])
    request = replace(REQUEST, num_inference_steps=100, scheduler="ddim", guidance_scale=1)
    likeness = []
    for strength in (0.01, 0.05, 0.2):
        picture = make(model, replace(request, strength=strength), source)[0]
        likeness.append(np.corrcoef(picture.ravel(), untouched.ravel())[0, 1])
    assert likeness[0] > 0.9
    assert likeness[0] > likeness[1] > likeness[2]


def test_strength_zero_gives_the_source_itself_and_says_so(models):
    source, progress = patchwork(1), Recorder()
    pictures = make(models["sd1"], replace(REQUEST, strength=0, count=2), source, progress)
    assert [np.array_equal(picture, source) for picture in pictures] == [True, True]
    assert len(progress.notices) == 1


@pytest.mark.parametrize(("steps", "strength"), [(49, 1 / 49), (3, 0.01), (100, 0.29)])
def test_the_number_of_steps_is_strength_times_steps_but_never_none(models, steps, strength):
    progress = Recorder()
    request = replace(
        REQUEST, width=64, height=64, strength=strength, num_inference_steps=steps, scheduler="ddim"
    )
    make(models["sd1"], request, patchwork(1, 64), progress)
    assert len(progress.steps) - 1 == max(1, round(steps * strength))


def test_each_step_is_reported_with_a_preview(models):
    progress = Recorder()
    make(models["sdxl"], replace(REQUEST, count=2), None, progress)
    assert progress.steps == [(index, step, 3) for index in (0, 1) for step in range(4)]
    assert len(progress.previews) == 6
    for preview in progress.previews:
        assert preview.shape == (16, 16, 3)
        assert preview.min() >= 0
        assert preview.max() <= 1


@pytest.mark.parametrize("at", [(0, 0), (0, 1), (1, 0), (1, 2)])
def test_cancelling_takes_effect_at_the_next_step(models, at):
    model, progress, pictures = models["sd1"], Recorder(cancel_at=at), []
    with pytest.raises(CancelledError):
        for picture in model.generate(replace(REQUEST, count=2), None, progress):
            pictures.append(picture)
    assert progress.steps[-1][:2] == at
    assert len(pictures) == at[0]
    assert make(model)[0].shape == (128, 128, 3), "the model is still good for the next job"
    parts = [*loaded(model).pipeline.unet.modules(), *loaded(model).pipeline.vae.modules()]
    assert not any(hasattr(part, "torus_x") for part in parts)


def test_guidance_and_the_negative_prompt_matter_only_above_one(models):
    plain = make(models["sd1"], replace(REQUEST, guidance_scale=1))[0]
    progress = Recorder()
    negated = make(models["sd1"], replace(REQUEST, guidance_scale=1, negative_prompt="wood"), None, progress)
    assert np.array_equal(negated[0], plain)
    assert "negative" in progress.notices[0]
    guided = make(models["sd1"], replace(REQUEST, guidance_scale=20))[0]
    steered = make(models["sd1"], replace(REQUEST, guidance_scale=20, negative_prompt="wood"))[0]
    assert not np.allclose(guided, plain, atol=1e-4)
    assert not np.allclose(guided, steered, atol=1e-4)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_words_beyond_the_text_encoders_window_are_named(models, family):
    progress = Recorder()
    make(models[family], replace(REQUEST, prompt="red brick " * 37 + "wall grass stone"), None, progress)
    assert len(progress.notices) == 1
    assert progress.notices[0].endswith("grass stone")
    assert "wall" not in progress.notices[0]


@pytest.mark.parametrize(
    ("family", "asked", "fitted"),
    [
        ("sd1", (500, 96), (512, 128)),
        ("sd2", (16, 95), (64, 64)),
        ("sdxl", (500, 90), (512, 96)),
        ("sdxl", (8192, 8190), (8192, 8192)),
    ],
)
def test_sizes_fit_the_strides_of_the_decoder_and_the_unet(models, family, asked, fitted):
    assert models[family].fit_size(*asked) == fitted
    assert models[family].fit_size(*fitted) == fitted


def test_a_size_that_could_not_tile_is_refused(models):
    with pytest.raises(GenerationError) as caught:
        make(models["sd1"], replace(REQUEST, width=96))
    assert "128 x 128" in caught.value.advice


def spoil(folder, part: str, key: str, value) -> None:
    file = folder / part / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors[key] = value(tensors[key])
    save_file(tensors, file, metadata={"format": "pt"})


def test_a_decoder_that_overflows_in_half_precision_is_run_again_in_full(folders, models, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "loud")
    spoil(folder, "vae", "decoder.conv_in.weight", lambda weight: weight * 30000)
    model, progress = diffusion.load(folder, "fp16", "cpu", Recorder()), Recorder()
    picture = make(model, REQUEST, None, progress)[0]
    assert picture.std() > 0.02
    assert len(progress.notices) == 1
    assert "decoded again" in progress.notices[0]
    assert loaded(model).pipeline.vae.dtype == torch.float16, "the next picture starts as this one did"


def test_a_denoiser_that_overflows_is_run_again_with_a_larger_range(folders, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "loud")
    spoil(folder, "unet", "conv_in.weight", lambda weight: weight * 200000)
    progress = Recorder()
    with torch.no_grad():
        picture = make(diffusion.load(folder, "fp16", "cpu", Recorder()), REQUEST, None, progress)[0]
    assert np.isfinite(picture).all()
    assert any("made again" in notice for notice in progress.notices)


def test_a_model_that_makes_no_picture_in_any_precision_fails_with_a_sentence(folders, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "silent")
    spoil(folder, "vae", "decoder.conv_out.bias", lambda bias: bias - 1e9)
    with pytest.raises(GenerationError) as caught:
        make(diffusion.load(folder, "fp32", "cpu", Recorder()))
    assert caught.value.kind == "bad_result"
    assert caught.value.advice


def test_running_out_of_memory_is_a_sentence_with_advice(models, monkeypatch):
    def exhausted(*_arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(codec, "decode", exhausted)
    with pytest.raises(GenerationError) as caught:
        make(models["sd1"])
    assert caught.value.kind == "out_of_memory"
    assert "smaller size" in caught.value.advice


def test_a_closed_model_holds_nothing(folders):
    import gc
    import weakref

    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    make(model, REQUEST, patchwork(0))
    unet = weakref.ref(loaded(model).pipeline.unet)
    model.close()
    gc.collect()
    assert unet() is None


def test_pipeline_and_image_to_image_share_their_weights(models):
    model = models["sdxl"]
    assert loaded(model).image_to_image.unet is loaded(model).pipeline.unet
    assert loaded(model).image_to_image.vae is loaded(model).pipeline.vae
