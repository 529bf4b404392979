# SPDX-License-Identifier: GPL-3.0-or-later
"""Model files of others: built here by spandrel's own classes with random weights, read by the product."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import Quiet, network_file, random_weights

from generator.progress import GenerationError
from generator.upscaling import foreign
from generator.upscaling.compact import Shape

torch = pytest.importorskip("torch")
try:
    foreign.library()
except ImportError:
    pytest.skip("spandrel is not installed", allow_module_level=True)

from torch import nn  # noqa: E402

BOTH = (True, True)
BUILT = ("Compact", "SPAN", "ESRGAN")


def still(_share: float) -> None:
    """Nobody looks at the progress."""


def built(name: str) -> nn.Module:
    """A small model with random weights that stay near the picture."""
    from spandrel import architectures

    torch.manual_seed(0)
    if name == "Compact":
        made = architectures.Compact.Compact(num_feat=8, num_conv=2, upscale=2)
    elif name == "SPAN":
        made = architectures.SPAN.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2)
    else:
        made = architectures.ESRGAN.ESRGAN(
            in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=2, shuffle_factor=None
        )
    made.eval()
    with torch.no_grad():
        made(torch.rand(1, 3, 16, 16))  # SPAN works out its fused weights then
        last = [part for part in made.modules() if isinstance(part, nn.Conv2d)][-1]
        if name != "Compact" and last.bias is not None:
            last.bias.fill_(0.5)  # around the middle, or the cut to [0, 1] would hide what happens
    return made


@pytest.fixture(params=BUILT)
def model_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file as people pass them around."""
    path = tmp_path / f"{request.param}.pth"
    torch.save({"params_ema": built(request.param).state_dict()}, path)
    return path


def picture(rows: int = 32, columns: int = 48, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(2).random((rows, columns, channels), dtype=np.float32)


def opened(path: Path) -> tuple[Any, Quiet]:
    progress = Quiet()
    return foreign.load(path, "cpu", progress), progress


def test_models_of_several_kinds_are_read_and_tile(model_file: Path) -> None:
    model, progress = opened(model_file)
    assert model.channels == 3
    made = model(picture(), 2, BOTH, still)
    assert made.shape == (64, 96, 3)
    assert np.ptp(made) > 0.01
    rolled = model(np.roll(picture(), (16, 16), (0, 1)), 2, BOTH, still)
    assert np.abs(np.roll(made, (32, 32), (0, 1)) - rolled).max() < 1e-4
    assert progress.notices == [], "it holds the law, so there is nothing to say"


def test_an_axis_that_does_not_wrap_is_left_as_the_model_has_it(model_file: Path) -> None:
    model, _ = opened(model_file)
    plain = model(picture(), 2, (False, False), still)
    wrapped = model(picture(), 2, (True, False), still)
    assert np.abs(plain - wrapped)[:, :2].max() > 1e-4
    inside = np.s_[:, wrapped.shape[1] // 2 - 4 : wrapped.shape[1] // 2 + 4]
    np.testing.assert_allclose(wrapped[inside], plain[inside], atol=1e-5)


def test_large_pictures_go_through_in_pieces_that_cannot_be_seen(
    model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = opened(model_file)
    whole = model(picture(96, 112), 2, BOTH, still)
    monkeypatch.setattr(foreign, "_SIDES", (64,))
    told: list[float] = []
    pieces = model(picture(96, 112), 2, BOTH, told.append)
    assert len(told) > 4
    assert np.abs(pieces - whole).max() < 5e-3


def test_safetensors_of_our_kind_need_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = network_file(tmp_path / "compact.safetensors", 3, 4)
    monkeypatch.setitem(sys.modules, "torch", None)
    model, _ = opened(path)
    assert model(picture(), 4, BOTH, still).shape == (128, 192, 3)


def test_a_model_that_knows_its_edges_is_told_and_tiles_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "compact.pth"
    torch.save(built("Compact").state_dict(), path)
    model, progress = opened(path)

    class Edged(nn.Module):
        """Adds a frame to whatever it makes: no padding that could be wrapped."""

        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            made = self.inner(image).clamp(0, 1) * 0.8
            made[..., :6] += 0.2
            return made

    model._model._model = Edged(model._model.model)
    made = model(picture(64, 64), 2, BOTH, still)
    assert len(progress.notices) == 1
    assert "knows where the edges of its picture are" in progress.notices[0]
    inner = made[:, :8].mean(), made[:, 40:48].mean()
    assert abs(inner[0] - inner[1]) < 0.05, "the frame was thrown away with the border"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_for_one_channel_is_for_data(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "grey.pth"
    weights = random_weights(Shape(channels, 8, 3, 2))
    torch.save({name: torch.from_numpy(values) for name, values in weights.items()}, path)
    model, _ = opened(path)
    assert model.channels == channels
    assert model(picture(), 2, BOTH, still).shape == (64, 96, 3)


class Bomb:
    """What a hostile file would hold."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return Path.touch, (Path("exploded"),)  # type: ignore[return-value]


def test_nothing_in_a_file_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"body.0.weight": Bomb()}, tmp_path / "a.pth")
    (tmp_path / "b.ckpt").write_bytes(pickle.dumps({"params": Bomb()}))
    for name in ("a.pth", "b.ckpt"):
        with pytest.raises(GenerationError, match=name) as caught:
            opened(tmp_path / name)
        assert caught.value.kind == "bad_model"
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.pth", None, "no model file"),
        ("model.onnx", b"x", "is no model file"),
        ("empty.safetensors", b"", "cannot be"),
        ("noise.pth", b"noise" * 100, "noise.pth"),
    ],
)
def test_what_is_no_model_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(GenerationError, match=sentence) as caught:
        opened(tmp_path / name)
    assert caught.value.message.endswith(".")
    assert caught.value.advice


def test_a_model_that_does_not_enlarge_is_refused(tmp_path: Path) -> None:
    weights = random_weights(Shape(3, 8, 3, 1))
    torch.save({key: torch.from_numpy(value) for key, value in weights.items()}, tmp_path / "same.pth")
    with pytest.raises(GenerationError, match="does not make pictures larger"):
        opened(tmp_path / "same.pth")


def test_weights_of_no_known_kind_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(3, 3)}, tmp_path / "odd.pth")
    with pytest.raises(GenerationError, match="a kind that spandrel does not know"):
        opened(tmp_path / "odd.pth")


def test_without_torchvision_nothing_of_it_stays_behind() -> None:
    library = foreign.library()
    assert library.MAIN_REGISTRY is not None
    module = sys.modules.get("torchvision")
    assert module is None or getattr(module, "__file__", None), "a stand-in would mislead other libraries"
