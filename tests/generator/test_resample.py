# SPDX-License-Identifier: GPL-3.0-or-later
"""Resizing and blurring: what wraps still wraps, what is flat stays flat, and nothing moves."""

from __future__ import annotations

import numpy as np
import pytest

from generator.resample import blur, resize


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def _waves(rows: int, columns: int) -> np.ndarray:
    """A smooth periodic field, sampled at pixel centres, so that it is known at every size."""
    y = (np.arange(rows) + 0.5)[:, None] / rows
    x = (np.arange(columns) + 0.5)[None, :] / columns
    field = 0.5 + 0.25 * np.sin(2 * np.pi * (2 * x + y)) + 0.2 * np.cos(2 * np.pi * (3 * y - x))
    return field.astype(np.float32)


@pytest.mark.parametrize("kernel", ["lanczos", "linear"])
@pytest.mark.parametrize(("rows", "columns"), [(48, 96), (96, 48), (33, 65), (200, 130)])
def test_a_smooth_periodic_field_is_resampled_as_if_it_had_been_drawn_at_that_size(
    rows: int, columns: int, kernel: str
) -> None:
    resized = resize(_waves(64, 80), columns, rows, kernel=kernel)  # pyright: ignore[reportArgumentType]
    assert resized.dtype == np.float32
    assert np.abs(resized - _waves(rows, columns)).max() < (0.004 if kernel == "lanczos" else 0.03)


@pytest.mark.parametrize(("width", "height"), [(32, 48), (128, 192), (96, 32)])
def test_resizing_commutes_with_rolling_by_whole_pixels_of_both_sizes(width: int, height: int) -> None:
    image = _noise(96, 64, 3)
    shift_in, shift_out = (24, 16), (height * 24 // 96, width * 16 // 64)
    rolled_first = resize(np.roll(image, shift_in, axis=(0, 1)), width, height)
    rolled_last = np.roll(resize(image, width, height), shift_out, axis=(0, 1))
    np.testing.assert_allclose(rolled_first, rolled_last, atol=2e-6)


def test_an_axis_that_does_not_wrap_sees_nothing_of_the_far_edge() -> None:
    image = np.zeros((40, 40), np.float32)
    image[:, -4:] = 1.0
    image[-4:, :] = 1.0
    clamped = resize(image, 20, 20, wrap_x=False, wrap_y=False)
    assert clamped[:10, :10].max() == 0.0
    assert resize(image, 20, 20, wrap_x=True, wrap_y=False)[5, 0] != 0.0
    assert blur(image, 3.0, wrap_x=False, wrap_y=False)[:10, :10].max() < 1e-3
    assert blur(image, 3.0, wrap_x=True, wrap_y=False)[5, 0] > 0.3


def test_a_reduction_is_anti_aliased() -> None:
    checkerboard = (np.indices((256, 256)).sum(axis=0) % 2).astype(np.float32)
    assert np.abs(resize(checkerboard, 64, 64) - 0.5).max() < 0.01


def test_the_result_never_leaves_the_range_of_the_image() -> None:
    image = (_noise(64, 64) > 0.5).astype(np.float32)
    enlarged = resize(image, 200, 200)
    assert enlarged.min() >= 0.0 and enlarged.max() <= 1.0


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 7.0, 500.0])
@pytest.mark.parametrize("shape", [(64, 64), (33, 51), (31, 17, 3)])
def test_blur_keeps_the_mean_and_commutes_with_rolling(sigma: float, shape: tuple[int, ...]) -> None:
    image = _noise(*shape)
    blurred = blur(image, sigma)
    assert blurred.shape == shape
    assert abs(float(blurred.mean()) - float(image.mean())) < 1e-4
    rolled = blur(np.roll(image, (5, 9), axis=(0, 1)), sigma)
    np.testing.assert_allclose(rolled, np.roll(blurred, (5, 9), axis=(0, 1)), atol=1e-5)


@pytest.mark.parametrize("sigma", [0.8, 2.0, 6.0])
def test_a_blurred_point_has_the_variance_that_was_asked_for(sigma: float) -> None:
    point = np.zeros((101, 101), np.float32)
    point[50, 50] = 1.0
    offsets = np.arange(101) - 50.0
    spread = blur(point, sigma)
    assert (spread.sum(axis=0) * offsets**2).sum() == pytest.approx(sigma**2, rel=0.02)
    assert (spread.sum(axis=1) * offsets**2).sum() == pytest.approx(sigma**2, rel=0.02)


def test_an_empty_size_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        resize(_noise(4, 4), 0, 4)
