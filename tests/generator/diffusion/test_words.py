# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that were read before are not read again, and nobody can tell from the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import tiny_transformers
import torch
from recorder import Recorder, loaded

from generator import diffusion
from generator.diffusion import words
from generator.diffusion.words import Words
from generator.protocol import Request

REQUEST = Request(
    prompt="mossy red brick",
    negative_prompt="blue",
    model="tiny",
    width=128,
    height=128,
    num_inference_steps=2,
    guidance_scale=4,
    seed=7,
)
SAVE = {"sd1": tiny_models.save_sd, "sdxl": tiny_models.save_sdxl, **tiny_transformers.FAMILIES}


def make(model: Any, request: Request = REQUEST, source: np.ndarray | None = None) -> list[np.ndarray]:
    return list(model.generate(request, source, Recorder()))


def counted(model: Any) -> list[str]:
    """Names every part that reads words, at each time that it does so."""
    calls: list[str] = []
    for name, part in loaded(model).pipeline.components.items():
        if name.startswith("text_encoder") and part is not None:
            part.register_forward_hook(lambda *_, name=name: calls.append(name))
    return calls


def source() -> np.ndarray:
    return np.random.default_rng(0).random((4, 4, 3), np.float32).repeat(32, 0).repeat(32, 1)


@pytest.mark.parametrize("family", SAVE)
def test_the_same_words_are_read_once_and_give_the_same_pictures_to_the_bit(tmp_path: Path, family: str):
    folder = SAVE[family](tmp_path / family)
    plain = diffusion.load(folder, "fp32", "cpu", Recorder())
    loaded(plain).pipeline.__dict__.pop("encode_prompt")
    expected = [*make(plain), *make(plain, replace(REQUEST, seed=9))]
    model = diffusion.load(folder, "fp32", "cpu", Recorder())
    calls = counted(model)
    first = make(model)
    assert calls, "somebody has to read them once"
    calls.clear()
    again = make(model, replace(REQUEST, seed=9))
    assert calls == []
    assert all(map(np.array_equal, [*first, *again], expected))


def test_image_to_image_and_words_alone_share_what_they_know(folders):
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    calls = counted(model)
    fresh = make(model, replace(REQUEST, strength=0.5), source())
    assert calls
    make(model)
    calls.clear()
    assert np.array_equal(make(model, replace(REQUEST, strength=0.5), source()), fresh)
    assert calls == []


@pytest.mark.parametrize(
    "change", [{"prompt": "wood"}, {"negative_prompt": "red"}, {"guidance_scale": 1.0}], ids=str
)
def test_other_words_are_read(folders, change):
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    calls = counted(model)
    first = make(model)
    calls.clear()
    assert not np.array_equal(make(model, replace(REQUEST, **change)), first)
    assert calls


class Pipeline:
    """As much of a pipeline as `Words` knows."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def encode_prompt(self, prompt: Any, device: Any = None, embeddings: Any = None, **more: Any) -> Any:
        self.calls.append((prompt, device, embeddings))
        return torch.full((2,), float(len(self.calls))), [torch.zeros(1)], None


def test_whoever_writes_into_what_was_remembered_harms_nobody():
    pipeline = Pipeline()
    Words().remember(pipeline)
    pipeline.encode_prompt("moss")[0].zero_()
    made, listed, nothing = pipeline.encode_prompt(prompt="moss", device=None)
    assert made.tolist() == [1, 1]
    assert nothing is None
    listed[0].add_(1)
    assert pipeline.encode_prompt("moss")[1][0].tolist() == [0]
    assert len(pipeline.calls) == 1


def test_embeddings_of_one_s_own_go_through_and_other_states_are_other_words():
    state, pipeline = ["plain"], Pipeline()
    Words(lambda: tuple(state)).remember(pipeline)
    for _ in range(2):
        pipeline.encode_prompt("moss", embeddings=torch.zeros(1))
    assert len(pipeline.calls) == 2
    pipeline.encode_prompt(["moss"])
    state[0] = "with a LoRA"
    pipeline.encode_prompt(["moss"])
    state[0] = "plain"
    pipeline.encode_prompt(["moss"])
    assert len(pipeline.calls) == 4


def test_only_a_handful_is_kept_and_what_was_used_last_stays(monkeypatch):
    pipeline = Pipeline()
    Words().remember(pipeline)
    for number in range(words.ENTRIES):
        pipeline.encode_prompt(f"{number}")
    pipeline.encode_prompt("0")
    pipeline.encode_prompt("one more")
    assert len(pipeline.calls) == words.ENTRIES + 1
    pipeline.encode_prompt("0")
    assert len(pipeline.calls) == words.ENTRIES + 1
    pipeline.encode_prompt("1")
    assert len(pipeline.calls) == words.ENTRIES + 2
    monkeypatch.setattr(words, "BYTES", 20)
    pipeline.encode_prompt("large")
    pipeline.encode_prompt("0")
    assert len(pipeline.calls) == words.ENTRIES + 4
