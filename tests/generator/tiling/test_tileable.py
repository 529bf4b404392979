# SPDX-License-Identifier: GPL-3.0-or-later
"""Any photograph can be made to tile, and is still that photograph."""

from __future__ import annotations

import numpy as np
import photo_likes
import pytest

from generator import tileable
from generator.seams import measure
from generator.tileable import make_tileable, tile
from generator.tiling.period import MOST_STRETCH, SHORTEST


def _grain(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image, axis=1)).mean() + np.abs(np.diff(image, axis=0)).mean())


@pytest.mark.parametrize("shape", [(256, 256), (201, 333), (160, 97)])
def test_a_photograph_tiles_afterwards_and_keeps_its_size(shape: tuple[int, int]) -> None:
    photo = photo_likes.ground(*shape)
    before = measure(photo)
    assert before.x.tiles is False and before.y.tiles is False
    result = make_tileable(photo)
    after = measure(result)
    assert result.shape == photo.shape and result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= 1
    assert after.x.tiles is True and after.y.tiles is True


def test_only_the_axis_that_was_asked_for_changes_its_verdict() -> None:
    result = measure(make_tileable(photo_likes.ground(256, 256), y=False))
    assert result.x.tiles is True and result.y.tiles is False


def test_an_axis_that_tiled_before_still_does() -> None:
    periodic = photo_likes.ground(400, 400)[:, :, :] / np.linspace(0.6, 1.2, 400, dtype=np.float32)[:, None]
    half = periodic[:, :230]  # Cut off in X alone: in Y it still wraps.
    before, after = measure(half), measure(make_tileable(half))
    assert before.x.tiles is False and before.y.tiles is True
    assert after.x.tiles is True and after.y.tiles is True
    assert make_tileable(half, x=False) is half


def test_what_tiles_already_comes_back_as_it_was() -> None:
    periodic = np.repeat(0.5 + 0.1 * photo_likes.noise(128, 128, 1.0)[..., None], 3, axis=2)
    result = tile(periodic)
    assert result.picture is periodic and result.method == "none"
    assert "tiles already" in result.sentence
    photo = photo_likes.ground(128, 128)
    assert make_tileable(photo, x=False, y=False) is photo


def test_colours_and_contrast_stay_those_of_the_photograph() -> None:
    photo = photo_likes.ground(256, 256)
    result = make_tileable(photo)
    np.testing.assert_allclose(result.mean(axis=(0, 1)), photo.mean(axis=(0, 1)), atol=0.04)
    assert _grain(result) == pytest.approx(_grain(photo), rel=0.35)


def test_stones_at_the_border_are_as_crisp_as_all_others_and_the_middle_is_untouched() -> None:
    photo = photo_likes.pebbles(240, 260)
    result = tile(photo)
    assert result.method == "patched" and result.score.seams == 0
    across = np.roll(result.picture, (12, 12), axis=(0, 1))
    for border in (across[:24], across[:, :24]):
        assert _grain(border) > 0.8 * _grain(photo)
        assert border.std() > 0.8 * photo.std()
    # Light may be moved by a hair, stones may not.
    assert np.abs(result.picture - photo)[60:-60, 60:-60].max() < 0.07


def test_fine_sand_under_uneven_light_is_evened_without_moving_a_grain() -> None:
    sand = np.random.default_rng(0).random((200, 200, 3), dtype=np.float32) * 0.3 + 0.2
    sand += np.linspace(0, 0.3, 200, dtype=np.float32)[:, None, None]
    result = make_tileable(sand)
    assert measure(result).y.tiles is True
    inner, evened = (np.diff(image[20:-20, 20:-20], axis=0) for image in (sand, result))
    assert np.corrcoef(inner.ravel(), evened.ravel())[0, 1] > 0.95


def test_bricks_are_cut_at_whole_bricks() -> None:
    picture = photo_likes.bricks(512)[5:425, 9:440]
    result = make_tileable(picture)
    joints = (result[..., 0] - result[..., 2] < 0.15).mean(axis=1)  # Grey rows are bed joints.
    beds = np.flatnonzero(np.diff((joints > 0.6).astype(int), prepend=int(joints[-1] > 0.6)) == 1)
    spacing = np.diff(np.concatenate([beds, [beds[0] + len(joints)]]))
    assert spacing.max() - spacing.min() <= 3


def test_stretching_stays_within_bounds_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    real = tileable._best

    def spy(*arguments: object) -> object:
        chosen.append(real(*arguments))  # type: ignore[arg-type]
        return chosen[-1]

    monkeypatch.setattr(tileable, "_best", spy)
    result = tile(photo_likes.tiles(300, 230, 64))  # 4.7 by 3.6 tiles
    in_x, in_y = chosen[0][0].stretch
    assert 1.05 < max(in_x, in_y) <= 1 / SHORTEST + 0.02
    assert 1 / MOST_STRETCH - 0.02 < in_x / in_y < MOST_STRETCH + 0.02
    assert f"{100 * (in_x - 1):.0f} % in X" in result.sentence and "cropped" in result.sentence
    assert result.picture.shape == (300, 230, 3)


def test_transparency_goes_along_with_the_colours() -> None:
    cover = photo_likes.pebbles(200, 220)[..., :1]
    photo = np.concatenate([np.repeat(0.2 + 0.8 * cover, 3, axis=2), cover], axis=2)
    result = tile(photo)
    assert result.picture.shape == photo.shape and result.score.seams == 0
    colour, alpha = result.picture[..., 0], result.picture[..., 3]
    assert alpha.min() < 0.2 and alpha.max() > 0.6
    seen = alpha > 0.1
    assert np.corrcoef(colour[seen], alpha[seen])[0, 1] > 0.93
    verdict = measure(result.picture[..., 3:])
    assert verdict.x.tiles is True and verdict.y.tiles is True


def test_it_asks_again_and_again_whether_to_go_on() -> None:
    photo = photo_likes.pebbles(240, 260)
    asked = 0

    def count() -> None:
        nonlocal asked
        asked += 1

    tile(photo, check=count)
    assert asked > 20
    for last in (1, asked // 2, asked - 1):
        remaining = last

        def stop() -> None:
            nonlocal remaining
            remaining -= 1
            if remaining <= 0:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            tile(photo, check=stop)


def test_the_same_pixels_give_the_same_result_whatever_else_is_random() -> None:
    photo = photo_likes.pebbles(180, 190)
    before = photo.copy()
    np.random.seed(1)
    first = tile(photo)
    np.random.seed(2)
    second = tile(np.asfortranarray(photo))
    assert first.method == second.method and first.sentence == second.sentence
    np.testing.assert_array_equal(first.picture, second.picture)
    np.testing.assert_array_equal(photo, before)


EXTREMES = {
    "constant": np.full((64, 64, 3), 0.3, np.float32),
    "tiny": np.random.default_rng(0).random((16, 16, 3), dtype=np.float32),
    "one pixel": np.full((1, 1, 3), 0.5, np.float32),
    "tiny ramp": np.linspace(0, 1, 768, dtype=np.float32).reshape(16, 16, 3),
    "ribbon": np.clip(photo_likes.ground(16, 400)[:, :390].repeat(5, axis=1), 0, 1),
    "post": photo_likes.ground(400, 16),
    "noise": np.random.default_rng(0).random((90, 70, 3), dtype=np.float32),
    "ramp": np.linspace(0, 1, 90 * 120 * 3, dtype=np.float32).reshape(90, 120, 3),
    "step": np.repeat((np.arange(128) > 80).astype(np.float32)[None, :, None], 100, 0).repeat(3, 2),
    "holes": np.where(np.random.default_rng(0).random((80, 80, 3)) > 0.9, np.nan, 0.5).astype(np.float32),
    "nothing seen": np.concatenate([photo_likes.ground(60, 60), np.zeros((60, 60, 1), np.float32)], axis=2),
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.filterwarnings("error")
def test_whatever_comes_in_a_picture_comes_out(name: str) -> None:
    picture = EXTREMES[name]
    for x, y in ((True, True), (True, False), (False, True)):
        result = tile(picture, x, y)
        assert result.picture.shape == picture.shape
        assert np.isfinite(result.picture).all()
        assert result.picture.min() >= 0 and result.picture.max() <= 1
        assert result.sentence.endswith(".")


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (0, 8, 3), (8, 8, 5)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="H, W, 3"):
        make_tileable(np.zeros(shape, np.float32))
