# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of which the ways to tile are made: cuts, light, rhythm, straightening, likeness."""

from __future__ import annotations

import numpy as np
import photo_likes
import pytest

from generator.resample import blur
from generator.tiling import light, patches, period, straight
from generator.tiling.cuts import Loop, cheapest_path
from generator.tiling.likeness import Judge
from generator.tiling.patches import Wraps

NONE, BOTH = Wraps(False, False), Wraps(True, True)


def test_a_cut_follows_the_valley_and_closes_where_it_is_asked_to() -> None:
    valley = (20 + 5 * np.sin(np.arange(80) / 6)).round().astype(int)
    costs = np.abs(np.arange(40)[None, :] - valley[:, None]).astype(np.float32)
    totals, path = cheapest_path(costs[None], closed=False)
    assert np.abs(path[0] - valley).max() <= 1 and totals[0] < 40
    closed = cheapest_path(costs[None], closed=True)[1][0]
    assert abs(int(closed[0]) - int(closed[-1])) <= 1
    assert np.abs(np.diff(closed)).max() <= 1


def test_a_loop_takes_the_cheaper_window_and_its_inside_ends_at_the_line() -> None:
    loop = Loop(10, 20)
    ring = np.abs(loop.distance - 14) + np.float32(0.1)
    chosen, radii = loop.cheapest(np.stack([ring + 1, ring]))
    assert chosen == 1
    assert np.abs(radii - 14).max() <= 1
    inside = loop.inside(radii, feather=1.0)
    assert (inside[loop.distance < 12] == 1).all() and (inside[loop.distance > 17] == 0).all()


def test_the_smooth_part_leaves_a_periodic_picture_alone_and_takes_a_jump_away() -> None:
    x = np.linspace(0, 1, 101, dtype=np.float32)
    ramp = np.tile(x[None, :, None], (77, 1, 3))
    without = ramp - light.smooth_part(ramp, wrap_y=True)
    assert np.ptp(without) < 0.02
    wave = np.tile(np.cos(2 * np.pi * np.arange(100) / 100)[None, :, None], (50, 1, 1)).astype(np.float32)
    assert np.abs(light.smooth_part(wave, wrap_y=False)).max() < 1e-3


def test_light_that_falls_off_is_found_and_undone_and_a_dark_corner_is_left() -> None:
    even = 0.4 + 0.03 * np.repeat(photo_likes.noise(150, 200, 0.3)[..., None], 3, axis=2)
    y, x = np.mgrid[-1:1:150j, -1:1:200j]
    lamp = (1 - 0.35 * x - 0.2 * (x**2 + y**2))[..., None].astype(np.float32)
    gain = light.fall_off(even * lamp)
    assert gain is not None
    before, after = (blur(picture[..., 0], 12, False, False) for picture in (even * lamp, even * lamp * gain))
    assert after.std() / after.mean() < 0.2 * before.std() / before.mean()
    assert light.fall_off(even) is None
    corner = even.copy()
    corner[:50, :60] *= 0.4
    assert light.fall_off(corner) is None
    assert light.fall_off(even * lamp, along_x=False) is None  # In Y alone there is little to see.


def test_the_beat_of_tiles_is_found_and_breaking_it_costs() -> None:
    picture = photo_likes.tiles(200, 338, 61)
    found = period.rhythm(picture)
    assert found is not None
    assert found.step * 338 == pytest.approx(61, abs=0.5)
    whole, broken = found.off_beat(np.array([5 * 61 / 338, 4.5 * 61 / 338]))
    assert whole < 0.15 and broken > 0.4
    assert period.rhythm(photo_likes.pebbles(200, 200)) is None


def test_a_regular_picture_is_cropped_to_whole_repeats() -> None:
    picture = photo_likes.tiles(290, 338, 61)
    rhythms = period.rhythm(picture), period.rhythm(np.ascontiguousarray(picture.swapaxes(0, 1)))
    found = period.best_periods(picture, BOTH, NONE, rhythms, overlap=True)
    assert min(found.columns % 61, 61 - found.columns % 61) <= 2
    assert min(found.rows % 61, 61 - found.rows % 61) <= 2


def test_pieces_are_the_pictures_own_and_cover_every_border() -> None:
    photo = photo_likes.pebbles(150, 170)
    covered = patches.cover(photo, NONE, BOTH, radius=20, check=lambda: None)
    assert covered is not None
    picture, pieces = covered
    changed = (picture != photo).any(axis=2)
    assert changed[0].all() and changed[:, 0].all() and not changed[45:-45, 45:-45].any()
    for piece in pieces:
        assert all(20 <= place < size - 20 for place, size in zip(piece.origin, (150, 170), strict=True))
    assert len({piece.origin for piece in pieces}) > 0.6 * len(pieces)  # nothing is shown over and over


def test_there_are_no_pieces_where_there_is_no_room_to_take_them_from() -> None:
    assert patches.cover(photo_likes.pebbles(40, 40), NONE, BOTH, radius=18, check=lambda: None) is None


def test_a_wall_photographed_askew_is_straightened_and_gravel_is_not() -> None:
    wall = photo_likes.bricks(480, (40, 80))
    # The picture of a camera that is tilted upwards: lines converge towards the top.
    askew = straight.straighten(wall, straight.Quad(((0, 0), (1, 0), (0.8, 1), (0.2, 1))))
    quad = straight.find_quad(askew)
    assert quad is not None
    (ax, _), (bx, _), (cx, _), (dx, _) = quad.corners
    assert (bx - ax) / (cx - dx) == pytest.approx(0.6, abs=0.05)
    mended = straight.straighten(askew, quad)
    assert mended.shape == wall.shape
    again = straight.find_quad(mended)
    assert again is None or min(again.shares) > 0.97
    assert straight.find_quad(wall) is None
    slanted = straight.straighten(wall, straight.Quad(((0.15, 0), (1, 0), (0.85, 1), (0, 1))))
    assert straight.find_quad(slanted) is None  # No camera leans one family of lines alone.
    assert straight.find_quad(photo_likes.pebbles(240, 240)) is None


def test_likeness_sees_fog_and_hard_cuts_and_other_colours_where_the_ends_meet() -> None:
    photo = photo_likes.pebbles(200, 200)
    judge = Judge(photo)
    y, x = np.mgrid[0:200, 0:200]
    near = np.minimum.reduce([y, x, 199 - y, 199 - x])[..., None] < 10
    covered = patches.cover(photo, NONE, BOTH, radius=28, check=lambda: None)
    assert covered is not None
    good = judge.compare(covered[0])
    fog = judge.compare(np.where(near, blur(photo, 6), photo))
    seam = judge.compare(photo)
    assert fog.faded > good.faded + 0.2 and fog.total > good.total
    assert seam.strange > good.strange and seam.total > good.total
    assert judge.compare(photo * np.array((0.7, 1, 1), np.float32)).colours > good.colours + 0.02
