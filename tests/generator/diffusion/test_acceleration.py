# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled blocks and recorded work: faster, and otherwise the same; what fails costs speed and nothing else."""

from __future__ import annotations

import gc
import os
import re
import shutil
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from diffusers import UNet2DConditionModel
from recorder import Recorder, loaded
from torch import Tensor, nn

from generator import diffusion
from generator.diffusion import acceleration, calls, compiling, graphs
from generator.diffusion.acceleration import Ways, choose
from generator.diffusion.calls import tensors
from generator.diffusion.compiling import Blocks, Compiler
from generator.progress import GenerationError
from generator.protocol import Request
from generator.torus import TorusModule, wrap
from generator.torus.law import violation

REQUEST = Request(
    prompt="mossy red brick wall", model="tiny", width=128, height=128, num_inference_steps=4, seed=11
)


class ReplayedOnCpu:
    """Records work as the functions that did it. Like a graph it reads and writes the same memory each time."""

    def __init__(self, _device: torch.device | None = None) -> None:
        self.recorded = 0
        self.has_room = True

    def room(self) -> bool:
        return self.has_room

    def measured(self, call: Callable[[], Any]) -> Any:
        return call()

    def record(self, call: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        self.recorded += 1
        outputs = call()

        def replay() -> None:
            for kept, made in zip(tensors(outputs), tensors(call()), strict=True):
                kept.copy_(made)

        for kept in tensors(outputs):
            kept.fill_(float("nan"))  # nothing has been computed by recording alone
        return outputs, replay


class Block(nn.Module):
    """A stand-in for what a network repeats; `compiling.BLOCKS` is made to name it."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        return torch.nn.functional.silu(self.conv(image)) * self.scale


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block(), Block(1)])  # a compiler tells 1 from 1.0

    def forward(
        self, sample: Tensor, timestep: Tensor | float, more: dict[str, Tensor] | None = None
    ) -> tuple[Tensor]:
        for block in self.blocks:
            sample = sample + block(sample)
        if more is not None:
            sample = sample + more["words"].mean()
        return (sample * (timestep / 1000),)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    monkeypatch.setattr(compiling, "BLOCKS", ("Block",))
    torch.manual_seed(0)
    return Network().eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Which ways


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


# Recorded work


def graphed(network: nn.Module) -> tuple[graphs.Graphs, ReplayedOnCpu]:
    recorder = ReplayedOnCpu()
    return graphs.Graphs(network, recorder, threading.Lock()), recorder


def test_replays_give_what_calls_give(network):
    found, recorder = graphed(network)
    with torch.no_grad():
        wanted = [network(noise(1, 4, 8, 8, seed=seed), 100.0 * seed)[0] for seed in range(6)]
        with found.running("a"):
            made = [network(noise(1, 4, 8, 8, seed=seed), 100.0 * seed)[0] for seed in range(6)]
    # All at once at the end: an answer must not change when the next is made.
    for ours, theirs in zip(made, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert (recorder.recorded, found.replayed) == (1, 5)
    assert "forward" not in network.__dict__


def test_everything_a_call_is_given_is_read_anew(network):
    found, recorder = graphed(network)
    with torch.no_grad(), found.running():
        for seed in range(4):
            words = noise(2, 3, seed=seed)
            ours = network(noise(1, 4, 8, 8, seed=seed), torch.tensor(seed), more={"words": words})[0]
    with torch.no_grad():
        wanted = network(noise(1, 4, 8, 8, seed=3), torch.tensor(3), more={"words": noise(2, 3, seed=3)})[0]
    torch.testing.assert_close(ours, wanted)
    assert recorder.recorded == 1


def test_another_size_or_another_making_is_recorded_by_itself(network):
    found, recorder = graphed(network)
    with torch.no_grad():
        for made, side in (("a", 8), ("a", 12), ("b", 8), ("b", 8)):
            with found.running(made):
                for seed in range(3):
                    image = noise(1, 4, side, side, seed=seed)
                    assert torch.allclose(
                        network(image, 500.0)[0], type(network).forward(network, image, 500.0)[0]
                    )
    assert recorder.recorded == 3  # the second opening of "b" finds what the first left


def test_no_more_recordings_are_kept_than_memory_is_meant_for(network, monkeypatch):
    monkeypatch.setattr(graphs, "MOST", 2)
    found, recorder = graphed(network)
    with torch.no_grad(), found.running():
        for side in (8, 10, 12, 8):
            for _ in range(3):
                network(noise(1, 4, side, side), 500.0)
    assert recorder.recorded == 4


@pytest.mark.parametrize("why", ["no room", "busy", "gradients", "hooked", "dropped"])
def test_where_nothing_can_be_recorded_calls_are_calls(network, why):
    found, recorder = graphed(network)
    recorder.has_room = why != "no room"
    if why == "busy":
        found._busy.acquire()
    if why == "hooked":
        network.forward = network.forward
    if why == "dropped":
        found.drop()
    with torch.set_grad_enabled(why == "gradients"), found.running():
        made = [network(noise(1, 4, 8, 8), 500.0)[0] for _ in range(4)]
    assert recorder.recorded == 0
    torch.testing.assert_close(made[3], made[0])


@pytest.mark.parametrize(
    "error", [RuntimeError("not permitted when stream is capturing"), torch.OutOfMemoryError()]
)
def test_a_recording_that_fails_costs_nothing_but_speed(network, error, caplog):
    found, recorder = graphed(network)

    def fail(_call: Callable[[], Any]) -> Any:
        raise error

    recorder.record = fail
    with torch.no_grad(), found.running():
        made = [network(noise(1, 4, 8, 8), 500.0)[0] for _ in range(4)]
    torch.testing.assert_close(made[3], made[0])
    assert found.given_up
    assert len(caplog.records) == 1


def test_memory_is_given_back(network):
    found, _ = graphed(network)
    with torch.no_grad(), found.running():
        for _ in range(3):
            network(noise(1, 4, 8, 8), 500.0)
    assert found.drop()
    assert not found.drop()


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
    assert found.replayed == 7  # two images of four steps, but for the first, which goes as it is
    list(model.generate(replace(request, seamless="x"), None, Recorder()))
    [unwrapped] = model.generate(replace(request, count=1, seamless="off"), None, Recorder())
    assert np.abs(unwrapped - wanted[0]).max() > 0.01, "A recording was replayed for other axes."


# Compiled blocks


def test_a_twin_keeps_its_classes(network):
    with wrap(network):
        twin = calls.twin(network)
    assert not any(isinstance(part, TorusModule) for part in network.modules())
    assert sum(isinstance(part, TorusModule) for part in twin.modules()) == 3
    assert [p.data_ptr() for p in twin.parameters()] == [p.data_ptr() for p in network.parameters()]
    image = noise(1, 4, 8, 8)
    with wrap(network):
        wanted = network(image, 1000.0)[0]
    torch.testing.assert_close(twin(image, 1000.0)[0], wanted)


def through(
    compiler: Compiler, network: nn.Module, side: tuple[int, int] = (8, 8), axes=(True, True)
) -> Tensor:
    with torch.no_grad(), wrap(network, *axes), Blocks(network, compiler).running():
        return network(noise(1, 4, *side), 500.0)[0]


def test_blocks_are_compiled_beside_the_images_and_then_used(network, own_state):
    from torch._dynamo.utils import counters

    compiler = Compiler()
    with torch.no_grad(), wrap(network):
        wanted = {side: network(noise(1, 4, *side), 500.0)[0] for side in ((8, 8), (12, 20))}
    assert torch.equal(through(compiler, network), wanted[8, 8])  # nobody waits
    assert compiler.wait(300)
    assert compiler.rejected == []
    assert compiler.done >= 1
    before = counters["stats"]["unique_graphs"]
    assert len(compiler.ready()) == 2  # three blocks, two of them made alike
    calls_of_plain: list[int] = []
    monkeypatched = Block.forward
    try:
        Block.forward = lambda *given: calls_of_plain.append(1) or monkeypatched(*given)
        torch.testing.assert_close(through(compiler, network), wanted[8, 8], rtol=0, atol=1e-6)
    finally:
        Block.forward = monkeypatched
    assert calls_of_plain == []
    law = violation(lambda image: _run(compiler, network, image), noise(1, 4, 8, 8), (3, 5))
    assert law < 1e-6
    # A new size is tried, and nothing is compiled for it again.
    through(compiler, network, (12, 20))
    assert compiler.wait(300)
    assert len(compiler.ready()) == 4
    torch.testing.assert_close(through(compiler, network, (12, 20)), wanted[12, 20], rtol=0, atol=1e-6)
    assert counters["stats"]["unique_graphs"] == before


def _run(compiler: Compiler, network: nn.Module, image: Tensor) -> Tensor:
    with torch.no_grad(), wrap(network), Blocks(network, compiler).running():
        return network(image, 500.0)[0]


def test_other_axes_are_other_blocks(network, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda plain, **_: plain)
    compiler = Compiler()
    for axes in ((True, True), (True, False), (False, False)):
        wanted = through(Compiler(), network, axes=axes)
        through(compiler, network, axes=axes)
        assert compiler.wait(60)
        assert torch.equal(through(compiler, network, axes=axes), wanted)
    assert len(compiler.ready()) == 6


@pytest.mark.parametrize("fault", ["wrong", "raises"])
def test_a_compiler_that_fails_is_not_used(network, fault, monkeypatch):
    def bad(plain: Callable[..., Tensor], **_: Any) -> Callable[..., Tensor]:
        def compiled(*args: Any, **kwargs: Any) -> Tensor:
            if fault == "raises":
                raise RuntimeError("no compiler here")
            return plain(*args, **kwargs) * 1.1

        return compiled

    monkeypatch.setattr(torch, "compile", bad)
    compiler = Compiler()
    wanted = through(compiler, network)
    assert compiler.wait(60)
    assert compiler.ready() == {}
    assert "off by" in compiler.rejected[0] if fault == "wrong" else "no compiler" in compiler.rejected[0]
    assert torch.equal(through(compiler, network), wanted)


def test_what_fails_in_mid_image_is_computed_plainly_and_not_used_again(network, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda plain, **_: plain)
    compiler = Compiler()
    wanted = through(compiler, network)
    assert compiler.wait(60)
    tried: list[int] = []

    def fails(*_: Any) -> Tensor:
        tried.append(1)
        raise RuntimeError("recompile limit reached")

    compiler._ready = dict.fromkeys(compiler.ready(), fails)
    for _ in range(2):
        assert torch.equal(through(compiler, network), wanted)
    assert len(tried) == 3  # all three blocks had begun with what was ready then
    assert compiler.ready() == {}
    assert "recompile limit" in compiler.rejected[0]


def test_a_model_that_is_let_go_of_is_not_held_by_what_waits(network, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda plain, **_: plain)
    compiler, unloved = Compiler(), Network()
    blocks = Blocks(unloved, compiler)
    with compiler.busy:  # the thread has to wait
        with torch.no_grad(), blocks.running():
            for side in (8, 10, 12):
                unloved(noise(1, 4, side, side), 500.0)
        weights = weakref.ref(unloved.blocks[0].conv.weight)
        blocks.drop()
        assert all(work.block is None for work in compiler._waiting)
    assert compiler.wait(60)
    del unloved, blocks
    gc.collect()
    assert weights() is None


def test_what_an_offloading_hook_runs_is_left_to_it(network, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda plain, **_: plain)
    hooks = pytest.importorskip("accelerate.hooks")
    for part in network.modules():
        hooks.add_hook_to_module(part, hooks.ModelHook())
    compiler = Compiler()
    through(compiler, network)
    assert compiler.wait(60)
    assert compiler.ready() == {}


def test_what_is_compiled_stays_in_the_user_s_folder(own_state, monkeypatch):
    for variable in compiling.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    compiling.keep_compiled()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"].startswith(str(own_state))
    monkeypatch.setenv("TRITON_CACHE_DIR", "/elsewhere")
    compiling.keep_compiled()
    assert os.environ["TRITON_CACHE_DIR"] == "/elsewhere"


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
