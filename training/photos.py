# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as a camera, a diffusion model or a scan shows materials: lit, exposed, tinted, grainy, a little soft."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.lighting import Surfaces, random_lights, render, shadows, to_linear, to_srgb

KINDS = ("flat", "even", "sky", "sun", "flash")
"""Base colour as it is; with some of its occlusion baked in; under clouds; in the sun; by a lamp near the camera."""

_BALANCED = 0.7
"""The share of the light's colour, in stops, that a camera's white balance takes out."""

_FAITHFUL = 0.9
"""How far exposure follows the surface's own brightness (1) rather than always giving a medium grey (0)."""


def photograph(surfaces: Surfaces, kinds: list[str], random: torch.Generator, clean: bool = False) -> Tensor:
    """One picture of each surface, ``(B, 3, H, W)`` sRGB in [0, 1], lit as its kind says; periodic.

    ``clean`` leaves out what a camera adds, so that only the light is in the way.
    """
    pictures = [_picture(surfaces, row, kind, random) for row, kind in enumerate(kinds)]
    picture = torch.cat(pictures)
    return picture if clean else _through_a_camera(picture, kinds, random)


def one(surfaces: Surfaces, row: int) -> Surfaces:
    """The batch of one that holds that item."""
    return Surfaces(**{name: field[row : row + 1] for name, field in vars(surfaces).items()})


def _picture(surfaces: Surfaces, row: int, kind: str, random: torch.Generator) -> Tensor:
    surface = one(surfaces, row)
    if kind == "flat":
        return to_srgb(surface.colour)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=random))

    if kind == "even":
        return to_srgb(surface.colour * (1 - uniform(0.3, 1.0) * (1 - surface.ao)))
    lights = random_lights(1, random)
    if kind == "sky":
        lights = type(lights)(**{**vars(lights), "key": lights.key * uniform(0.0, 0.25)})
        light = render(surface, lights)
    elif kind == "sun":
        shadow = shadows(surface.height, lights.direction)
        light = render(surface, lights, 1 - uniform(0.5, 1.0) * (1 - shadow))
    else:
        above = torch.nn.functional.normalize(lights.direction + torch.tensor([[0.0, 0.0, 3.0]]), dim=1)
        lights = type(lights)(**{**vars(lights), "direction": above, "sky": lights.sky * uniform(0.1, 0.5)})
        light = render(surface, lights) * _falloff(surface.height, uniform(0.1, 0.6), random)
    # Cameras take most of the light's own colour out.
    colour = lights.key * lights.direction[:, 2:].clamp(min=0) + 0.5 * (lights.sky + lights.ground)
    tint = (colour / colour.mean().clamp(min=1e-4)).clamp(min=0.2) ** _BALANCED
    light = light / tint[:, :, None, None]
    # Exposed so that white plaster is shown white and asphalt dark, as whoever takes a texture's picture wants them.
    brightness = float(light.mean())
    own = max(float(surface.colour.mean()), 0.02)
    middle = (0.18 ** (1 - _FAITHFUL)) * own**_FAITHFUL * math.exp(uniform(-0.2, 0.2))
    light = light * (middle / max(brightness, 1e-4))
    return to_srgb(_shoulder(light))


def _shoulder(light: Tensor, knee: float = 0.7) -> Tensor:
    """Highlights are compressed, as cameras do (`generator.render.tone`)."""
    over = (light - knee).clamp(min=0)
    return light.clamp(max=knee) + (1 - knee) * (1 - torch.exp(-over / (1 - knee)))


def _falloff(like: Tensor, strength: float, random: torch.Generator) -> Tensor:
    """A lamp's falling off, as one or two periodic waves: what is left of it where a photo was made to tile."""
    rows, columns = like.shape[-2:]
    phase = torch.rand(4, generator=random) * 2 * math.pi
    y = torch.arange(rows)[:, None] * (2 * math.pi / rows)
    x = torch.arange(columns)[None, :] * (2 * math.pi / columns)
    wave = torch.cos(x + phase[0]) + torch.cos(y + phase[1]) + 0.5 * torch.cos(x + y + phase[2])
    return torch.exp(0.5 * strength * wave)[None, None]


def _through_a_camera(picture: Tensor, kinds: list[str], random: torch.Generator) -> Tensor:
    """White balance, softness and grain, by other amounts for each picture; diffusion models have all of them."""
    count = picture.shape[0]
    lit = torch.tensor([0.0 if kind in ("flat", "even") else 1.0 for kind in kinds])[:, None, None, None]
    balance = 1 + 0.12 * lit * (2 * torch.rand(count, 3, 1, 1, generator=random) - 1)
    picture = to_srgb(to_linear(picture) * balance)
    softness = torch.rand(count, 1, 1, 1, generator=random) ** 2
    soft = (picture.roll(1, 2) + 2 * picture + picture.roll(-1, 2)) / 4
    soft = (soft.roll(1, 3) + 2 * soft + soft.roll(-1, 3)) / 4
    picture = picture + softness * (soft - picture)
    grain = 0.02 * torch.rand(count, 1, 1, 1, generator=random) ** 2
    picture = picture + grain * torch.randn(picture.shape, generator=random)
    picture = picture.clamp(0, 1)
    return (picture * 255).round() / 255
