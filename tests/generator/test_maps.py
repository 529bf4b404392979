# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from heights and pictures: known shapes give known maps, and everything stays on the torus."""

from __future__ import annotations

import numpy as np
import pytest

from generator.maps import analyse, height_from_normal, normal_from_height, occlusion_from_height
from generator.maps.border import bridge
from generator.maps.joints import find_joints
from generator.material import Material
from generator.resample import blur


def _smooth(rows: int, columns: int, sigma: float, seed: int = 0) -> np.ndarray:
    """Periodic noise of one scale, in [0, 1]."""
    field = blur(np.random.default_rng(seed).random((rows, columns), dtype=np.float32), sigma)
    return (field - field.min()) / np.ptp(field)


def _groove(size: int, width: int) -> np.ndarray:
    """A flat field at 1 with one groove at 0 running from top to bottom through the middle."""
    height = np.ones((size, size), np.float32)
    height[:, (size - width) // 2 : (size + width) // 2] = 0.0
    return height


class TestOcclusion:
    def test_a_flat_field_sees_the_whole_sky(self) -> None:
        assert occlusion_from_height(np.full((32, 48), 0.4, np.float32), 0.05).min() == 1.0
        assert occlusion_from_height(_smooth(32, 32, 2.0), 0.0).min() == 1.0

    def test_the_middle_of_a_groove_sees_what_geometry_says(self) -> None:
        # 16 px wide and 8 px deep: the walls stand at 8 px across, at 8 sqrt(2) px diagonally; along it, nothing.
        occlusion = occlusion_from_height(_groove(256, 16), 8 / 256)
        expected = 1.0 - (2 * 0.5 + 4 * 1 / 3) / 8
        assert occlusion[100, 127:129].mean() == pytest.approx(expected, abs=0.08)
        assert occlusion[:, :60].min() > 0.99

    def test_deep_joints_are_dark_and_what_stands_out_is_light(self) -> None:
        occlusion = occlusion_from_height(_groove(512, 10), 0.03)
        assert 0.2 < occlusion[:, 256].mean() < 0.7
        assert occlusion[:, :200].mean() > 0.98

    @pytest.mark.parametrize("shape", [(16, 16), (64, 64), (33, 57), (128, 16)])
    def test_it_wraps(self, shape: tuple[int, int]) -> None:
        height = _smooth(*shape, sigma=1.5)
        occlusion = occlusion_from_height(height, 0.05)
        assert occlusion.shape == shape and occlusion.dtype == np.float32
        assert occlusion.min() >= 0.0 and occlusion.max() <= 1.0
        shift = tuple(
            8 * (n // 16) for n in shape
        )  # Whole pixels of every level, where the levels halve evenly.
        rolled = occlusion_from_height(np.roll(height, shift, axis=(0, 1)), 0.05)
        tolerance = 1e-5 if all(n % 16 == 0 for n in shape) else 0.05
        np.testing.assert_allclose(rolled, np.roll(occlusion, shift, axis=(0, 1)), atol=tolerance)


def _spectral(rows: int, columns: int, exponent: float, seed: int = 0) -> np.ndarray:
    """A periodic field in [0, 1] whose amplitudes fall as the wave number to the minus ``exponent``."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((rows, columns)))
    waves = np.hypot(np.fft.fftfreq(rows)[:, None] * rows, np.fft.rfftfreq(columns)[None, :] * columns)
    waves[0, 0] = 1.0
    field = np.fft.irfft2(spectrum / waves**exponent, (rows, columns))
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


def _wall(size: int, light_mortar: bool = False, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Red bricks of different shades in running bond: the picture ``(size, size, 3)`` and its true height."""
    y, x = np.mgrid[0:size, 0:size] / size
    course = (y * 8).astype(int)
    along = x * 4 + 0.5 * (course % 2)
    distance = np.minimum(2 * np.minimum(along % 1, 1 - along % 1), np.minimum(y * 8 % 1, 1 - y * 8 % 1))
    stone = np.clip((distance - 0.05) / 0.06, 0, 1)[..., None]
    shade = np.random.default_rng(seed).normal(1, 0.1, (8, 4))[course, along.astype(int) % 4]
    grain = _spectral(size, size, 1.0, seed) - 0.5
    brick = np.array([0.55, 0.26, 0.19]) * (shade + 0.5 * grain)[..., None]
    mortar = np.array([0.78, 0.76, 0.72]) if light_mortar else np.array([0.34, 0.32, 0.30])
    picture = mortar * (1 - stone) + brick * stone
    return np.clip(picture, 0, 1).astype(np.float32), (0.9 * stone[..., 0] + 0.05 * grain).astype(np.float32)


def _grey(field: np.ndarray) -> np.ndarray:
    return np.repeat(field[..., None], 3, axis=2).astype(np.float32)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


class TestHeightFromNormal:
    @pytest.mark.parametrize("relief", [0.02, 0.05])
    @pytest.mark.parametrize("shape", [(256, 256), (255, 301), (192, 320)])
    @pytest.mark.parametrize("kind", ["band", "rough", "wall"])
    def test_it_gives_back_a_known_height_from_8_bit_normals(
        self, kind: str, shape: tuple[int, int], relief: float
    ) -> None:
        if kind == "wall":
            height = _wall(256)[1] / 0.95
        else:
            height = _smooth(*shape, sigma=6.0) if kind == "band" else _spectral(*shape, 1.5)
        normal = normal_from_height(height, relief)
        rounded = np.round((normal * 0.5 + 0.5) * 255) / 255 * 2 - 1
        found, found_relief = height_from_normal(rounded.astype(np.float32))
        assert found.min() == 0.0 and found.max() == 1.0
        true, seen = height * relief, found * found_relief
        true, seen = true - true.mean(), seen - seen.mean()
        assert np.sqrt(np.mean((true - seen) ** 2) / np.mean(true**2)) < 0.01

    def test_a_given_relief_is_kept(self) -> None:
        height = 0.2 + 0.5 * _smooth(96, 96, 4.0)
        found, relief = height_from_normal(normal_from_height(height, 0.04), relief=0.04)
        assert relief == 0.04
        np.testing.assert_allclose(found - found.mean(), height - height.mean(), atol=0.005)

    def test_flat_normals_are_a_plane(self) -> None:
        flat = np.zeros((16, 24, 3), np.float32)
        flat[..., 2] = 1.0
        height, relief = height_from_normal(flat)
        assert relief == 0.0 and np.ptp(height) == 0.0


class TestAnalysis:
    @pytest.mark.parametrize("light_mortar", [False, True])
    def test_a_walls_joints_are_low_whether_dark_or_bright(self, light_mortar: bool) -> None:
        picture, height = _wall(256, light_mortar)
        material = analyse(picture)
        assert _correlation(material.height, height) > 0.85
        joint = height < 0.2
        assert material.ao[joint].mean() < material.ao[~joint].mean() - 0.05
        assert material.roughness[joint].mean() > material.roughness[~joint].mean()

    def test_dark_is_low_where_nothing_else_is_known(self) -> None:
        bumps = _smooth(256, 256, 4.0)
        assert _correlation(analyse(_grey(0.3 + 0.4 * bumps)).height, bumps) > 0.7

    def test_light_that_falls_off_is_not_taken_for_a_slope(self) -> None:
        x = np.arange(256) / 256
        light = (0.75 + 0.25 * np.cos(2 * np.pi * x)).astype(np.float32)
        grain = 0.35 + 0.3 * _smooth(256, 256, 3.0)
        material = analyse(_grey(grain * light))
        assert _correlation(material.height, grain) > 2 * abs(
            _correlation(material.height, np.tile(light, (256, 1)))
        )

    def test_every_map_is_complete_and_in_its_range(self) -> None:
        picture = _wall(128)[0]
        material = analyse(picture)
        np.testing.assert_array_equal(material.basecolor, picture)
        for name in ("roughness", "height", "ao", "metallic"):
            field = getattr(material, name)
            assert field.shape == (128, 128) and field.dtype == np.float32
            assert field.min() >= 0 and field.max() <= 1
        np.testing.assert_allclose(np.linalg.norm(material.normal, axis=2), 1, atol=1e-5)
        np.testing.assert_allclose(
            material.normal, normal_from_height(material.height, material.relief), atol=1e-4
        )
        assert 0.002 < material.relief < 0.06

    @pytest.mark.parametrize("shift", [(128, 0), (64, 128)])
    def test_it_does_not_know_where_the_border_is(self, shift: tuple[int, int]) -> None:
        # Shifts that are whole pixels on every level of the pyramids and of the copy on which joints are sought.
        picture = _wall(256)[0]
        here, there = analyse(picture), analyse(np.roll(picture, shift, axis=(0, 1)))
        for name in ("normal", "roughness", "height", "ao"):
            expected = np.roll(getattr(here, name), shift, axis=(0, 1))
            np.testing.assert_allclose(getattr(there, name), expected, atol=2e-3, err_msg=name)

    def test_an_axis_that_does_not_wrap_gets_no_false_seam(self) -> None:
        # A picture twice as bright at its right end as at its left one.
        ramp = np.tile(np.linspace(0.3, 0.6, 128, dtype=np.float32), (128, 1)) + 0.1 * _smooth(128, 128, 2.0)

        def steepness(material: Material) -> tuple[float, float]:
            slope = np.abs(material.normal[..., 0]) / material.normal[..., 2]
            return float(slope[:, [0, -1]].mean()), float(slope[:, 10:-10].mean())

        edge, inside = steepness(analyse(_grey(ramp), axes=(False, True)))
        assert edge < 2.5 * inside
        wrapped_edge, wrapped_inside = steepness(analyse(_grey(ramp), axes=(True, True)))
        assert wrapped_edge > 4 * wrapped_inside

    @pytest.mark.parametrize("shape", [(16, 16), (17, 40), (8, 64), (1, 5), (250, 130)])
    @pytest.mark.parametrize("axes", [(True, True), (False, False)])
    def test_any_size_will_do(self, shape: tuple[int, int], axes: tuple[bool, bool]) -> None:
        material = analyse(_grey(np.random.default_rng(0).random(shape)), axes)
        assert material.height.shape == shape and material.normal.shape == (*shape, 3)
        assert all(np.isfinite(getattr(material, name)).all() for name in ("normal", "roughness", "ao"))

    def test_smooth_is_less_rough_than_grainy(self) -> None:
        even, grainy = (0.5 + spread * (_spectral(256, 256, 0.5) - 0.5) for spread in (0.02, 0.8))
        assert analyse(_grey(even)).roughness.mean() < analyse(_grey(grainy)).roughness.mean() - 0.15

    def test_metal_needs_strong_evidence(self) -> None:
        stone = _grey(0.5 + 0.3 * (_spectral(256, 256, 1.0) - 0.5))
        assert analyse(stone).metallic.max() == 0.0
        assert analyse(_wall(128)[0]).metallic.max() == 0.0
        brushed = np.tile(np.random.default_rng(0).random(256, dtype=np.float32)[:, None], (1, 256))
        assert analyse(_grey(0.5 + 0.2 * brushed)).metallic.mean() > 0.8
        assert analyse(_grey(0.5 + 0.2 * brushed) * np.float32([1, 0.6, 0.3])).metallic.max() == 0.0

    def test_de_lighting_is_mild_and_only_on_request(self) -> None:
        light = (0.75 + 0.25 * np.cos(2 * np.pi * np.arange(128) / 128)).astype(np.float32)
        picture = _grey((0.4 + 0.2 * _smooth(128, 128, 2.0)) * light)
        even = analyse(picture, delight=1.0).basecolor
        assert np.ptp(even.mean(axis=0)[:, 0]) < 0.6 * np.ptp(picture.mean(axis=0)[:, 0])
        assert even.mean() == pytest.approx(picture.mean(), abs=0.03)

    def test_other_shapes_are_refused(self) -> None:
        with pytest.raises(ValueError, match="H, W, 3"):
            analyse(np.zeros((8, 8), np.float32))


class TestJoints:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
    def test_noise_has_none(self, exponent: float, seed: int) -> None:
        field = _spectral(192, 192, exponent, seed)
        assert find_joints(field, np.zeros_like(field)) is None

    def test_a_walls_joints_are_found_with_their_width(self) -> None:
        picture, height = _wall(256)
        found = find_joints(
            picture.mean(axis=2), (picture.max(axis=2) - picture.min(axis=2)) / picture.max(axis=2)
        )
        assert found is not None
        assert _correlation(found.mask, -height) > 0.8
        assert 0.012 < found.width < 0.03  # Half-height to half-height, 0.16 of a course of 1/8.


def test_a_bridge_continues_a_picture_from_one_edge_to_the_other() -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (48, 1))
    bridged = bridge(ramp, (False, True))
    assert bridged.shape[0] == 48 and bridged.shape[1] > 64
    np.testing.assert_array_equal(bridged[:, :64], ramp)
    assert np.abs(np.diff(bridged, axis=1, append=bridged[:, :1])).max() < 0.15
    assert bridge(ramp, (True, True)) is ramp
