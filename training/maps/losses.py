# SPDX-License-Identifier: GPL-3.0-or-later
"""What the estimator of maps is trained to make small: errors of each map, and of the surface under other lights."""

from __future__ import annotations

import torch
from torch import Tensor

from generator.maps.bands import lifted
from generator.maps.heights import WEIGHT, blended
from generator.maps.network import CHANNELS
from generator.maps.seeing import COARSE_UNIT
from training.lighting import Surfaces, normal_of, random_lights, render, to_linear, to_srgb

WEIGHTS = {
    "colour": 4.0,
    "normal": 3.0,
    "height": 2.0,
    "roughness": 0.5,
    "metallic": 0.5,
    "ao": 1.5,
    "rendered": 0.2,
}
"""What each map counts. Roughness and metal are properties of a whole picture more than of its places, so that a
batch says little of them and that loudly: they count less, or their noise drowns what the others have to say."""


def surfaces_of(raw: Tensor, picture: Tensor) -> tuple[Surfaces, Tensor]:
    """What the network's channels mean for these pictures; and the base colour as it is encoded."""
    parts = _parts(raw)
    colour = (picture * (1 + parts["gain"]) + parts["offset"]).clamp(0, 1)
    slope = parts["slope"]
    spectrum = blended(torch.fft, slope[:, 0], slope[:, 1], parts["coarse"][:, 0] * COARSE_UNIT, WEIGHT)
    fine = lifted(torch.fft, picture.mean(1), parts["lift"].unbind(1))
    height = torch.fft.irfft2(spectrum, raw.shape[-2:]) + fine
    height = (height - height.mean((1, 2), keepdim=True))[:, None]
    maps = {name: torch.sigmoid(parts[name]) for name in ("roughness", "metallic", "ao")}
    return Surfaces(to_linear(colour), height, normal=normal_of(height), **maps), colour


def losses(raw: Tensor, picture: Tensor, truth: Surfaces, random: torch.Generator) -> dict[str, Tensor]:
    """The weighted parts of the loss: L1 for each map, and log-L1 of renderings (Deschaintre et al. 2018).

    L1 alone is content with the median, which is a plane, and no metal at all. So squares stand beside it, whose
    slope grows with the error, and for metal, which is there or not, cross entropy.
    """
    seen, colour = surfaces_of(raw, picture)

    def off(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().mean() + 2.0 * (a - b).square().mean()

    side = raw.shape[-1]
    parts = {
        "colour": off(colour, to_srgb(truth.colour)),
        "normal": off(seen.normal, truth.normal),
        # Bounded in its growth, since one steep guess in a broad wave lifts half a picture.
        "height": torch.log1p(10.0 * (seen.height - truth.height).abs() / side).mean(),
        "roughness": off(seen.roughness, truth.roughness),
        "metallic": 0.5 * off(seen.metallic, truth.metallic) + 0.15 * _doubt(raw, truth.metallic),
        "ao": off(seen.ao, truth.ao),
        "rendered": rendered(seen, truth, random),
    }
    return {name: WEIGHTS[name] * value for name, value in parts.items()}


def _doubt(raw: Tensor, metallic: Tensor) -> Tensor:
    return torch.nn.functional.binary_cross_entropy_with_logits(_parts(raw)["metallic"], metallic)


def _parts(raw: Tensor) -> dict[str, Tensor]:
    return dict(zip(CHANNELS, raw.split(list(CHANNELS.values()), dim=1), strict=True))


def rendered(
    seen: Surfaces, truth: Surfaces, random: torch.Generator, lights: int = 1, stride: int = 2
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
