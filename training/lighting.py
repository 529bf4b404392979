# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials under light, in torch: batched, differentiable and periodic, for pictures to learn from and to compare.

The surface is seen straight on or from any direction far away. A directional light with GGX highlights and cast
shadows, and an environment that is brighter on one side; lit as in `generator.studio`, with random lights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

DIELECTRIC = 0.04
_SMOOTHEST = 0.12  # Sharper highlights fall between pixels, where a loss learns nothing but noise.
_LEAST_SEEN = 1e-3


@dataclass(frozen=True)
class Surfaces:
    """Maps of a batch, all float32.

    ``colour`` ``(B, 3, H, W)`` *linear*; ``height`` ``(B, 1, H, W)`` in pixels, of mean 0; ``roughness``,
    ``metallic`` and ``ao`` ``(B, 1, H, W)`` in [0, 1]; ``normal`` ``(B, 3, H, W)`` unit vectors as in `Material`.
    """

    colour: Tensor
    height: Tensor
    roughness: Tensor
    metallic: Tensor
    ao: Tensor
    normal: Tensor


@dataclass(frozen=True)
class Lights:
    """One light and its surroundings for each item of a batch; directions ``(B, 3)`` are unit vectors.

    ``key`` is the light's colour, ``sky`` and ``ground`` those of the two sides of the environment that ``towards``
    parts; colours are ``(B, 3)`` linear. ``view`` points to the eye.
    """

    direction: Tensor
    key: Tensor
    towards: Tensor
    sky: Tensor
    ground: Tensor
    view: Tensor


def normal_of(height: Tensor) -> Tensor:
    """``generator.maps.normal_from_height`` for heights in pixels, ``(B, 1, H, W)`` to ``(B, 3, H, W)``."""
    across = 0.5 * (height.roll(1, 3) - height.roll(-1, 3))
    up = 0.5 * (height.roll(-1, 2) - height.roll(1, 2))
    return torch.nn.functional.normalize(torch.cat((across, up, torch.ones_like(up)), dim=1), dim=1)


def to_linear(colour: Tensor) -> Tensor:
    """sRGB-encoded values to linear light."""
    return torch.where(colour <= 0.04045, colour / 12.92, ((colour.clamp(min=0) + 0.055) / 1.055) ** 2.4)


def to_srgb(light: Tensor) -> Tensor:
    """Linear light in [0, 1] to sRGB-encoded values; the inverse."""
    light = light.clamp(0, 1)
    return torch.where(
        light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    )


def random_directions(count: int, low: float, high: float, random: torch.Generator) -> Tensor:
    """``(count, 3)`` directions, all around, ``low`` to ``high`` degrees away from straight above."""
    around = torch.rand(count, generator=random) * 2 * math.pi
    away = torch.deg2rad(low + (high - low) * torch.rand(count, generator=random))
    return torch.stack((away.sin() * around.cos(), away.sin() * around.sin(), away.cos()), dim=1)


def random_lights(count: int, random: torch.Generator, oblique: bool = False) -> Lights:
    """Suns low and high, warm and cool, alone or under a bright sky; ``oblique`` lets the eye wander as well."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=random)

    warmth = uniform(-1, 1, 1) * torch.tensor([[0.22, 0.0, -0.28]])
    share = uniform(0.15, 1.0, 1)  # of the light that comes from one direction
    sky_tint = 1 - warmth * uniform(0.2, 1.0, 1)
    view = (
        random_directions(count, 0, 55, random)
        if oblique
        else torch.tensor([[0.0, 0.0, 1.0]]).repeat(count, 1)
    )
    return Lights(
        direction=random_directions(count, 5, 72, random),
        key=(1 + warmth) * share * uniform(0.8, 1.6, 1),
        towards=random_directions(count, 0, 80, random),
        sky=sky_tint * (1.15 - share) * uniform(0.7, 1.6, 1),
        ground=(1.15 - share) * uniform(0.1, 0.6, 1) * (1 + 0.2 * uniform(-1, 1, 3)),
        view=view,
    )


def shadows(height: Tensor, direction: Tensor, steps: int = 8) -> Tensor:
    """How much of each light gets past the surface's own relief, ``(B, 1, H, W)``: soft, periodic, no gradient."""
    made = []
    with torch.no_grad():
        for field, light in zip(height, direction.tolist(), strict=True):
            across, up, out = light
            flat = math.hypot(across, up)
            reach = float(field.max() - field.min()) * flat / max(out, 0.1)
            depth = torch.zeros_like(field)
            last = 0
            for number in range(1, steps + 1):
                step = max(last + 1, round(reach ** (number / steps))) if reach > 1 else number
                if flat < 1e-3 or step > reach + 1:
                    break
                shift = (round(step * up / flat), -round(step * across / flat))
                above = field.roll(shift, (1, 2)) - field - step * max(out, 0.1) / flat
                depth = torch.maximum(depth, above / (0.4 * step + 0.5))
                last = step
            made.append(1 / (1 + 4 * depth))
    return torch.stack(made)


def render(surfaces: Surfaces, lights: Lights, shadow: Tensor | None = None) -> Tensor:
    """The light that comes back to the eye, ``(B, 3, H, W)`` linear and at least 0, without exposure.

    The same formulas and units as `generator.render.shade` and ``shade_surroundings``.
    """
    rough, metal = surfaces.roughness, surfaces.metallic
    normal, view = surfaces.normal, _field(lights.view)
    reflectance = DIELECTRIC + (surfaces.colour - DIELECTRIC) * metal
    matte = surfaces.colour * (1 - metal)
    seen = dot(normal, view).clamp(min=_LEAST_SEEN)

    direct = shade(matte, reflectance, rough, normal, view, _field(lights.direction), seen) * _field(
        lights.key
    )
    if shadow is not None:
        direct = direct * shadow

    # Where little sky is seen little is reflected (Lagarde and de Rousiers 2014).
    ao = surfaces.ao
    open_sky = ((seen + ao) ** torch.exp2(-16 * rough - 1) - 1 + ao).clamp(0, 1)
    around = _environment(lights, normal, torch.ones_like(rough)) * ao
    reflected = _environment(lights, 2 * seen * normal - view, rough) * open_sky
    near = 1 - rough
    bent = torch.minimum(near * near, torch.exp2(-9.28 * seen.clamp(0, 1))) * near + 0.0425 - 0.0275 * rough
    specular = reflectance * (1.04 - 1.04 * bent - 0.572 * rough) + 1.04 * bent + 0.022 * rough - 0.04
    return (direct + matte * (1 - specular) * around + specular * reflected).clamp(min=0)


def shade(
    matte: Tensor,
    reflectance: Tensor,
    rough: Tensor,
    normal: Tensor,
    view: Tensor,
    light: Tensor,
    seen: Tensor,
) -> Tensor:
    """Light from one direction of irradiance pi, by GGX with height-correlated masking."""
    lit = dot(normal, light).clamp(min=0)
    half = torch.nn.functional.normalize(view + light, dim=1)
    alpha2 = rough.clamp(min=_SMOOTHEST) ** 4
    across = dot(normal, half).clamp(0, 1)
    spread = across * across * (alpha2 - 1) + 1
    distribution = alpha2 / (spread * spread).clamp(min=1e-9)
    masking = lit * (seen * seen * (1 - alpha2) + alpha2).sqrt()
    masking = masking + seen * (lit * lit * (1 - alpha2) + alpha2).sqrt()
    grazing = (1 - dot(view, half).clamp(0, 1)) ** 5
    fresnel = reflectance + (1 - reflectance) * grazing
    return (matte * (1 - fresnel) + fresnel * (distribution * 0.5 / masking.clamp(min=1e-6))) * lit


def _environment(lights: Lights, direction: Tensor, rough: Tensor) -> Tensor:
    """Sky on one side and ground on the other, the border between them as soft as the lobe is wide."""
    across = dot(direction, _field(lights.towards))
    share = 0.5 + 0.5 * torch.tanh(across / (0.25 + rough))
    return _field(lights.ground) + (_field(lights.sky) - _field(lights.ground)) * share


def _field(vectors: Tensor) -> Tensor:
    return vectors[:, :, None, None]


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The dot product along the channels, which stay as one."""
    return (a * b).sum(1, keepdim=True)
