# SPDX-License-Identifier: GPL-3.0-or-later
"""What the estimator of maps is trained to make small: errors of each map, and of the surface under other lights."""

from __future__ import annotations

import torch
from torch import Tensor

from generator.maps.heights import WEIGHT, blended
from generator.maps.network import CHANNELS
from generator.maps.seeing import COARSE_UNIT
from training.lighting import Surfaces, normal_of, random_lights, render, to_linear, to_srgb


def surfaces_of(raw: Tensor, picture: Tensor) -> tuple[Surfaces, Tensor]:
    """What the network's channels mean for these pictures; and the base colour as it is encoded."""
    parts = dict(zip(CHANNELS, raw.split(list(CHANNELS.values()), dim=1), strict=True))
    colour = (picture * (1 + parts["gain"]) + parts["offset"]).clamp(0, 1)
    slope = parts["slope"]
    spectrum = blended(torch.fft, slope[:, 0], slope[:, 1], parts["coarse"][:, 0] * COARSE_UNIT, WEIGHT)
    height = torch.fft.irfft2(spectrum, raw.shape[-2:])[:, None]
    maps = {name: torch.sigmoid(parts[name]) for name in ("roughness", "metallic", "ao")}
    return Surfaces(to_linear(colour), height, normal=normal_of(height), **maps), colour


def losses(raw: Tensor, picture: Tensor, truth: Surfaces, random: torch.Generator) -> dict[str, Tensor]:
    """The weighted parts of the loss: L1 for each map, and log-L1 of renderings (Deschaintre et al. 2018)."""
    seen, colour = surfaces_of(raw, picture)

    def off(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().mean()

    side = raw.shape[-1]
    return {
        "colour": 2.0 * off(colour, to_srgb(truth.colour)),
        "normal": 1.0 * off(seen.normal, truth.normal),
        # Bounded in its growth, since one steep guess in a broad wave lifts half a picture.
        "height": torch.log1p(10.0 * (seen.height - truth.height).abs() / side).mean(),
        "roughness": 1.0 * off(seen.roughness, truth.roughness),
        "metallic": 0.5 * off(seen.metallic, truth.metallic),
        "ao": 1.0 * off(seen.ao, truth.ao),
        "rendered": 0.2 * rendered(seen, truth, random),
    }


def rendered(
    seen: Surfaces, truth: Surfaces, random: torch.Generator, lights: int = 2, stride: int = 2
) -> Tensor:
    """The mean difference of the logarithms of both under the same random lights, seen from random sides.

    Light is worked out pixel by pixel, so that one in ``stride`` each way will do, from a random place on.
    """
    top, left = (int(n) for n in torch.randint(stride, (2,), generator=random))

    def sparse(surfaces: Surfaces) -> Surfaces:
        return Surfaces(**{k: v[..., top::stride, left::stride] for k, v in vars(surfaces).items()})

    seen, truth, total = sparse(seen), sparse(truth), []
    for _ in range(lights):
        light = random_lights(truth.height.shape[0], random, oblique=True)
        total.append(((render(seen, light) + 0.02).log() - (render(truth, light) + 0.02).log()).abs().mean())
    return torch.stack(total).mean()
