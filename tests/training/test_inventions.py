# SPDX-License-Identifier: GPL-3.0-or-later
"""Surfaces of no family: exact maps like any material's, periodic, and all different."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from generator.maps import normal_from_height
from generator.material import MAPS, Material
from generator.procedural.space import Space
from training.dataset import Entry, make
from training.forms import Form, _bumps, _fibres, _ground, _pieces, _waves

COUNT = 40


@pytest.fixture(scope="module")
def inventions() -> list[tuple[Material, Entry]]:
    return [make("invented", index, 96) for index in range(COUNT)]


def test_the_same_number_is_the_same_surface(inventions: list[tuple[Material, Entry]]) -> None:
    again, entry = make("invented", 5, 96)
    assert entry == inventions[5][1] and entry.family == "invented"
    for name in MAPS:
        np.testing.assert_array_equal(getattr(again, name), getattr(inventions[5][0], name))
    other = make("invented", 5, 96, base_seed=1)[0]
    assert not np.array_equal(other.height, again.height)


def test_the_maps_are_in_their_ranges_and_belong_together(inventions: list[tuple[Material, Entry]]) -> None:
    for material, _ in inventions:
        for name in ("basecolor", "roughness", "metallic", "height", "ao"):
            field = getattr(material, name)
            assert np.isfinite(field).all() and field.min() >= 0 and field.max() <= 1, name
        wanted = normal_from_height(material.height, material.relief)
        np.testing.assert_allclose(material.normal, wanted, atol=1e-4)


def test_they_differ_in_relief_colour_roughness_and_metal(inventions: list[tuple[Material, Entry]]) -> None:
    materials = [material for material, _ in inventions]
    tilts = [float(np.degrees(np.arccos(np.clip(m.normal[..., 2], -1, 1)).mean())) for m in materials]
    assert min(tilts) < 6 and max(tilts) > 25
    assert np.std([m.basecolor.mean() for m in materials]) > 0.1
    assert np.std([m.roughness.mean() for m in materials]) > 0.12
    metal = np.array([m.metallic.mean() for m in materials])
    assert 0.05 < (metal > 0.1).mean() < 0.5


def _jump(height: np.ndarray) -> float:
    """The mean step across the borders, by that between the lines inside."""
    steps = [np.abs(np.roll(height, -1, axis) - height).mean(axis=1 - axis) for axis in (0, 1)]
    return float(np.mean([step[-1] / step[:-1].mean() for step in steps]))


@pytest.mark.parametrize("form", [_pieces, _bumps, _waves, _ground, _fibres])
def test_every_form_is_periodic(form: Callable[[Space, np.random.Generator, str], Form]) -> None:
    """The step across the border is like those inside, where a part cut out of the same has a seam."""
    heights = [form(Space(128, 128, seed), np.random.default_rng(seed), "form").height for seed in range(16)]
    assert all(np.isfinite(height).all() and height.shape == (128, 128) for height in heights)
    whole = np.mean([_jump(height) for height in heights])
    part = np.mean([_jump(height[:93, :93]) for height in heights])
    assert whole < 1.4 and part > 1.6 * whole
