# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that prints the law for every family: its figures, its check and its page."""

from __future__ import annotations

import finished_seams
import numpy as np
import pytest
import small_models
import small_transformers
import torch
import torus_law
from torch import nn
from torus_law_page import page


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def test_circular_padding_of_every_convolution_leaves_a_seam_in_the_encoder_and_ours_none():
    encode, decode = (torus_law.exact(case) for case in small_models.autoencoder_kl())
    assert decode.circular <= decode.case.bound
    assert encode.circular > 0.05
    assert encode.kept
    assert decode.kept


def test_other_tools_ways_are_undone():
    layer = nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect")
    with torus_law.every_conv2d_circular(layer):
        assert layer.padding_mode == "circular"
    assert layer.padding_mode == "reflect"


def test_a_row_fails_where_the_law_is_broken_or_nothing_was_there_to_break_it():
    case = small_models.autoencoder_kl()[0]
    assert torus_law.Exact(case, 0.5, 0.1, 1e-15, 1e-15, 1e-15).kept
    assert not torus_law.Exact(case, 0.5, 0.1, 1e-15, 1e-15, 1e-3).kept
    assert not torus_law.Exact(case, 1e-15, 1e-15, 1e-15, 1e-15, 1e-15).kept
    bad, good = finished_seams.Seam(2.0, 0.1), finished_seams.Seam(1.05, 0.1)
    assert torus_law.Positioned("Flux", 0.1, 0.05, bad, good).kept
    assert not torus_law.Positioned("Flux", 0.1, 0.05, good, bad).kept


def test_the_page_shows_every_row_and_the_command():
    case = small_models.autoencoder_kl()[0]
    seams = finished_seams.Seam(2.0, 0.1), finished_seams.Seam(1.05, 0.1)
    rows = [torus_law.Exact(case, 0.5, 0.1, 1e-15, 1e-15, 1e-3)]
    text = page(rows, [torus_law.Positioned("Flux", 0.1, 0.05, *seams)], torus_law.COMMAND, 300, 16)
    assert torus_law.COMMAND in text
    assert "| AutoencoderKL | encode | 0.5 | 0.1 | 1e-15 | 1e-15 | 1e-03 | 1e-12 | not kept |" in text
    assert "| Flux | 0.1 | 0.05 | 2.00 ± 0.10 | 1.05 ± 0.10 | ok |" in text


def test_the_pictures_to_learn_from_have_a_seam():
    fields = finished_seams.crops(16, torch.Generator().manual_seed(0))
    crops = [field.permute(1, 2, 0).numpy() for field in fields]
    assert np.mean([finished_seams.seam_ratios(crop) for crop in crops]) > 3
    mirrored = [np.concatenate((crop, crop[::-1]), axis=0) for crop in crops]
    x, y = np.mean([finished_seams.seam_ratios(picture) for picture in mirrored], axis=0)
    assert x > 3
    assert y < 0.5, "mirrored, the border's rows are the same"


def test_training_teaches_a_model_to_denoise():
    """A few steps only; what the page shows has been trained for longer."""
    denoiser = small_transformers.flux()
    generator = torch.Generator().manual_seed(1)
    clean = finished_seams.crops(4, generator)
    noise, times = torch.randn(clean.shape, generator=generator), torch.full((4,), 0.5)

    def error() -> float:
        return float((denoiser.call((clean + noise) / 2, times) - (noise - clean)).square().mean())

    denoiser.module.float()
    untrained = error()
    finished_seams.train(denoiser, 12)
    assert error() < 0.9 * untrained
    for periodic in (False, True):
        assert 0.5 < finished_seams.finished_seam(denoiser, range(1), periodic).mean < 2
