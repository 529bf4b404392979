# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of surfaces to learn from: rolled, turned, mirrored, mixed and recoloured, with maps that stay exact."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from generator.procedural.colours import METALS, rgb
from training.dataset import Materials, Sample
from training.lighting import Surfaces, normal_of, to_linear

_CAST = 0.12
"""How often a surface is made of metal that was not: bricks of bronze, or else metal is what sheets of steel are."""

_GREY = torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]


def surface_of(sample: Sample, size: int | None = None) -> Surfaces:
    """One stored material as a batch of one; ``size`` shrinks it by a whole factor, as seen from farther away."""
    maps = sample.maps

    def field(name: str) -> Tensor:
        values = np.asarray(maps[name])
        scaled = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
        planes = scaled[None] if scaled.ndim == 2 else scaled.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes))[None]

    side = min(maps["height"].shape)
    factor = 1 if size is None else max(1, side // size)
    fields = {name: field(name) for name in ("basecolor", "height", "roughness", "metallic", "ao")}
    if factor > 1:
        fields = {name: torch.nn.functional.avg_pool2d(value, factor) for name, value in fields.items()}
    fields["colour"] = to_linear(fields.pop("basecolor"))
    fields["height"] *= sample.entry.relief * side / factor
    return finished(fields)


def finished(fields: dict[str, Tensor]) -> Surfaces:
    """Surfaces of these fields: the height of mean 0, and the normals that it has."""
    height = fields["height"] - fields["height"].mean(dim=(2, 3), keepdim=True)
    return Surfaces(**{**fields, "height": height}, normal=normal_of(height))


def stacked(surfaces: list[Surfaces]) -> Surfaces:
    """One batch of batches."""
    return Surfaces(**{name: torch.cat([getattr(s, name) for s in surfaces]) for name in vars(surfaces[0])})


class Draw:
    """Draws batches from materials; step ``n`` of one seed is the same batch always, whatever was drawn before."""

    def __init__(self, materials: Materials, seed: int) -> None:
        self._materials, self._seed = materials, seed
        self._small: dict[tuple[int, int], dict[str, Tensor]] = {}

    def batch(self, step: int, count: int, size: int) -> tuple[Surfaces, torch.Generator]:
        """``count`` surfaces of ``size`` pixels, and the random numbers to go on with."""
        rng = np.random.default_rng([self._seed, step])
        random = torch.Generator().manual_seed(int(rng.integers(2**62)))
        made = []
        for _ in range(count):
            fields = self._fields(rng, size)
            if rng.random() < 0.3:
                fields = mixed(fields, self._fields(rng, size), rng)
            made.append(finished(fields))
        return stacked(made), random

    def _seen_from_afar(self, number: int, size: int) -> dict[str, Tensor]:
        """The fields of a material at this size. What had to be shrunk is kept, 0.26 MB each at 128 pixels."""
        kept = self._small.get((number, size))
        if kept is not None:
            return {name: value.float() for name, value in kept.items()}
        surface = surface_of(self._materials[number], size)
        fields = {name: value for name, value in vars(surface).items() if name != "normal"}
        if size < self._materials.size:
            # In halves but for the height, whose slopes show every digit. What is shown the first time is what is
            # kept, or a resumed run would differ.
            kept = {name: value if name == "height" else value.half() for name, value in fields.items()}
            self._small[number, size] = kept
            return {name: value.float() for name, value in kept.items()}
        return fields

    def _fields(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        fields = self._seen_from_afar(int(rng.integers(len(self._materials))), size)
        side = fields["height"].shape[-1]
        # Rolled, turned and mirrored: the normals follow from the height afterwards, so that they turn along.
        shift = tuple(int(n) for n in rng.integers(side, size=2))
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))

        def moved(field: Tensor) -> Tensor:
            field = torch.rot90(field.roll(shift, (2, 3)), turns, (2, 3))
            return field.flip(3) if flip else field

        fields = {name: moved(value).contiguous() for name, value in fields.items()}
        fields["colour"] = recoloured(fields["colour"], fields["metallic"], rng)
        return cast_in_metal(fields, rng) if rng.random() < _CAST else fields


def recoloured(colour: Tensor, metallic: Tensor, rng: np.random.Generator) -> Tensor:
    """Another hue, saturation and brightness, within what real matter has; metals change less."""
    if rng.random() < 0.3:
        return colour
    angle = float(rng.normal(0, 0.6)) if rng.random() < 0.6 else float(rng.uniform(-np.pi, np.pi))
    saturation = float(np.exp(rng.normal(0, 0.35)))
    brightness, contrast = float(np.exp(rng.normal(0, 0.3))), float(np.exp(rng.normal(0, 0.15)))
    grey = (colour * _GREY).sum(1, keepdim=True)
    middle = grey.mean()
    turned = torch.einsum("oc,bchw->bohw", _hue_turn(angle), colour - grey) * saturation
    changed = middle * brightness * (grey / middle).clamp(min=1e-4) ** contrast + turned * brightness
    share = 1 - 0.7 * metallic
    return (colour + (changed - colour) * share).clamp(0.003, 0.92)


def cast_in_metal(fields: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
    """The same shape in a metal, all of it or what stands out; what lies low may keep its dirt and its colour."""
    name = list(METALS)[int(rng.integers(len(METALS)))]
    metal = to_linear(torch.from_numpy(rgb(METALS[name])))[:, None, None]
    if rng.random() < 0.25:
        metal = metal * 0 + float(rng.uniform(0.3, 0.75))
    height = fields["height"]
    if rng.random() < 0.5:
        bare = torch.ones_like(height)
    else:
        level = torch.quantile(height, float(rng.uniform(0.05, 0.4)))
        bare = torch.sigmoid((height - level) / (0.15 * height.std() + 1e-4))
    # Some of the drawing stays, as tarnish: real sheets are not of one colour.
    grey = (fields["colour"] * _GREY).sum(1, keepdim=True)
    tarnish = (grey / grey.mean()).clamp(0.2, 3.0) ** float(rng.uniform(0.05, 0.4))
    rough = fields["roughness"]
    polished = (rough - rough.mean()) * float(rng.uniform(0.3, 1.0)) + float(rng.uniform(0.15, 0.65))
    cast = {
        "colour": (metal * tarnish).clamp(0.003, 0.97),
        "metallic": torch.ones_like(rough),
        "roughness": polished.clamp(0.05, 1.0),
    }
    return fields | {name: fields[name] + bare * (value - fields[name]) for name, value in cast.items()}


def _hue_turn(angle: float) -> Tensor:
    """The rotation of colours by ``angle`` around the grey axis."""
    cosine, sine = float(np.cos(angle)), float(np.sin(angle)) / np.sqrt(3)
    third = (1 - cosine) / 3
    rows = [
        [cosine + third, third - sine, third + sine],
        [third + sine, cosine + third, third - sine],
        [third - sine, third + sine, cosine + third],
    ]
    return torch.tensor(rows, dtype=torch.float32)


def mixed(one: dict[str, Tensor], other: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
    """Two materials side by side in patches of a periodic mask: a surface of its own, with a step where they meet."""
    side = one["height"].shape[-1]
    mask = torch.from_numpy(_patches(side, rng))[None, None]
    step = float(rng.normal(0, 0.008)) * side
    return {
        name: one[name] + mask * (other[name] + (step if name == "height" else 0) - one[name]) for name in one
    }


def _patches(side: int, rng: np.random.Generator) -> np.ndarray:
    """A periodic mask ``(side, side)`` in [0, 1] with edges a few pixels wide."""
    waves = np.fft.fftfreq(side)[:, None] * side, np.fft.rfftfreq(side)[None, :] * side
    band = np.exp(-0.5 * (np.hypot(*waves) / rng.uniform(1.5, 5.0)) ** 2)
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((side, side))) * band, (side, side))
    field /= field.std()
    edge = rng.uniform(0.03, 0.3)
    return (0.5 + 0.5 * np.tanh((field + rng.normal(0, 0.5)) / edge)).astype(np.float32)
