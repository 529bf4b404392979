# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from heights and pictures: known shapes give known maps, and everything stays on the torus."""

from __future__ import annotations

import numpy as np
import pytest

from generator.maps.occlusion import occlusion_from_height
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
        assert 0.0 <= occlusion.min() and occlusion.max() <= 1.0
        shift = tuple(
            8 * (n // 16) for n in shape
        )  # Whole pixels of every level, where the levels halve evenly.
        rolled = occlusion_from_height(np.roll(height, shift, axis=(0, 1)), 0.05)
        tolerance = 1e-5 if all(n % 16 == 0 for n in shape) else 0.05
        np.testing.assert_allclose(rolled, np.roll(occlusion, shift, axis=(0, 1)), atol=tolerance)
