# SPDX-License-Identifier: GPL-3.0-or-later
"""Our network: the law of the torus, pieces, NumPy against torch, and that other programs read the same file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_networks import Quiet, network_file, random_weights, write_weights

from generator.networks import WeightsError, read_weights
from generator.networks.numpy_operations import NumpyOperations
from generator.progress import CancelledError
from generator.resample import resize
from generator.upscaling import methods
from generator.upscaling.compact import Shape, apply, read_shape
from generator.upscaling.methods import CompactNetwork
from generator.upscaling.pieces import in_pieces

BOTH = (True, True)


def still(_share: float) -> None:
    """Nobody looks at the progress."""


def noise(rows: int, columns: int, channels: int = 3, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, columns, channels), dtype=np.float32)


@pytest.fixture(params=["numpy", "torch"])
def network(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CompactNetwork:
    """A small network for colours, twice as large."""
    if request.param == "torch":
        pytest.importorskip("torch")
    else:
        monkeypatch.setattr(methods, "best_operations", NumpyOperations)
    return CompactNetwork(read_weights(network_file(tmp_path / "n.safetensors", 3, 2)), "it", still_check)


def still_check() -> None:
    """Nobody cancels."""


@pytest.mark.parametrize("size", [(48, 64), (37, 29), (5, 7)])
def test_a_rolled_picture_gives_the_rolled_result(network: CompactNetwork, size: tuple[int, int]) -> None:
    picture = noise(*size)
    made = network(picture, 2, BOTH, still)
    rolled = network(np.roll(picture, (3, 2), (0, 1)), 2, BOTH, still)
    assert np.abs(np.roll(made, (6, 4), (0, 1)) - rolled).max() < 1e-5


def test_along_an_axis_that_does_not_wrap_the_border_knows_nothing_of_the_other_side(
    network: CompactNetwork,
) -> None:
    picture = noise(40, 40)
    other = picture.copy()
    other[:, -1] = 1 - other[:, -1]
    x_only, y_only = (network(p, 2, (False, True), still) for p in (picture, other))
    assert np.abs(x_only[:, :2] - y_only[:, :2]).max() == 0
    wrapped = [network(p, 2, BOTH, still) for p in (picture, other)]
    assert np.abs(wrapped[0][:, :2] - wrapped[1][:, :2]).max() > 0.01


@pytest.mark.parametrize("wraps", [BOTH, (True, False), (False, False)])
@pytest.mark.parametrize("side", [7, 16, 100])
def test_pieces_give_exactly_what_the_whole_gives(side: int, wraps: tuple[bool, bool]) -> None:
    shape = Shape(1, 6, 3, 2)
    operations, weights = NumpyOperations(), random_weights(shape)

    def run(planes: np.ndarray) -> np.ndarray:
        return apply(operations, weights, shape, planes)

    planes = np.moveaxis(noise(41, 33, 1), 2, 0)[None]
    whole = in_pieces(run, planes, 2, shape.halo, wraps, side=1000)
    assert np.abs(in_pieces(run, planes, 2, shape.halo, wraps, side=side) - whole).max() < 1e-6
    if wraps == BOTH:
        assert np.abs(run(planes) - whole).max() < 1e-6, "as the network on the whole torus"


def test_a_halo_that_is_too_narrow_would_be_seen() -> None:
    shape = Shape(1, 6, 3, 2)
    weights = random_weights(shape)

    def run(planes: np.ndarray) -> np.ndarray:
        return apply(NumpyOperations(), weights, shape, planes)

    planes = np.moveaxis(noise(41, 33, 1), 2, 0)[None]
    narrow = in_pieces(run, planes, 2, shape.halo - 1, BOTH, side=16)
    assert np.abs(narrow - run(planes)).max() > 1e-4


def test_numpy_and_torch_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    weights = read_weights(network_file(tmp_path / "n.safetensors", 3, 4))
    by_torch = CompactNetwork(weights, "it", still_check)(noise(40, 56), 4, BOTH, still)
    monkeypatch.setattr(methods, "best_operations", NumpyOperations)
    by_numpy = CompactNetwork(weights, "it", still_check)(noise(40, 56), 4, BOTH, still)
    assert np.abs(by_torch - by_numpy).max() < 1e-4


def test_a_network_for_twice_is_applied_twice_for_four_times(network: CompactNetwork) -> None:
    picture = noise(24, 20)
    made = network(picture, 4, BOTH, still)
    assert made.shape == (96, 80, 3)
    assert np.array_equal(made, network(network(picture, 2, BOTH, still), 2, BOTH, still))


def test_a_network_for_four_times_is_reduced_for_twice(tmp_path: Path) -> None:
    network = CompactNetwork(read_weights(network_file(tmp_path / "n.safetensors", 3, 4)), "it", still_check)
    picture = noise(24, 20)
    made = network(picture, 2, BOTH, still)
    assert made.shape == (48, 40, 3)
    rolled = network(np.roll(picture, 5, 1), 2, BOTH, still)
    assert np.abs(np.roll(made, 10, 1) - rolled).max() < 1e-5
    assert np.abs(made - np.clip(resize(network(picture, 4, BOTH, still), 40, 48), 0, 1)).max() < 1e-6


def test_a_network_for_one_channel_never_mixes_channels(tmp_path: Path) -> None:
    network = CompactNetwork(read_weights(network_file(tmp_path / "n.safetensors", 1, 2)), "it", still_check)
    picture = noise(20, 20)
    made = network(picture, 2, BOTH, still)
    for channel in range(3):
        alone = network(picture[..., channel : channel + 1], 2, BOTH, still)
        assert np.array_equal(made[..., channel : channel + 1], alone)


def test_it_can_be_stopped_between_pieces(tmp_path: Path) -> None:
    progress = Quiet(cancel_at=3)
    network = CompactNetwork(
        read_weights(network_file(tmp_path / "n.safetensors", 3, 2)), "it", progress.check
    )
    with pytest.raises(CancelledError):
        network(noise(64, 64), 2, BOTH, lambda _share: progress.check())


@pytest.mark.parametrize("shape", [Shape(3, 8, 4, 2), Shape(1, 5, 2, 4), Shape(3, 7, 6, 3)])
def test_the_shape_is_read_from_the_weights(shape: Shape) -> None:
    assert read_shape(random_weights(shape)) == shape


def test_weights_of_another_kind_are_refused() -> None:
    good = random_weights(Shape(3, 8, 4, 2))
    for name in good:
        with pytest.raises(WeightsError):
            read_shape({key: value for key, value in good.items() if key != name})
        with pytest.raises(WeightsError):
            read_shape({**good, name: np.zeros((2, *good[name].shape), np.float32)})
    with pytest.raises(WeightsError):
        read_shape({})


def test_other_programs_read_the_same_file_and_get_the_same_picture(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    spandrel = pytest.importorskip("generator.upscaling.foreign").library()
    weights = random_weights(Shape(3, 12, 5, 4))
    path = write_weights(tmp_path / "ours.safetensors", weights)
    descriptor = spandrel.ModelLoader().load_from_file(path)
    assert descriptor.architecture.id == "Compact"
    assert (descriptor.scale, descriptor.input_channels) == (4, 3)
    picture = noise(32, 32)
    with torch.inference_mode():
        theirs = descriptor(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    ours = CompactNetwork(read_weights(path), "it", still_check)(picture, 4, BOTH, still)
    inner = slice(5 * 4, -5 * 4)  # theirs puts zeros around the picture
    assert np.abs(theirs[inner, inner] - ours[inner, inner]).max() < 1e-5
