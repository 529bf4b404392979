# SPDX-License-Identifier: GPL-3.0-or-later
"""Any photograph can be made to tile, and is still that photograph."""

from __future__ import annotations

import numpy as np
import pytest

from generator.resample import blur
from generator.seams import measure
from generator.tileable import make_tileable
from generator.tiling.light import smooth_part


def _noise(rows: int, columns: int, exponent: float, seed: int = 0) -> np.ndarray:
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((rows, columns)))
    waves = np.hypot(np.fft.fftfreq(rows)[:, None] * rows, np.fft.rfftfreq(columns)[None, :] * columns)
    waves[0, 0] = 1.0
    field = np.fft.irfft2(spectrum / waves**exponent, (rows, columns))
    return ((field - field.mean()) / field.std()).astype(np.float32)


def _photo(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Blotchy ground under light that falls off to one side; it tiles in neither direction."""
    ground = np.stack([_noise(400, 400, 1.2, seed + c)[:rows, :columns] for c in range(3)], axis=-1)
    light = np.linspace(0.6, 1.2, columns, dtype=np.float32)[None, :, None]
    return np.clip((0.4 + 0.07 * ground) * light, 0, 1)


def _bricks(size: int, brick: tuple[int, int] = (48, 96)) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size]
    course = y // brick[0]
    along = x + brick[1] // 2 * (course % 2)
    joint = (y % brick[0] < 6) | (along % brick[1] < 6)
    rng = np.random.default_rng(0)
    shade = rng.normal(1, 0.1, (64, 64))[course, along // brick[1]][..., None]
    picture = np.where(joint[..., None], (0.7, 0.68, 0.65), np.array((0.55, 0.25, 0.2)) * shade)
    soft = blur(picture.astype(np.float32), 1.5)  # No lens draws edges of one pixel.
    return np.clip(soft + 0.02 * _noise(size, size, 0.8)[..., None], 0, 1).astype(np.float32)


@pytest.mark.parametrize("shape", [(256, 256), (201, 333), (160, 97)])
def test_a_photograph_tiles_afterwards_and_keeps_its_size(shape: tuple[int, int]) -> None:
    photo = _photo(*shape)
    before = measure(photo)
    assert before.x.tiles is False and before.y.tiles is False
    result = make_tileable(photo)
    after = measure(result)
    assert result.shape == photo.shape and result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= 1
    assert after.x.tiles is True and after.y.tiles is True


def test_only_the_axis_that_was_asked_for_changes_its_verdict() -> None:
    result = measure(make_tileable(_photo(256, 256), y=False))
    assert result.x.tiles is True and result.y.tiles is False


def test_what_tiles_already_comes_back_as_it_was() -> None:
    periodic = np.repeat(0.5 + 0.1 * _noise(128, 128, 1.0)[..., None], 3, axis=2)
    assert make_tileable(periodic) is periodic
    photo = _photo(128, 128)
    assert make_tileable(photo, x=False, y=False) is photo


def test_colours_and_contrast_stay_those_of_the_photograph() -> None:
    photo = _photo(256, 256)
    result = make_tileable(photo)
    np.testing.assert_allclose(result.mean(axis=(0, 1)), photo.mean(axis=(0, 1)), atol=0.04)

    def grain(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image, axis=1)).mean())

    assert grain(result) == pytest.approx(grain(photo), rel=0.35)


def test_fine_sand_under_uneven_light_is_evened_without_moving_a_grain() -> None:
    sand = np.random.default_rng(0).random((200, 200, 3), dtype=np.float32) * 0.3 + 0.2
    sand += np.linspace(0, 0.3, 200, dtype=np.float32)[:, None, None]
    result = make_tileable(sand)
    assert measure(result).y.tiles is True
    inner, evened = (np.diff(image[20:-20, 20:-20], axis=0) for image in (sand, result))
    assert np.corrcoef(inner.ravel(), evened.ravel())[0, 1] > 0.95


def test_bricks_are_cut_at_whole_bricks() -> None:
    picture = _bricks(512)[5:425, 9:440]
    result = make_tileable(picture)
    joints = (result[..., 0] - result[..., 2] < 0.15).mean(axis=1)  # Grey rows are bed joints.
    beds = np.flatnonzero(np.diff((joints > 0.6).astype(int), prepend=int(joints[-1] > 0.6)) == 1)
    spacing = np.diff(np.concatenate([beds, [beds[0] + len(joints)]]))
    assert spacing.max() - spacing.min() <= 3


def test_the_smooth_part_leaves_a_periodic_picture_alone_and_takes_a_jump_away() -> None:
    x = np.linspace(0, 1, 101, dtype=np.float32)
    ramp = np.tile(x[None, :, None], (77, 1, 3))
    without = ramp - smooth_part(ramp, wrap_y=True)
    assert np.ptp(without) < 0.02
    wave = np.tile(np.cos(2 * np.pi * np.arange(100) / 100)[None, :, None], (50, 1, 1)).astype(np.float32)
    assert np.abs(smooth_part(wave, wrap_y=False)).max() < 1e-3


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="H, W, 3"):
        make_tileable(np.zeros((8, 8), np.float32))
