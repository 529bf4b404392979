# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled blocks: made beside the images, used where they were seen to give the same, left alone where not."""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from repeating import Block, Network, noise
from torch import Tensor, nn

from generator.diffusion import calls, compiling
from generator.diffusion.compiling import Blocks, Compiler
from generator.torus import TorusModule, wrap
from generator.torus.law import violation


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


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for a processor with g++")
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
