# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways to be faster a device goes, and that a model goes them: its pictures stay what they are."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
from diffusers import UNet2DConditionModel
from recorder import Recorder, loaded
from repeating import ReplayedOnCpu

from generator import diffusion
from generator.diffusion import acceleration, compiling
from generator.diffusion.acceleration import Ways, choose
from generator.diffusion.compiling import Compiler
from generator.progress import GenerationError
from generator.protocol import Request

REQUEST = Request(
    prompt="mossy red brick wall", model="tiny", width=128, height=128, num_inference_steps=4, seed=11
)


@pytest.mark.parametrize(
    ("device", "stays", "wish", "ways"),
    [
        ("cpu", True, "auto", Ways(False, False)),
        ("cpu", True, "compiled", Ways(False, True)),
        ("mps", True, "auto", Ways(False, False)),
        ("cuda", False, "auto", Ways(True, False)),
        ("cuda", True, "graphs", Ways(True, False)),
        ("cuda", True, "off", Ways(False, False)),
        ("cuda", False, "compiled", Ways(True, True)),
    ],
)
def test_every_device_goes_its_ways(device, stays, wish, ways, monkeypatch):
    assert choose(torch.device(device), stays, wish) == ways
    monkeypatch.setenv(acceleration.VARIABLE, wish.upper())
    assert choose(torch.device(device), stays) == ways


@pytest.mark.parametrize("has_triton", [True, False])
def test_a_card_compiles_where_there_is_a_compiler(has_triton, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if has_triton else None)
    assert choose(torch.device("cuda"), True, "auto") == Ways(True, has_triton)


def test_the_preferences_offer_what_there_is():
    root = Path(__file__).parents[3] / "dream_textures_addon"
    page = (root / "ui" / "preferences.py").read_text("utf-8")
    items = page.split("ACCELERATION_ITEMS = [")[1].split("]")[0]
    assert set(re.findall(r'\(\s*"(\w+)",', items)) == set(acceleration.WISHES)
    assert f'"{acceleration.VARIABLE}"' in (root / "runtime_state.py").read_text("utf-8")


def test_a_wish_that_nobody_knows_is_a_sentence(folders, monkeypatch):
    monkeypatch.setenv(acceleration.VARIABLE, "warp")
    with pytest.raises(GenerationError, match="'warp'"):
        list(diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()).generate(REQUEST, None, Recorder()))


def test_a_model_replays_its_denoiser(folders, monkeypatch):
    """From the second image on: the first is watched, whether the model keeps the law on this device."""
    plain = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    request = replace(REQUEST, count=3, scheduler="euler_a")
    wanted = list(plain.generate(request, None, Recorder()))
    monkeypatch.setattr(acceleration, "choose", lambda *_: Ways(True, False))
    monkeypatch.setattr(acceleration, "CudaRecorder", ReplayedOnCpu)
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    made = list(model.generate(request, None, Recorder()))
    for ours, theirs in zip(made, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    found = loaded(model).acceleration.graphs
    assert found.replayed == 6  # two images of four steps, but for the first two, which go as they are
    list(model.generate(replace(request, seamless="x"), None, Recorder()))
    [unwrapped] = model.generate(replace(request, count=1, seamless="off"), None, Recorder())
    assert np.abs(unwrapped - wanted[0]).max() > 0.01, "A recording was replayed for other axes."


def test_recordings_are_the_first_to_go_where_memory_is_short(folders, monkeypatch):
    monkeypatch.setattr(acceleration, "choose", lambda *_: Ways(True, False))
    monkeypatch.setattr(acceleration, "CudaRecorder", ReplayedOnCpu)
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    wanted = list(model.generate(replace(REQUEST, count=3), None, Recorder()))
    held = loaded(model)
    assert held.acceleration.graphs._recordings

    def fail(*_: object) -> None:
        handle.remove()
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    handle, progress = held.denoiser.register_forward_pre_hook(fail), Recorder()
    [made] = model.generate(REQUEST, None, progress)
    np.testing.assert_allclose(made, wanted[0], atol=1e-4)
    assert progress.notices == [], "nothing had to be done differently"
    assert loaded(model) is held
    assert held.plan.measures == ()


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for a processor with g++")
def test_a_model_compiles_while_its_first_images_are_made(tmp_path, monkeypatch):
    folder = tiny_models.save_sd(tmp_path / "model", "sd1")
    monkeypatch.setattr(
        compiling, "BLOCKS", ("Downsample2D", "Upsample2D")
    )  # few, so that this takes no minutes
    monkeypatch.setattr(UNet2DConditionModel, "_repeated_blocks", [])
    compiler = Compiler()
    monkeypatch.setattr(acceleration, "COMPILER", compiler)
    [plain] = diffusion.load(folder, "fp32", "cpu", Recorder()).generate(REQUEST, None, Recorder())
    monkeypatch.setenv(acceleration.VARIABLE, "compiled")
    model = diffusion.load(folder, "fp32", "cpu", Recorder())
    for _ in range(3):
        [made] = model.generate(REQUEST, None, Recorder())
        np.testing.assert_allclose(made, plain, atol=1e-3)
        assert compiler.wait(400)
    assert compiler.rejected == []
    assert len(compiler.ready()) > 2
