# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and pictures in torch: the same light as the product's own renderings, periodic, and true to the maps."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from generator import render as product  # noqa: E402
from generator.maps import normal_from_height  # noqa: E402
from training.dataset import Materials  # noqa: E402
from training.lighting import (  # noqa: E402
    Surfaces,
    normal_of,
    random_lights,
    render,
    shade,
    shadows,
    to_linear,
    to_srgb,
)
from training.maps.samples import Draw, surface_of  # noqa: E402
from training.photos import KINDS, photograph  # noqa: E402


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _rolled(surfaces: Surfaces, shift: tuple[int, int]) -> Surfaces:
    return Surfaces(**{name: field.roll(shift, (2, 3)) for name, field in vars(surfaces).items()})


def test_srgb_there_and_back() -> None:
    values = torch.linspace(0, 1, 256)
    np.testing.assert_allclose(to_linear(values).numpy(), product.srgb_to_linear(values.numpy()), atol=1e-6)
    np.testing.assert_allclose(to_srgb(to_linear(values)).numpy(), values.numpy(), atol=1e-5)


def test_one_light_gives_what_the_product_renders(materials: Materials) -> None:
    surface = surface_of(materials[3])
    light, view = (
        random_lights(1, _random(4), oblique=True).direction,
        random_lights(1, _random(5), True).view,
    )
    metal, rough = surface.metallic, surface.roughness.clamp(min=0.2)
    reflectance, matte = 0.04 + (surface.colour - 0.04) * metal, surface.colour * (1 - metal)
    field = view[:, :, None, None]
    seen = (surface.normal * field).sum(1, keepdim=True).clamp(min=1e-3)
    made = shade(matte, reflectance, rough, surface.normal, field, light[:, :, None, None], seen)

    def last(tensor: torch.Tensor) -> np.ndarray:
        return tensor[0].permute(1, 2, 0).numpy()

    expected = product.shade(
        last(surface.colour),
        last(surface.normal),
        last(rough)[..., 0],
        last(metal)[..., 0],
        view[0].numpy(),
        light[0].numpy(),
    )
    np.testing.assert_allclose(last(made), expected, rtol=1e-3, atol=1e-4)


def test_normals_are_those_of_the_product(materials: Materials) -> None:
    maps, entry = materials[0].maps, materials[0].entry
    height = maps["height"].astype(np.float32) / 65535
    made = normal_of(torch.from_numpy(height * np.float32(entry.relief * 64))[None, None])
    expected = normal_from_height(height, entry.relief)
    np.testing.assert_allclose(made[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_light_knows_no_border(materials: Materials) -> None:
    surface = surface_of(materials[1])
    lights = random_lights(1, _random(1))
    shift = (17, -5)
    made = render(surface, lights, shadows(surface.height, lights.direction))
    there = _rolled(surface, shift)
    rolled = render(there, lights, shadows(there.height, lights.direction))
    np.testing.assert_allclose(rolled.numpy(), made.roll(shift, (2, 3)).numpy(), atol=1e-6)


def test_light_has_gradients_for_every_map(materials: Materials) -> None:
    surface = surface_of(materials[2])
    fields = {name: field.clone().requires_grad_() for name, field in vars(surface).items()}
    render(Surfaces(**fields), random_lights(1, _random(), oblique=True)).mean().backward()
    for name in ("colour", "normal", "roughness", "ao"):
        assert torch.isfinite(fields[name].grad).all() and fields[name].grad.abs().max() > 0


def test_a_wall_casts_its_shadow_away_from_the_light() -> None:
    height = torch.zeros(1, 1, 64, 64)
    height[..., 28:36] = 12.0
    from_the_right = torch.tensor([[0.8, 0.0, 0.6]])
    lit = shadows(height, from_the_right)[0, 0, 0]
    assert lit[18:27].max() < 0.6  # +X is right, so the shadow falls to the left
    assert lit[37:60].min() > 0.95 and lit[30:34].min() > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_pictures_and_repeat_by_their_seed(materials: Materials, kind: str) -> None:
    surface = surface_of(materials[5])
    picture = photograph(surface, [kind], _random(2))
    assert picture.shape == (1, 3, 64, 64) and picture.min() >= 0 and picture.max() <= 1
    assert 0.02 < picture.mean() < 0.95
    assert torch.equal(picture, photograph(surface, [kind], _random(2)))
    assert kind == "flat" or not torch.equal(picture, photograph(surface, [kind], _random(3)))


def test_the_flat_picture_is_the_base_colour(materials: Materials) -> None:
    surface = surface_of(materials[5])
    picture = photograph(surface, ["flat"], _random(), clean=True)
    stored = materials[5].maps["basecolor"].astype(np.float32) / 255
    np.testing.assert_allclose(picture[0].permute(1, 2, 0).numpy(), stored, atol=1e-4)


def test_a_batch_depends_on_its_step_alone(materials: Materials) -> None:
    one, other = Draw(materials, 0), Draw(materials, 0)
    other.batch(0, 2, 32)
    here, there = one.batch(5, 3, 32)[0], other.batch(5, 3, 32)[0]
    assert all(torch.equal(getattr(here, name), getattr(there, name)) for name in vars(here))
    assert not torch.equal(here.height, one.batch(6, 3, 32)[0].height)


def test_normals_turn_along_and_mixtures_are_exact(materials: Materials) -> None:
    for step in range(4):
        surfaces, _ = Draw(materials, step).batch(step, 4, 64)
        np.testing.assert_array_equal(surfaces.normal.numpy(), normal_of(surfaces.height).numpy())
        assert surfaces.height.mean(dim=(2, 3)).abs().max() < 1e-3
        for name in ("colour", "roughness", "metallic", "ao"):
            field = getattr(surfaces, name)
            assert field.min() >= 0 and field.max() <= 1


def test_half_the_size_keeps_the_slopes(materials: Materials) -> None:
    whole, half = surface_of(materials[0]), surface_of(materials[0], 32)
    assert half.height.shape[-1] == 32
    assert float(half.height.std()) == pytest.approx(float(whole.height.std()) / 2, rel=0.25)
