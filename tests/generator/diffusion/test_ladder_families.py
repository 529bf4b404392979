# SPDX-License-Identifier: GPL-3.0-or-later
"""Every family goes down the ladder, whatever its denoiser is called with and gives back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_transformers as tiny
from recorder import Recorder, loaded

from generator import diffusion
from generator.diffusion import attempts, hardware, slices
from generator.diffusion.ladder import Measure
from generator.protocol import Request

SAVERS: dict[str, Callable[[Path], Path]] = {
    "sd3": tiny.save_sd3,
    "flux": tiny.save_flux,
    "qwen": tiny.save_qwen_image,
    "z-image": tiny.save_z_image,
    "pixart": tiny.save_pixart,
    "sana": tiny.save_sana,
}
REQUEST = Request(
    prompt="mossy brick",
    negative_prompt="wood",
    model="tiny",
    width=64,
    height=64,
    num_inference_steps=2,
    seed=4,
    guidance_scale=3,
)
MEASURES = (
    (Measure.SLICES,),
    (Measure.ONE_BY_ONE,),
    (Measure.MODEL_OFFLOAD,),
    (Measure.GROUP_OFFLOAD,),
    (Measure.FP8,),
    (Measure.SLICES, Measure.ONE_BY_ONE, Measure.FP8, Measure.GROUP_OFFLOAD),
)


@pytest.mark.parametrize("family", SAVERS)
def test_every_measure_works_for_every_family(tmp_path, monkeypatch, family):
    monkeypatch.setattr(hardware, "has_own_memory", lambda _device: True)
    monkeypatch.setattr(hardware, "attends_at_once", lambda _device, _dtype: True)
    monkeypatch.setattr(slices, "SLICE_BYTES", 1 << 12)
    folder, plain = SAVERS[family](tmp_path / family), attempts.Attempts._first
    expected = next(diffusion.load(folder, "fp32", "cpu", Recorder()).generate(REQUEST, None, Recorder()))
    for number, measures in enumerate(MEASURES):
        monkeypatch.setenv(
            "DREAM_TEXTURES_STATE", str(tmp_path / str(number))
        )  # nothing learnt from the last
        monkeypatch.setattr(
            attempts.Attempts,
            "_first",
            lambda self, job, measures=measures: plain(self, job).having(measures),
        )
        model, progress = diffusion.load(folder, "fp32", "cpu", Recorder()), Recorder()
        picture = next(model.generate(REQUEST, None, progress))
        assert loaded(model).plan.measures == measures
        assert sum("Memory is short" in notice for notice in progress.notices) == 1
        if measures in ((Measure.MODEL_OFFLOAD,), (Measure.GROUP_OFFLOAD,)):
            assert np.array_equal(picture, expected), measures
        elif Measure.FP8 not in measures:
            assert np.abs(picture - expected).max() < 1e-3, measures
        else:
            assert np.corrcoef(picture.ravel(), expected.ravel())[0, 1] > 0.9, measures
