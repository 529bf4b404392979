# SPDX-License-Identifier: GPL-3.0-or-later
"""Where memory is short, pictures are put together from tiles; the artist is told, and they still tile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
from recorder import Recorder

from generator import diffusion
from generator.diffusion import codec, memory
from generator.protocol import Request

REQUEST = Request(
    prompt="mossy brick", model="tiny", width=768, height=640, num_inference_steps=1, seed=4, strength=0.5
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_sd(tmp_path_factory.mktemp("models") / "sd1")


def make(folder: Path, request: Request = REQUEST, source: np.ndarray | None = None):
    progress = Recorder()
    model = diffusion.load(folder, "fp32", "cpu", Recorder())
    return next(model.generate(request, source, progress)), progress.notices


def border_against_inside(picture: np.ndarray, axis: int) -> float:
    """At the border, over the lines of the same phase of the decoder's 8 pixels."""
    lines = np.abs(picture - np.roll(picture, 1, axis)).mean(axis=(1 - axis, 2))[::8]
    return float(lines[0] / lines[1:].mean())


@pytest.mark.parametrize("with_source", [False, True])
def test_a_device_with_little_memory_makes_the_same_picture_from_tiles(folder, monkeypatch, with_source):
    squares = np.random.default_rng(0).random((20, 24, 3), np.float32).repeat(32, 0).repeat(32, 1)
    source = squares if with_source else None
    whole, notices = make(folder, REQUEST, source)
    assert notices == []
    monkeypatch.setattr(memory, "total_memory", lambda _device: 100 << 20)
    tiled, notices = make(folder, REQUEST, source)
    assert len(notices) == (2 if with_source else 1)
    assert all("tiles of" in notice for notice in notices)
    assert not np.array_equal(tiled, whole)
    # Encoded in tiles as well, and then amplified by a random denoiser, it may differ a little more.
    assert np.abs(tiled - whole).mean() < (0.2 if with_source else 0.1) * whole.std()
    for axis in (0, 1):
        expected = border_against_inside(whole, axis)
        assert border_against_inside(tiled, axis) == pytest.approx(expected, abs=0.1 if with_source else 0.05)


def test_running_out_of_memory_once_falls_back_to_tiles(folder, monkeypatch):
    whole, _ = make(folder)
    plain = codec.in_one_piece

    def exhausted(*_arguments: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(codec, "in_one_piece", exhausted)
    tiled, notices = make(folder)
    assert plain is not exhausted
    assert len(notices) == 1
    assert "not enough memory" in notices[0]
    assert np.abs(tiled - whole).mean() < 0.1 * whole.std()


def test_tiles_become_smaller_until_they_fit(folder, monkeypatch):
    """What is decoded at once is counted, and more than 16 x 16 latents do not fit."""
    request = replace(REQUEST, width=512, height=384)
    for name, value in {"_SIDES": (48, 32, 24, 16), "_MARGIN": 4, "_OVERLAP": 2}.items():
        monkeypatch.setattr(memory, name, value)
    sides, decoded = [], codec.decode

    def short(vae, latents, way):
        def limited(coder, image, cells):
            def one(part: torch.Tensor) -> torch.Tensor:
                sides.append(max(part.shape[-2:]))
                if sides[-1] > 16:
                    raise torch.OutOfMemoryError("CUDA out of memory.")
                return coder(part)

            return way(one, image, cells)

        return decoded(vae, latents, limited)

    monkeypatch.setattr(codec, "decode", short)
    _, notices = make(folder, request)
    assert sides[0] == 64, "in one piece"
    assert 16 < sides[1] <= 32
    assert max(sides[2:]) <= 16
    assert notices == ["There was not enough memory at first; the image was decoded in tiles."]


def test_how_a_picture_is_cut_depends_on_the_whole_memory_not_on_what_is_free(monkeypatch):
    vae, device = tiny_models.vae(), torch.device("cpu")
    real = {"block_out_channels": (128, 256, 512, 512)}

    def cut(memory_bytes: int, side: int, dtype: torch.dtype = torch.float16) -> int | None:
        monkeypatch.setattr(memory, "total_memory", lambda _device: memory_bytes)
        monkeypatch.setattr(memory, "_channels", lambda _vae: real["block_out_channels"][0])
        tiles = memory.tiles_for(vae, 8, side // 8, side // 8, device, dtype)
        return None if tiles is None else tiles.side

    assert cut(24 << 30, 1024) is None
    assert cut(24 << 30, 4096) == 192
    assert cut(8 << 30, 2048) == 128
    assert cut(4 << 30, 1024) == 64
    assert cut(4 << 30, 512) is None
    assert cut(0, 4096) is not None, "unknown memory is taken to be small"


def test_no_more_than_a_tile_is_decoded_at_once(folder, monkeypatch):
    monkeypatch.setattr(memory, "total_memory", lambda _device: 100 << 20)
    seen, decoded = [], codec.decode

    def spy(vae, latents, way):
        def watching(coder, image, cells):
            return way(lambda part: seen.append(part.shape[-2:]) or coder(part), image, cells)

        return decoded(vae, latents, watching)

    monkeypatch.setattr(codec, "decode", spy)
    make(folder, replace(REQUEST, width=1024, height=1024))
    limit = memory.tiles_for(tiny_models.vae(), 8, 128, 128, torch.device("cpu"), torch.float32)
    assert limit is not None
    assert len(seen) > 1
    assert max(max(shape) for shape in seen) <= limit.side
