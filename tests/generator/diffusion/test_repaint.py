# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture made to tile by a model: only the cross is painted, and the rest stays what it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny_models
import tiny_transformers
from recorder import Recorder

from generator import diffusion
from generator.diffusion import repaint
from generator.progress import CancelledError, GenerationError
from generator.protocol import Request

REQUEST = Request(prompt="mossy red brick wall", model="tiny", num_inference_steps=3, seed=2, strength=0.7)


def ramp(rows: int = 150, columns: int = 202) -> np.ndarray:
    """A picture that tiles along neither axis: colours that run from one side to the other, and grain."""
    down, right = np.mgrid[0:rows, 0:columns].astype(np.float32)
    colours = np.stack([right / columns, down / rows, 0.5 * (right / columns + down / rows)], axis=2)
    grain = np.random.default_rng(1).normal(0, 0.02, colours.shape)
    return np.clip(0.1 + 0.8 * colours + grain, 0, 1).astype(np.float32)


def jump(image: np.ndarray, axis: int) -> float:
    """Across the border, over the mean jump inside."""
    lines = np.abs(image - np.roll(image, 1, axis)).mean(axis=(1 - axis, 2))
    return float(lines[0] / lines[1:].mean())


@pytest.mark.parametrize(("x", "y"), [(True, True), (True, False), (False, True)])
def test_the_canvas_shows_the_border_in_the_middle_and_hides_it(x, y):
    canvas = repaint.lay_out(ramp(), x, y)
    for axis, wanted in ((1, x), (0, y)):
        before, after = jump(ramp(), axis), jump(canvas.picture, axis)
        assert before > 3
        assert (after < 1.5) is wanted, "rolled, the border lies between old neighbours"
        middle = canvas.picture.shape[axis] // 2
        step = np.abs(np.diff(canvas.picture, axis=axis)).mean(axis=(1 - axis, 2))[middle - 1]
        if wanted:
            assert step < 0.05, "both sides pass over into each other"
            assert canvas.mask.max(axis=1 - axis).min() == (1 if x and y else 0)


def test_nothing_outside_the_cross_is_touched():
    canvas = repaint.lay_out(ramp(), True, True)
    done = canvas.finish(np.zeros_like(canvas.picture))
    outside = np.roll(canvas.mask, (-75, -101), (0, 1)) == 0
    assert outside.mean() > 0.3
    assert np.array_equal(done[outside], ramp()[outside])
    inside = np.roll(canvas.mask, (-75, -101), (0, 1)) == 1
    assert not done[inside].any()
    assert np.allclose(canvas.finish(canvas.original), ramp(), atol=1e-6)


def test_the_mask_is_the_same_on_both_sides_and_falls_without_a_step():
    band = repaint.lay_out(ramp(64, 400), True, False).mask[0]
    assert np.array_equal(band, band[::-1])
    assert np.abs(np.diff(band)).max() < 0.1


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    folders = {
        "sd1": tiny_models.save_sd(root / "sd1"),
        "sdxl": tiny_models.save_sdxl(root / "sdxl"),
        "inpaint": tiny_models.save_inpaint(root / "inpaint"),
        "flux": tiny_transformers.save_flux(root / "flux"),
        "sana": tiny_transformers.save_sana(root / "sana"),
    }
    return {name: diffusion.load(folder, "fp32", "cpu", Recorder()) for name, folder in folders.items()}


@pytest.mark.parametrize("family", ["sd1", "sdxl", "inpaint", "flux", "sana"])
def test_every_family_paints_the_cross_and_keeps_size_and_surroundings(models, family):
    progress, source = Recorder(), ramp()
    done = models[family].make_seamless(REQUEST, source, progress)
    assert done.shape == source.shape
    assert done.dtype == np.float32
    assert done.min() >= 0
    assert done.max() <= 1
    untouched = np.roll(repaint.lay_out(source, True, True).mask, (-75, -101), (0, 1)) == 0
    assert np.array_equal(done[untouched], source[untouched])
    assert not np.allclose(done[0], source[0], atol=0.05), "the border itself is new"
    assert min(jump(source, 1), jump(source, 0)) > 3
    # Sana's random decoder jumps between any two of its squares of 32 pixels, and the border is such a place.
    assert max(jump(done, 1), jump(done, 0)) < (5 if family == "sana" else 2)
    assert progress.steps[-1][1] == progress.steps[-1][2] in (2, 3), "round(3 x 0.7), and one more for PNDM"


@pytest.mark.parametrize(("seamless", "axis"), [("x", 1), ("y", 0)])
def test_only_the_axes_asked_for_are_painted(models, seamless, axis):
    done = models["sd1"].make_seamless(replace(REQUEST, seamless=seamless), ramp(), Recorder())
    assert jump(done, axis) < 2
    assert jump(done, 1 - axis) > 3


def test_an_axis_that_tiles_already_is_not_painted_over(models):
    rows = np.sin(np.arange(160) * 2 * np.pi / 160)[:, None, None] * 0.2 + 0.2
    source = np.clip(ramp(160, 200) * [[[1, 0, 0]]] + rows, 0, 1).astype(np.float32)
    done = models["sd1"].make_seamless(REQUEST, source, Recorder())
    middle = (..., slice(80, 120), slice(None))
    assert np.array_equal(done[middle], source[middle]), "away from the left and right edges nothing changed"
    assert not np.array_equal(done[:, 0], source[:, 0])


def test_what_tiles_already_comes_back_as_it_is(models):
    waves = np.sin(np.mgrid[0:128, 0:128].sum(0) * 2 * np.pi / 128)[..., None] * 0.3 + 0.5
    source = np.repeat(waves, 3, axis=2).astype(np.float32)
    assert models["sd1"].make_seamless(REQUEST, source, Recorder()) is source


def test_the_seed_decides_and_a_small_strength_changes_less(models):
    first = models["sd1"].make_seamless(REQUEST, ramp(), Recorder())
    assert np.array_equal(models["sd1"].make_seamless(REQUEST, ramp(), Recorder()), first)
    assert not np.array_equal(
        models["sd1"].make_seamless(replace(REQUEST, seed=3), ramp(), Recorder()), first
    )


def test_a_strength_of_zero_is_refused_with_a_sentence(models):
    with pytest.raises(GenerationError, match="strength of 0"):
        models["sd1"].make_seamless(replace(REQUEST, strength=0), ramp(), Recorder())


def test_painting_can_be_cancelled(models):
    with pytest.raises(CancelledError):
        models["sd1"].make_seamless(REQUEST, ramp(), Recorder(cancel_at=(0, 1)))


def test_an_inpainting_model_makes_pictures_from_words_too(models):
    request = replace(REQUEST, width=128, height=128)
    made = next(models["inpaint"].generate(request, None, Recorder()))
    assert made.shape == (128, 128, 3)
    assert made.std() > 0.02
    again = next(models["inpaint"].generate(replace(request, seed=3), made, Recorder()))
    assert not np.array_equal(again, made)


def test_a_refiner_refines_an_image_and_says_so_where_there_is_none(tmp_path):
    refiner = diffusion.load(tiny_models.save_refiner(tmp_path / "refiner"), "fp32", "cpu", Recorder())
    request = replace(REQUEST, width=128, height=128, strength=0.5)
    source = np.random.default_rng(0).random((16, 16, 3), np.float32).repeat(8, 0).repeat(8, 1)
    made = next(refiner.generate(request, source, Recorder()))
    assert made.shape == (128, 128, 3)
    rolled = next(refiner.generate(request, np.roll(source, 32, 1), Recorder()))
    assert rolled.shape == made.shape
    with pytest.raises(GenerationError, match="cannot start from words"):
        next(refiner.generate(request, None, Recorder()))
