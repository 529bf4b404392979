# SPDX-License-Identifier: GPL-3.0-or-later
"""The task ``tile``: any picture comes back at its own size, with edges that meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from generator import cli, models, seams
from generator.engine import Engine
from generator.pixels import from_levels, from_wire, reference, to_levels, to_wire
from generator.progress import GenerationError
from generator.protocol import Cancelled, Event, Failed, Finished, Notice, Request, Result
from generator.repair import TRANSPARENT


def field(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """Soft random spots in uneven light, ``(H, W)`` in [0, 1]: no side fits its opposite."""
    noise = np.random.default_rng(seed).normal(size=(height * 2, width * 2))
    spectrum = np.fft.fft2(noise) * np.exp(-(np.hypot(*np.meshgrid(
        np.fft.fftfreq(width * 2), np.fft.fftfreq(height * 2))) * 40))  # fmt: skip
    smooth = np.fft.ifft2(spectrum).real[:height, :width]
    smooth = smooth / np.abs(smooth).max()
    return 0.5 + 0.3 * smooth + 0.15 * np.linspace(-1, 1, width) + 0.05 * noise[:height, :width] * 0.2


def photo(channels: int = 3, dtype: str = "uint8") -> np.ndarray:
    """A picture that tiles along no axis, as it is sent."""
    planes = np.stack([field() * factor for factor in (1.0, 0.8, 0.6)], axis=2)
    return to_levels(np.concatenate((planes, field(seed=5)[..., None]), axis=2)[..., :channels], dtype)


def waves() -> np.ndarray:
    """A picture that tiles along both axes."""
    rows, columns = np.mgrid[0:96, 0:128]
    wave = 128 + 50 * np.sin(2 * np.pi * columns / 32) + 50 * np.cos(2 * np.pi * rows / 24)
    return np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)


def tile_request(pixels: np.ndarray, **changes) -> Request:
    height, width = pixels.shape[:2]
    request = Request(
        task="tile", width=width, height=height, maps=("basecolor",), source=reference(pixels, "photo.png")
    )
    return replace(request, **changes)


def run(pixels: np.ndarray, request: Request | None = None, **options) -> list[Event]:
    events: list[Event] = []
    Engine().run("job", request or tile_request(pixels), to_wire(pixels), events.append, **options)
    return events


def only_result(events: list[Event]) -> Result:
    assert isinstance(events[-1], Finished), events[-1]
    (result,) = [event for event in events if isinstance(event, Result)]
    return result


def notices(events: list[Event]) -> str:
    return " ".join(event.message for event in events if isinstance(event, Notice))


class Painter:
    """A model that repairs: it paints everything in one colour and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Request, np.ndarray]] = []

    def fit_size(self, width: int, height: int) -> tuple[int, int]:
        return width, height

    def settle(self, request: Request) -> Request:
        return request.settled(9, 1.5)

    def generate(self, *_):
        raise AssertionError("nothing new is made")

    def make_seamless(self, request: Request, picture: np.ndarray, progress) -> np.ndarray:
        progress.step(0, 0, 1)
        self.asked.append((request, picture))
        return np.full_like(picture, 0.25)

    def close(self) -> None:
        pass


@pytest.fixture
def painter(monkeypatch) -> Painter:
    model = Painter()
    monkeypatch.setattr(models, "load", lambda *_: model)
    return model


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_photo_tiles_afterwards_and_keeps_its_size_and_kind(channels: int, dtype: str) -> None:
    pixels = photo(channels, dtype)
    result = only_result(run(pixels))
    made = from_wire(result.image)
    assert (made.shape, made.dtype) == (pixels.shape, pixels.dtype)
    for axis in ("x", "y"):
        assert result.before[axis]["tiles"] is False
        assert result.seams[axis]["tiles"] is True
        assert result.seams[axis]["ratio"] < result.before[axis]["ratio"]
    assert result.map == "basecolor"


def test_the_report_is_that_of_the_picture_that_is_sent() -> None:
    result = only_result(run(photo()))
    assert result.seams == seams.measure(from_levels(from_wire(result.image))).to_json()
    assert result.before == seams.measure(from_levels(photo())).to_json()
    assert set(result.seams["x"]) == {"ratio", "z_score", "second_difference", "tiles"}


def test_only_the_axis_that_is_asked_for_must_tile() -> None:
    pixels = photo()
    result = only_result(run(pixels, tile_request(pixels, seamless="y")))
    assert result.seams["y"]["tiles"] is True
    assert result.seams["x"]["tiles"] is False


def test_auto_means_both_axes_here() -> None:
    pixels = photo()
    result = only_result(run(pixels, tile_request(pixels, seamless="auto")))
    assert result.recipe["seamless"] == "both"
    assert result.seams["x"]["tiles"] and result.seams["y"]["tiles"]


@pytest.mark.parametrize("model", ["builtin:procedural", "a model that must not be loaded"])
def test_a_picture_that_tiles_comes_back_byte_for_byte_and_loads_no_model(model: str) -> None:
    pixels = waves()
    events = run(pixels, tile_request(pixels, model=model))
    assert np.array_equal(from_wire(only_result(events).image), pixels)
    assert "tiles already in X and Y" in notices(events)


def test_a_picture_of_one_colour_is_left_as_it_is() -> None:
    pixels = np.full((64, 64, 3), 90, np.uint8)
    events = run(pixels)
    assert np.array_equal(from_wire(only_result(events).image), pixels)
    assert "was left as it is" in notices(events)


def test_what_was_done_is_said() -> None:
    said = [event.message for event in run(photo()) if isinstance(event, Notice)]
    assert len(said) == 1
    assert said[0].endswith(".")
    assert "left as it is" not in said[0]


def test_hidden_colours_are_not_judged() -> None:
    pixels = np.concatenate((waves(), np.zeros((96, 128, 1), np.uint8)), axis=2)
    pixels[..., 3] = waves()[..., 0] // 128 * 255
    pixels[pixels[..., 3] == 0, :3] = np.random.default_rng(0).integers(
        0, 255, (int((pixels[..., 3] == 0).sum()), 3)
    )
    assert np.array_equal(from_wire(only_result(run(pixels)).image), pixels)


def test_the_recipe_makes_the_same_picture_again() -> None:
    pixels = photo(4)
    first = only_result(run(pixels))
    again = only_result(run(pixels, Request.from_json(first.recipe)))
    assert np.array_equal(from_wire(first.image), from_wire(again.image))


def test_what_is_kept_is_the_picture_that_is_sent() -> None:
    kept: list[tuple] = []
    pixels = photo()
    result = only_result(run(pixels, keep=lambda *values: kept.append(values)))
    ((index, request, made, reports),) = kept
    assert (index, request.to_json()) == (0, result.recipe)
    assert np.array_equal(made, from_wire(result.image))
    assert reports == {"basecolor": result.seams}


def test_a_model_is_given_the_picture_and_the_words(painter: Painter) -> None:
    pixels = photo()
    request = tile_request(pixels, model="some model", prompt="gravel", seed=7, strength=0.4)
    result = only_result(run(pixels, request))
    ((asked, picture),) = painter.asked
    assert asked == request.settled(9, 1.5), "the model chose what the request left open"
    assert result.recipe == asked.to_json()
    assert np.array_equal(picture, from_levels(pixels))
    assert (from_wire(result.image) == 64).all()


def test_a_model_leaves_transparency_that_tiles_as_it_is(painter: Painter) -> None:
    alpha = waves()[..., :1]
    pixels = np.concatenate((photo(), alpha), axis=2)
    made = from_wire(only_result(run(pixels, tile_request(pixels, model="some model"))).image)
    assert np.array_equal(made[..., 3:], alpha)
    assert (made[..., :3] == 64).all()
    assert painter.asked[0][1].shape[2] == 3


def test_transparency_that_does_not_tile_is_repaired_without_the_model(painter: Painter) -> None:
    pixels = photo(4)
    events = run(pixels, tile_request(pixels, model="some model"))
    assert TRANSPARENT in notices(events)
    assert not painter.asked
    alpha = from_levels(from_wire(only_result(events).image)[..., 3:])
    assert seams.measure(alpha).x.tiles is not False
    assert seams.measure(alpha).y.tiles is not False


def test_a_model_that_cannot_is_heard(painter: Painter, monkeypatch) -> None:
    def refuse(*_):
        raise GenerationError("cannot", "This model cannot repair.", "Use another.")

    monkeypatch.setattr(painter, "make_seamless", refuse)
    pixels = photo()
    end = run(pixels, tile_request(pixels, model="some model"))[-1]
    assert isinstance(end, Failed)
    assert (end.kind, end.message) == ("cannot", "This model cannot repair.")


@pytest.mark.parametrize("checks", [0, 1, 2, 3])
def test_a_repair_is_cancelled_whenever_it_is_noticed(checks: int) -> None:
    asked = iter([False] * checks + [True] * 1000)
    events = run(photo(), cancelled=lambda: next(asked))
    assert isinstance(events[-1], Cancelled)
    assert not any(isinstance(event, Result) for event in events)


def test_another_size_than_the_pictures_own_is_refused() -> None:
    pixels = photo()
    end = run(pixels, tile_request(pixels, width=64))[-1]
    assert isinstance(end, Failed)
    assert end.message == "An image that is made to tile keeps its size, which is 128 x 96."


def test_sixteen_bits_are_for_this_task_alone() -> None:
    pixels = photo(dtype="uint16")
    request = Request(prompt="moss", width=128, height=96, source=reference(pixels))
    end = run(pixels, request)[-1]
    assert isinstance(end, Failed)
    assert "8 bits" in end.message


def test_the_program_says_when_a_picture_still_does_not_tile_and_writes_it(
    painter: Painter, monkeypatch, tmp_path, capsys
) -> None:
    monkeypatch.setattr(painter, "make_seamless", lambda _request, picture, _progress: picture)
    Image.fromarray(photo()).save(tmp_path / "photo.png")
    status = cli.run(["tile", str(tmp_path / "photo.png"), "--model", "some model", "--out", str(tmp_path)])
    assert status == 1
    assert "photo does not tile in X and Y" in capsys.readouterr().err
    assert (tmp_path / "photo_tiled.png").is_file()
