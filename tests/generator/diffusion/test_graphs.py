# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded work: replays give what calls give, and what cannot be recorded costs speed and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from repeating import ReplayedOnCpu, noise
from torch import nn

from generator.diffusion import graphs


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
    assert (recorder.recorded, found.replayed) == (1, 4)
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
                for seed in range(4):
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
            for _ in range(4):
                network(noise(1, 4, side, side), 500.0)
    assert recorder.recorded == 4


@pytest.mark.parametrize("why", ["no room", "busy", "gradients", "hooked", "given up"])
def test_where_nothing_can_be_recorded_calls_are_calls(network, why):
    found, recorder = graphed(network)
    recorder.has_room = why != "no room"
    if why == "busy":
        found._busy.acquire()
    if why == "hooked":
        network.forward = network.forward
    found.given_up = why == "given up"
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
        for _ in range(4):
            network(noise(1, 4, 8, 8), 500.0)
    assert found.drop()
    assert not found.drop()
    with torch.no_grad(), found.running():
        for _ in range(4):
            network(noise(1, 4, 8, 8), 500.0)
    assert found.drop(), "where there is room again, work is recorded again"
