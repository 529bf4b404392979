# SPDX-License-Identifier: GPL-3.0-or-later
"""Every family wraps, repeats by seed, agrees across sizes, and keeps to the ranges of real matter."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from generator.material import MAPS, FloatArray, Material
from generator.procedural import Description, families, generate, parse

NAMES = [info.name for info in families()]


@cache
def made(family: str, width: int = 97, height: int = 131, seed: int = 3) -> Material:
    return generate(Description(family), width, height, seed)


def shrunk(field: FloatArray, factor: int) -> FloatArray:
    rows, columns = field.shape[0] // factor, field.shape[1] // factor
    return field.reshape(rows, factor, columns, factor, *field.shape[2:]).mean(axis=(1, 3))


def jumps(field: FloatArray, axis: int) -> FloatArray:
    """Mean absolute step to the next line, one number for each line; the last is the step across the border."""
    step = np.abs(field - np.roll(field, -1, axis=axis))
    return step.mean(axis=tuple(a for a in range(field.ndim) if a != axis))


def border_score(field: FloatArray, axis: int) -> float:
    """By how many standard deviations the step across the border exceeds the steps inside."""
    steps = jumps(field, axis)
    return float((steps[-1] - steps[:-1].mean()) / (steps[:-1].std() + 1e-6))


@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize("name", MAPS)
def test_no_map_shows_its_border(family: str, name: str) -> None:
    # A joint of the layout may lie on the border of one texture by chance, hence the median of several seeds.
    for axis in (0, 1):
        scores = [border_score(getattr(made(family, seed=seed), name), axis) for seed in (3, 4, 5)]
        assert np.median(scores) < 2.5


def test_a_cut_texture_would_show_its_border() -> None:
    whole = made("rock", 384, 384)
    assert border_score(np.ascontiguousarray(whole.height[40:300, 60:310]), 0) > 4


@pytest.mark.parametrize("family", NAMES)
def test_maps_have_the_promised_shapes_types_and_ranges(family: str) -> None:
    material = made(family)
    for name in MAPS:
        field = getattr(material, name)
        assert field.dtype == np.float32
        assert field.shape == ((131, 97, 3) if name in ("basecolor", "normal") else (131, 97))
        assert np.isfinite(field).all()
    for name in ("basecolor", "roughness", "height", "ao", "metallic"):
        field = getattr(material, name)
        assert field.min() >= 0
        assert field.max() <= 1
    assert (material.basecolor @ np.array([0.3, 0.59, 0.11], np.float32)).min() >= 0.149
    assert material.basecolor.max() <= 0.954
    np.testing.assert_allclose(np.linalg.norm(material.normal, axis=2), 1, atol=1e-4)
    assert material.normal[..., 2].min() > 0
    assert 0.0002 < material.relief < 0.16
    assert np.ptp(material.height) > 0.99


@pytest.mark.parametrize("family", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_layout(family: str) -> None:
    first, again, other = made(family), generate(Description(family), 97, 131, 3), made(family, seed=4)
    for name in MAPS:
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    flat = np.corrcoef(first.height.ravel(), other.height.ravel())[0, 1]
    assert flat < 0.9
    assert np.abs(first.basecolor - other.basecolor).mean() > 0.01


@pytest.mark.parametrize("family", NAMES)
def test_a_small_picture_previews_the_large_one(family: str) -> None:
    small, large = made(family, 192, 192), made(family, 384, 384)
    for name, least in (("height", 0.8), ("basecolor", 0.72)):
        one, two = shrunk(getattr(small, name), 2), shrunk(getattr(large, name), 4)
        assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > least
    assert np.abs(small.basecolor.mean((0, 1)) - large.basecolor.mean((0, 1))).max() < 0.03


@pytest.mark.parametrize("size", [(16, 16), (64, 16), (33, 200)])
@pytest.mark.parametrize("family", NAMES)
def test_any_aspect_works(family: str, size: tuple[int, int]) -> None:
    assert generate(Description(family), *size, 1).basecolor.shape == (size[1], size[0], 3)


@pytest.mark.parametrize("size", [(8, 64), (64, 8), (16384, 64)])
def test_sizes_out_of_range_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="16 to 8192"):
        generate(Description("brick"), *size, 1)


def test_there_are_many_families_and_their_examples_are_understood() -> None:
    assert len(NAMES) >= 16
    for info in families():
        description = parse(info.example)
        assert description.family == info.name
        assert description.unknown == ()
        assert description.assumed == ()


@pytest.mark.parametrize("word", ["metal", "copper", "gold", "diamond plate"])
def test_bare_metals_are_metallic_and_stone_is_not(word: str) -> None:
    assert generate(parse(f"clean {word}"), 64, 64, 1).metallic.mean() > 0.9
    assert made("rock").metallic.max() == 0


def test_progress_moves_forward_and_what_it_raises_ends_the_work() -> None:
    seen: list[float] = []
    generate(parse("mossy cracked brick"), 64, 64, 1, lambda stage, fraction: seen.append(fraction))
    assert len(seen) >= 4
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1

    def stop(stage: str, fraction: float) -> None:
        raise InterruptedError(stage)

    with pytest.raises(InterruptedError):
        generate(parse("brick"), 64, 64, 1, stop)
