# SPDX-License-Identifier: GPL-3.0-or-later
"""The task ``upscale`` through the engine: what goes in, what comes back, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import network_file

from generator import procedural
from generator.engine import Engine
from generator.networks import weights as weights_module
from generator.pixels import encode_map, from_wire, reference, to_wire
from generator.protocol import (
    LANCZOS,
    MAPS,
    UPSCALER,
    Cancelled,
    Event,
    Failed,
    Finished,
    Notice,
    Request,
    RequestError,
    Result,
    Step,
    layers,
)

SIDE = 48


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of our networks, empty; a test that wants some puts them there."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(weights_module, "FOLDER", folder)
    return folder


@pytest.fixture(scope="module")
def bricks() -> dict[str, np.ndarray]:
    """A whole set as it is stored."""
    material = procedural.generate(procedural.parse("rusty mossy brick wall"), SIDE, SIDE, 3)
    return {name: encode_map(material, name) for name in MAPS}


def stack(pictures: dict[str, np.ndarray]) -> np.ndarray:
    planes = [pixels if pixels.ndim == 3 else pixels[..., None] for pixels in pictures.values()]
    if any(plane.dtype == np.uint16 for plane in planes):
        planes = [p if p.dtype == np.uint16 else p.astype(np.uint16) * 257 for p in planes]
    return np.concatenate(planes, axis=2)


def order(
    pixels: np.ndarray, maps: tuple[str, ...] = ("basecolor",), factor: int = 2, **changes: Any
) -> Request:
    return Request(
        task="upscale",
        width=pixels.shape[1] * factor,
        height=pixels.shape[0] * factor,
        maps=maps,
        source=reference(pixels, "wall"),
        **{"seamless": "both", **changes},
    )


def run(pixels: np.ndarray, request: Request, **options: Any) -> list[Event]:
    events: list[Event] = []
    Engine().run("job", request, to_wire(pixels), events.append, **options)
    return events


def results(events: list[Event]) -> dict[str, np.ndarray]:
    assert isinstance(events[-1], Finished), events[-1]
    return {event.map: from_wire(event.image) for event in events if isinstance(event, Result)}


def recipe(events: list[Event]) -> Request:
    return Request.from_json(next(event.recipe for event in events if isinstance(event, Result)))


def notices(events: list[Event]) -> str:
    return " ".join(event.message for event in events if isinstance(event, Notice))


def photo(rows: int = 40, columns: int = 48, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, channels), dtype=np.uint8)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_set_comes_back_larger_map_by_map(bricks: dict[str, np.ndarray], factor: int) -> None:
    pixels = stack(bricks)
    events = run(pixels, order(pixels, MAPS, factor, relief=0.04, prompt="bricks", seed=3))
    made = results(events)
    assert list(made) == list(MAPS)
    for name, picture in made.items():
        assert picture.shape[:2] == (SIDE * factor, SIDE * factor)
        assert picture.ndim == bricks[name].ndim
        assert picture.dtype == bricks[name].dtype, "heights keep 16 bits, the others 8"
    first = next(event for event in events if isinstance(event, Result))
    assert (first.relief, first.seed) == (0.04, 3)


def test_normals_have_length_one_and_mean_the_same(bricks: dict[str, np.ndarray]) -> None:
    pixels = stack(bricks)
    made = results(run(pixels, order(pixels, MAPS)))["normal"].astype(np.float32) / 127.5 - 1
    assert np.abs(np.linalg.norm(made, axis=2) - 1).max() < 0.012, "but for the rounding to 8 bits"
    small = made.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3))
    before = bricks["normal"].astype(np.float32) / 127.5 - 1
    assert np.abs(small - before)[..., :2].mean() < 0.05


def test_a_map_that_is_even_stays_exactly_so(bricks: dict[str, np.ndarray]) -> None:
    pixels = stack({**bricks, "metallic": np.full((SIDE, SIDE), 77, np.uint8)})
    assert np.unique(results(run(pixels, order(pixels, MAPS)))["metallic"]).tolist() == [77]


def test_data_in_sixteen_bits_stay_in_sixteen(bricks: dict[str, np.ndarray]) -> None:
    fine = {"roughness": bricks["height"], "ao": bricks["ao"]}
    pixels = stack(fine)
    made = results(run(pixels, order(pixels, ("roughness", "ao"))))
    assert (made["roughness"].dtype, made["ao"].dtype) == (np.uint16, np.uint8)
    assert len(np.unique(made["roughness"])) > 1000


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_by_itself_keeps_its_channels(channels: int) -> None:
    pixels = photo(channels=channels)
    made = results(run(pixels, order(pixels)))["basecolor"]
    assert made.shape == ((80, 96) if channels == 1 else (80, 96, channels))


def test_it_wraps_where_it_shall_and_only_there() -> None:
    pixels = photo(64, 64)
    rolled = np.roll(pixels, (5, 9), (0, 1))
    wrapped = [results(run(p, order(p, factor=4)))["basecolor"] for p in (pixels, rolled)]
    assert np.abs(np.roll(wrapped[0], (20, 36), (0, 1)).astype(int) - wrapped[1]).max() <= 1
    edge = pixels.copy()
    edge[:, -1] = 255 - edge[:, -1]
    apart = [results(run(p, order(p, seamless="off")))["basecolor"] for p in (pixels, edge)]
    assert np.array_equal(apart[0][:, :2], apart[1][:, :2])


def test_auto_follows_the_picture_and_the_recipe_says_what_was_found(bricks: dict[str, np.ndarray]) -> None:
    pixels = stack(bricks)
    assert recipe(run(pixels, order(pixels, MAPS, seamless="auto"))).seamless == "both"
    rows, columns = np.mgrid[0:96, 0:96]
    slope = np.stack([columns * 2, columns * 2, rows * 0 + 80], axis=2).astype(np.uint8)
    assert recipe(run(slope, order(slope, seamless="auto"))).seamless == "y"


def test_without_a_network_it_is_the_filter_and_says_so(bricks: dict[str, np.ndarray]) -> None:
    pixels = stack(bricks)
    events = run(pixels, order(pixels, MAPS))
    assert notices(events) == "Made larger by the Lanczos filter."
    assert recipe(events).model == LANCZOS
    failed = run(pixels, order(pixels, MAPS, model=UPSCALER))[-1]
    assert isinstance(failed, Failed)
    assert failed.kind == "no_such_model"
    assert "no network" in failed.message


def test_our_networks_are_used_where_they_are_each_for_its_maps(
    bricks: dict[str, np.ndarray], no_weights: Path
) -> None:
    pixels = stack(bricks)
    by_filter = results(run(pixels, order(pixels, MAPS)))
    network_file(no_weights / "upscaler-colour-x2.safetensors", 3, 2)
    events = run(pixels, order(pixels, MAPS))
    made = results(events)
    assert not np.array_equal(made["basecolor"], by_filter["basecolor"])
    assert np.array_equal(made["roughness"], by_filter["roughness"])
    assert "base colour by the built-in network" in notices(events)
    assert recipe(events).model == UPSCALER
    network_file(no_weights / "upscaler-data-x2.safetensors", 1, 2)
    events = run(pixels, order(pixels, MAPS, factor=4))
    assert notices(events) == "Made larger by the built-in network."
    assert not np.array_equal(results(events)["roughness"], by_filter["roughness"])
    assert results(events)["ao"].shape == (SIDE * 4, SIDE * 4), "twice twice"


def test_the_recipe_gives_the_same_bytes_again(bricks: dict[str, np.ndarray], no_weights: Path) -> None:
    network_file(no_weights / "upscaler-colour-x2.safetensors", 3, 2)
    pixels = stack(bricks)
    first = run(pixels, order(pixels, MAPS, seamless="auto"))
    second = run(pixels, recipe(first))
    for name, picture in results(first).items():
        assert np.array_equal(picture, results(second)[name])


def test_a_damaged_network_is_told_and_the_filter_takes_its_place(
    bricks: dict[str, np.ndarray], no_weights: Path
) -> None:
    (no_weights / "upscaler-colour-x2.safetensors").write_bytes(b"\x00" * 64)
    pixels = stack(bricks)
    events = run(pixels, order(pixels, MAPS))
    assert "damaged" in notices(events)
    assert recipe(events).model == LANCZOS
    assert isinstance(run(pixels, order(pixels, MAPS, model=UPSCALER))[-1], Failed)


def test_progress_goes_up_to_its_end(bricks: dict[str, np.ndarray]) -> None:
    pixels = stack(bricks)
    steps = [event for event in run(pixels, order(pixels, MAPS)) if isinstance(event, Step)]
    assert [step.step for step in steps] == sorted(step.step for step in steps)
    assert steps[-1].step == steps[-1].steps


def test_it_stops_when_it_is_cancelled(bricks: dict[str, np.ndarray], no_weights: Path) -> None:
    network_file(no_weights / "upscaler-colour-x2.safetensors", 3, 2)
    pixels = stack(bricks)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    events = run(pixels, order(pixels, MAPS), cancelled=cancelled)
    assert isinstance(events[-1], Cancelled)
    assert not any(isinstance(event, Result) for event in events)


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    pixels = photo()
    with pytest.raises(RequestError, match="two or four times"):
        replace(order(pixels), width=100)
    with pytest.raises(RequestError, match="Choose the image"):
        Request(task="upscale", width=64, height=64)
    wrong = run(pixels, order(pixels, ("basecolor", "normal")))[-1]
    assert isinstance(wrong, Failed)
    assert "does not have 3 channels" in wrong.message
    unknown = run(pixels, order(pixels, model="builtin:magic"))[-1]
    assert isinstance(unknown, Failed)
    assert "builtin:magic" in unknown.message


@pytest.mark.parametrize(
    ("maps", "channels", "expected"),
    [
        (MAPS, 10, {"basecolor": (0, 3), "normal": (3, 6), "roughness": (6, 7), "metallic": (9, 10)}),
        (MAPS, 11, {"basecolor": (0, 4), "normal": (4, 7), "metallic": (10, 11)}),
        (("height",), 1, {"height": (0, 1)}),
        (("basecolor",), 4, {"basecolor": (0, 4)}),
    ],
)
def test_where_each_map_lies(maps: tuple[str, ...], channels: int, expected: dict[str, tuple]) -> None:
    found = layers.layout(maps, channels)
    assert found is not None
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("maps", "channels"), [(MAPS, 9), (MAPS, 12), (("ao", "height"), 3), (("ao",), 5)])
def test_what_does_not_fit_has_no_place(maps: tuple[str, ...], channels: int) -> None:
    assert layers.layout(maps, channels) is None
