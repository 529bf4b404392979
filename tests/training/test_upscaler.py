# SPDX-License-Identifier: GPL-3.0-or-later
"""The upscaler's training: what it learns from, that it learns, and that it can be stopped and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import training.upscaler.__main__ as command  # noqa: E402
from generator.networks import read_weights  # noqa: E402
from generator.networks.torch_operations import TorchOperations  # noqa: E402
from generator.upscaling.compact import Shape, apply, read_shape  # noqa: E402
from training.dataset import Materials, build  # noqa: E402
from training.loop import Settings  # noqa: E402
from training.upscaler.__main__ import run  # noqa: E402
from training.upscaler.beginning import begin  # noqa: E402
from training.upscaler.degrading import KERNELS, shrink  # noqa: E402
from training.upscaler.evaluation import psnr, spectral_distance, table, write_cards  # noqa: E402
from training.upscaler.losses import losses  # noqa: E402
from training.upscaler.samples import Draw  # noqa: E402

SIZE = 32


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small materials of each split."""
    out = tmp_path_factory.mktemp("data")
    build("train", 8, SIZE, out, workers=1)
    build("held-out", 4, SIZE, out, workers=1)
    return out


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [2, 4])
def test_making_smaller_keeps_the_mean_and_the_torus(kernel: str, factor: int) -> None:
    picture = torch.rand((2, 3, 32, 48), generator=torch.Generator().manual_seed(0))
    small = shrink(picture, factor, kernel)
    assert small.shape == (2, 3, 32 // factor, 48 // factor)
    assert torch.allclose(small.mean((-2, -1)), picture.mean((-2, -1)), atol=2e-3)
    even = torch.full((1, 1, 16, 16), 0.3)
    assert torch.allclose(shrink(even, factor, kernel), even[..., ::factor, ::factor], atol=1e-6)
    rolled = shrink(picture.roll((factor, 2 * factor), (-2, -1)), factor, kernel)
    assert torch.allclose(rolled, small.roll((1, 2), (-2, -1)), atol=1e-6)


@pytest.mark.parametrize(("kind", "channels"), [("colour", 3), ("data", 1)])
def test_a_batch_depends_on_its_number_alone(data: Path, kind: str, channels: int) -> None:
    materials = Materials(data / f"train-{SIZE}")
    small, truth = Draw(materials, kind, 2, 0).batch(5, 3, 16)
    again, _ = Draw(materials, kind, 2, 0).batch(5, 3, 16)
    other, _ = Draw(materials, kind, 2, 0).batch(6, 3, 16)
    assert (small.shape, truth.shape) == ((3, channels, 16, 16), (3, channels, 32, 32))
    assert torch.equal(small, again)
    assert not torch.equal(small, other)
    # Both show the same place: the means of blocks are what the small one has, but for kernel and compression.
    blocks = torch.nn.functional.avg_pool2d(truth, 2)
    assert float((blocks - small).abs().mean()) < 0.5 * float((blocks.roll(8, -1) - small).abs().mean())


def test_the_loss_is_nothing_for_the_truth_and_sees_both_faults() -> None:
    truth = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    assert sum(float(part) for part in losses(truth, truth).values()) == 0
    moved = losses(truth.roll(3, -1), truth)
    assert float(moved["pixels"]) > 0.1
    assert float(moved["spectrum"]) < 1e-6, "a place makes no difference to a spectrum"
    soft = losses(truth.mean((-2, -1), keepdim=True).expand_as(truth), truth)
    assert float(soft["spectrum"]) > 1e-3


@pytest.mark.parametrize("shape", [Shape(3, 32, 4, 2), Shape(1, 12, 2, 4), Shape(3, 27, 5, 4)])
def test_it_begins_as_the_cubic_filter(shape: Shape) -> None:
    rng = np.random.default_rng(0)
    picture = torch.from_numpy(rng.random((1, shape.channels, 12, 16), dtype=np.float32))
    made = apply(TorchOperations(), begin(shape, 0), shape, picture)
    # torch's own has a = -0.75; the weights of the filter here are written out anew.
    expected = _enlarged(picture.numpy(), shape.scale)
    assert np.abs(made.numpy() - expected).max() < 1e-5


def _enlarged(picture: np.ndarray, scale: int) -> np.ndarray:
    """Catmull and Rom's spline through the pixels, along one axis after the other."""
    for axis in (-2, -1):
        parts = []
        for place in range(scale):
            share = (place + 0.5) / scale - 0.5
            base, t = (-1, share + 1) if share < 0 else (0, share)
            p = [np.roll(picture, -(base + step), axis) for step in (-1, 0, 1, 2)]
            slope = (p[2] - p[0]) / 2, (p[3] - p[1]) / 2
            parts.append(
                (2 * t**3 - 3 * t**2 + 1) * p[1]
                + (t**3 - 2 * t**2 + t) * slope[0]
                + (3 * t**2 - 2 * t**3) * p[2]
                + (t**3 - t**2) * slope[1]
            )
        stacked = np.stack(parts, axis=picture.ndim + axis + 1)
        size = list(picture.shape)
        size[axis] *= scale
        picture = stacked.reshape(size)
    return picture


def test_it_learns_and_gives_a_file_that_the_product_reads(data: Path, tmp_path: Path) -> None:
    shape = Shape(3, 8, 3, 2)
    path = run(data / f"train-{SIZE}", tmp_path, "colour", shape, Settings(steps=80), side=16, count=4)
    weights = read_weights(path)
    assert read_shape(weights.tensors) == shape
    assert weights.metadata["architecture"] == "SRVGGNetCompact"
    assert weights.metadata["step"] == "80"
    small, truth = Draw(Materials(data / f"train-{SIZE}"), "colour", 2, 1).batch(0, 8, 16)
    begun, learnt = (
        losses(apply(TorchOperations(), given, shape, small), truth)["pixels"]
        for given in (begin(shape, 0), {n: torch.from_numpy(v) for n, v in weights.tensors.items()})
    )
    assert learnt < begun
    assert (tmp_path / "upscaler-colour-x2" / "curve.png").is_file()


def test_a_run_in_pieces_is_the_run_in_one_piece(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, source = Shape(1, 6, 3, 2), data / f"train-{SIZE}"
    settings = Settings(steps=6, warm_up=2)
    whole = read_weights(run(source, tmp_path / "whole", "data", shape, settings, side=16, count=2))
    trained = command.train

    def killed(start, losses, given, folder, minutes):
        def until(weights, step):
            if step == 3:
                raise KeyboardInterrupt
            return losses(weights, step)

        return trained(start, until, given, folder, minutes, checkpoint_minutes=0.0)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(command, "train", killed)
        run(source, tmp_path / "parts", "data", shape, settings, side=16, count=2)
    pieces = read_weights(run(source, tmp_path / "parts", "data", shape, settings, side=16, count=2))
    for name, values in whole.tensors.items():
        assert np.array_equal(values, pieces.tensors[name])


def test_what_is_measured_means_something() -> None:
    truth = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    assert psnr(truth, truth) == 99
    assert psnr(truth + np.float32(0.1), truth) == pytest.approx(20, abs=0.01)
    assert spectral_distance(truth, truth) == 0
    assert spectral_distance(np.roll(truth, 5, 0), truth) < 1e-4
    half = truth.mean() + (truth - truth.mean()) * np.float32(0.5)
    assert spectral_distance(half, truth) == pytest.approx(6.02, abs=0.05), "half the amplitude everywhere"


def test_the_table_compares_every_way_that_there_is(data: Path, tmp_path: Path) -> None:
    shape = Shape(3, 6, 3, 2)
    run(data / f"train-{SIZE}", tmp_path, "colour", shape, Settings(steps=2), side=16, count=2)
    page = table(data / f"held-out-{SIZE}", tmp_path, 2)
    assert "| base colour | 2 | Lanczos |" in page
    assert "| base colour | 2 | network |" in page
    assert "| base colour | 4 | network x2 twice |" in page
    assert "| height | 4 | Lanczos |" in page
    assert "| height | 4 | network" not in page, "there is none for data"
    (card,) = write_cards(data / f"held-out-{SIZE}", tmp_path, 2)
    assert card.name == "upscaler-colour-x2.md"
    text = card.read_text()
    assert "8 procedural materials of 32 pixels" in text
    assert "| base colour | 2 | network |" in text


def test_materials_that_are_too_small_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="smaller --side"):
        run(data / f"train-{SIZE}", tmp_path, "colour", Shape(3, 6, 3, 4), Settings(), side=64)
