# SPDX-License-Identifier: GPL-3.0-or-later
"""The sheet and the shading under it: light behaves, and every map can be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from generator.maps import normal_from_height, occlusion_from_height
from generator.material import Material
from generator.render import linear_to_srgb, normalised, shade, srgb_to_linear, tone
from generator.sheet import render_sheet
from generator.studio import ball, wall


def _material(rows: int = 96, columns: int = 96, relief: float = 0.04) -> Material:
    """Red tiles with grey joints."""
    y, x = np.mgrid[0:rows, 0:columns]
    joint = (y % 24 < 3) | (x % 24 < 3)
    height = np.where(joint, 0.1, 0.9).astype(np.float32)
    return Material(
        basecolor=np.where(joint[..., None], (0.5, 0.5, 0.5), (0.7, 0.2, 0.15)).astype(np.float32),
        normal=normal_from_height(height, relief),
        roughness=np.where(joint, 0.9, 0.4).astype(np.float32),
        height=height,
        ao=occlusion_from_height(height, relief),
        metallic=np.zeros_like(height),
        relief=relief,
    )


def _up(count: int) -> np.ndarray:
    return np.tile(np.array([0, 0, 1], np.float32), (count, 1))


def _directions(count: int) -> np.ndarray:
    """Evenly over the hemisphere about +Z, by solid angle."""
    index = np.arange(count) + 0.5
    z, turn = index / count, index * np.pi * (1 + 5**0.5)
    ring = np.sqrt(1 - z * z)
    return np.stack((ring * np.cos(turn), ring * np.sin(turn), z), axis=-1).astype(np.float32)


def test_srgb_goes_there_and_back() -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-5)
    assert srgb_to_linear(np.float32(0.5)) == pytest.approx(0.21404, abs=1e-4)


def test_the_tone_curve_is_straight_below_its_knee_and_never_passes_white() -> None:
    light = np.linspace(0, 20, 500, dtype=np.float32)
    shown = tone(light)
    np.testing.assert_allclose(shown[light < 0.5], light[light < 0.5])
    assert np.all(np.diff(shown) >= 0) and shown.max() <= 1.0


def test_a_rough_white_dielectric_lit_straight_on_sends_back_about_one() -> None:
    one = np.ones(1, np.float32)
    light = shade(np.ones((1, 3), np.float32), _up(1), one, 0 * one, _up(1), _up(1))
    assert light == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("roughness", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("metallic", [0.0, 1.0])
def test_no_surface_sends_back_more_than_it_gets(roughness: float, metallic: float) -> None:
    count = 20000
    view = _directions(count)
    fields = (np.full(count, value, np.float32) for value in (roughness, metallic))
    toward = normalised(np.array([0.5, 0.2, 0.8], np.float32))
    seen = shade(np.ones((count, 3), np.float32), _up(count), *fields, view, toward)
    # Mean over the hemisphere times 2 pi, with the cosine, over pi times the light that falls in.
    sent = 2 * float((seen[:, 0] * view[:, 2]).mean()) / toward[2]
    assert 0.3 < sent <= 1.02
    if roughness == metallic == 1.0:  # A closed form: the lobe is even and masking alone takes light away.
        assert sent == pytest.approx(1 - toward[2] * np.log(1 + 1 / toward[2]), rel=0.02)


def test_light_is_reciprocal() -> None:
    rng = np.random.default_rng(0)
    a, b = (normalised(np.abs(rng.normal(size=(50, 3))).astype(np.float32)) for _ in range(2))
    flat = np.full(50, 0.4, np.float32)
    colour = np.full((50, 3), 0.5, np.float32)
    metal = np.ones(50, np.float32)
    forth = shade(colour, _up(50), flat, metal, a, b) / b[:, 2:]
    back = shade(colour, _up(50), flat, metal, b, a) / a[:, 2:]
    np.testing.assert_allclose(forth, back, rtol=1e-3)


def test_light_comes_from_the_upper_left() -> None:
    height = np.zeros((64, 64), np.float32)
    height[16:48, 16:48] = 1.0
    flat = np.ones_like(height)
    block = Material(
        np.full((64, 64, 3), 0.5, np.float32),
        normal_from_height(height, 0.1),
        flat,
        height,
        flat,
        0 * flat,
        0.1,
    )
    shown = wall(block, 128).mean(axis=2)
    assert shown[32, 15:17].mean() > 1.5 * shown[32, 47:49].mean()  # Left flank against the right one.
    assert shown[15:17, 32].mean() > 1.5 * shown[47:49, 32].mean()  # Upper against lower.


def test_the_wall_repeats_the_texture_twice_each_way() -> None:
    shown = wall(replace(_material(), roughness=np.ones((96, 96), np.float32)), 192)
    a, b = shown[:96, :96].mean(axis=2).ravel(), shown[96:, 96:].mean(axis=2).ravel()
    assert np.corrcoef(a, b)[0, 1] > 0.95


@pytest.mark.parametrize("name", ["basecolor", "normal", "roughness", "ao", "metallic", "height"])
def test_every_map_changes_the_ball(name: str) -> None:
    material = _material()
    changed = getattr(material, name).copy()
    changed[:] = {"normal": np.array([0.3, 0.3, 0.9]), "metallic": 1.0}.get(name, 0.2)
    if name == "normal":
        changed = normalised(changed)
    before, _ = ball(material, 96)
    after, _ = ball(replace(material, **{name: changed}), 96)
    assert np.isfinite(after).all()
    assert np.abs(after - before).mean() > 1e-3


def test_the_ball_is_round_soft_at_its_edge_and_its_outline_shows_the_relief() -> None:
    smooth = replace(_material(), relief=0.0)
    _, coverage = ball(smooth, 128)
    assert coverage.sum() == pytest.approx(np.pi * 63**2, rel=0.01)
    assert np.any((coverage > 0.1) & (coverage < 0.9))
    _, displaced = ball(replace(_material(), relief=0.06), 128)
    assert displaced.sum() < 0.995 * coverage.sum()


@pytest.mark.parametrize("shape", [(96, 96), (50, 130), (131, 48)])
def test_a_sheet_has_its_size_and_is_no_empty_page(shape: tuple[int, int]) -> None:
    sheet = render_sheet(_material(*shape), "red tiles " * 12)
    assert sheet.shape == (900, 1600, 3) and sheet.dtype == np.uint8
    reddish = (sheet[..., 0].astype(int) - sheet[..., 2]) > 40
    assert reddish[:, :750].mean() > 0.2 and reddish[:, 800:].mean() > 0.1
    assert sheet[820:880, 1000:1570].max() > 200  # The title's letters.
