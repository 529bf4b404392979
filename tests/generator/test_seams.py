# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam verdict: pictures that tile pass wherever their border lies, and cuts are found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from generator.seams import AxisReport, SeamReport, measure


def _noise(size: int, exponent: float, seed: int = 0) -> np.ndarray:
    """A periodic field whose amplitudes fall as the wave number to the minus ``exponent``."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((size, size)))
    wave_number = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]) * size
    wave_number[0, 0] = 1.0
    field = np.fft.irfft2(spectrum / wave_number**exponent, (size, size))
    return (0.5 + 0.12 * (field - field.mean()) / field.std()).astype(np.float32)


def _wall(size: int = 256, courses: int = 8, seed: int = 0) -> np.ndarray:
    """Running bond with soft-edged joints and grain, ``(size, size, 3)``; the first joint lies on the border."""
    y, x = np.mgrid[0:size, 0:size] / size
    course = (y * courses).astype(int)
    along = x * courses / 2 + 0.5 * (course % 2)
    distance = np.minimum(
        2 * np.minimum(along % 1, 1 - along % 1), np.minimum(y * courses % 1, 1 - y * courses % 1)
    )
    stone = np.clip((distance - 0.05) / 0.08, 0, 1)
    rng = np.random.default_rng(seed)
    shade = rng.normal(1, 0.12, (courses, courses // 2))[course, along.astype(int) % (courses // 2)]
    grey = (0.75 * (1 - stone) + 0.45 * stone * shade) + 0.3 * (_noise(size, 1.0, seed) - 0.5)
    return np.clip(grey[..., None] * np.array([1.0, 0.7, 0.6]), 0, 1).astype(np.float32)


def _axes(report: SeamReport) -> tuple[AxisReport, AxisReport]:
    return report.x, report.y


@pytest.mark.parametrize("size", [64, 200, 256])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_periodic_noise_tiles(size: int, exponent: float) -> None:
    said = [axis.tiles for seed in range(10) for axis in _axes(measure(_noise(size, exponent, seed)))]
    assert False not in said
    assert said.count(None) <= 4, "small pictures leave some doubt"


@pytest.mark.parametrize("size", [96, 256])
@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0])
def test_a_crop_of_noise_does_not_tile(size: int, exponent: float) -> None:
    crops = [_noise(size * 3 // 2, exponent, seed)[:size, :size] for seed in range(10)]
    said = [axis.tiles for crop in crops for axis in _axes(measure(crop))]
    assert True not in said
    assert said.count(None) <= 4, "small pictures leave some doubt"


def test_the_figures_are_about_one_for_a_seamless_field_and_far_above_for_a_crop() -> None:
    whole, part = measure(_noise(256, 1.5)), measure(_noise(256, 1.5)[:180, :180])
    for axis in (whole.x, whole.y):
        assert axis.ratio == pytest.approx(1, abs=0.12)
        assert axis.second_difference == pytest.approx(1, abs=0.12)
        assert abs(axis.z_score) < 3.5
    for axis in (part.x, part.y):
        assert axis.ratio > 2 and axis.z_score > 8 and axis.second_difference > 1.5


@pytest.mark.parametrize("shift", [(0, 0), (1, 1), (3, 2), (17, 40), (100, 99)])
def test_a_wall_tiles_wherever_its_border_lies(shift: tuple[int, int]) -> None:
    for seed in range(3):
        small = measure(np.roll(_wall(seed=seed), shift, axis=(0, 1)))
        assert small.x.tiles is not False and small.y.tiles is not False
    large = measure(np.roll(_wall(512, 8), shift, axis=(0, 1)))
    assert large.x.tiles is True and large.y.tiles is True


def test_a_wall_cut_through_its_bricks_does_not_tile() -> None:
    for seed in range(3):
        report = measure(_wall(512, 8, seed)[:410, :450])
        assert report.x.tiles is False and report.y.tiles is False


def test_a_broken_rhythm_is_found_where_no_jump_shows() -> None:
    y, x = np.mgrid[0:240, 0:240]
    tiles = np.where((y % 24 < 2) | (x % 24 < 2), 0.2, 0.8).astype(np.float32)
    tiles += 0.1 * (_noise(240, 0.0) - 0.5)
    assert measure(tiles).x.tiles is True
    cut = tiles[:, 6:-7]  # The tile on the border is shorter than the others, and nothing else is amiss.
    assert measure(cut).x.tiles is False and measure(cut).y.tiles is True


def test_axis_x_is_the_border_between_right_and_left() -> None:
    field = _noise(256, 1.5)
    assert measure(field[:, :180]).x.tiles is False
    assert measure(field[:, :180]).y.tiles is True
    assert measure(field[:180]).x.tiles is True
    assert measure(field[:180]).y.tiles is False


def test_a_seam_on_a_part_of_the_border_is_found() -> None:
    field = _noise(256, 1.5)
    ramp = np.linspace(-0.08, 0.08, 256, dtype=np.float32)
    field[:80] += ramp
    assert measure(field).x.tiles is False


def test_a_seam_in_colour_alone_is_found() -> None:
    grey = _noise(192, 1.5)
    ramp = np.linspace(-0.1, 0.1, 192, dtype=np.float32)
    picture = np.stack((grey + ramp, grey, grey - ramp), axis=-1)
    assert measure(picture).x.tiles is False and measure(picture).y.tiles is True


def test_a_kink_without_a_jump_is_found() -> None:
    x = np.linspace(0, 1, 256, endpoint=False)
    hump = (0.2 + 0.6 * 4 * x * (1 - x)).astype(np.float32)
    picture = np.tile(hump, (256, 1)) + 0.02 * (_noise(256, 2.5) - 0.5)
    report = measure(picture)
    assert report.x.tiles is False and report.x.second_difference > 3


def test_it_cannot_say_where_there_is_nothing_to_compare() -> None:
    stripes = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[:, None], (1, 64))
    assert measure(stripes).x.tiles is None
    assert measure(stripes).y.tiles is False
    assert measure(np.full((64, 64), 0.5, np.float32)).y.tiles is None
    assert measure(_noise(16, 1.0)).x.tiles is None


def test_the_report_is_plain_json() -> None:
    report = json.loads(json.dumps(measure(_noise(64, 1.0)).to_json()))
    assert set(report) == {"x", "y"}
    assert set(report["x"]) == {"ratio", "z_score", "second_difference", "tiles"}
    assert report["x"]["tiles"] is True


def test_a_wide_picture_of_which_only_windows_are_seen_is_judged_alike() -> None:
    picture = _wall(1024, 4)
    assert measure(picture).x.tiles is True and measure(picture).y.tiles is True
    assert measure(picture[:900, :900]).x.tiles is False


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="H, W"):
        measure(np.zeros(5, np.float32))
