# SPDX-License-Identifier: GPL-3.0-or-later
"""From a description to finished maps: family, layers in their order, then normals and occlusion."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from generator.maps.normal import normal_from_height
from generator.material import FloatArray, Material
from generator.procedural import registry
from generator.procedural.description import Description
from generator.procedural.noise import blur
from generator.procedural.space import Space
from generator.procedural.surface import Surface
from generator.resample import resize

Progress = Callable[[str, float], None]

SMALLEST, LARGEST = 16, 8192
_DARKEST, _LIGHTEST = 0.15, 0.953
"""sRGB values of albedo 0.02 and 0.9, the range of real matter; the darkest is one of brightness, not of a channel."""

_HIDDEN = 0.9
"""How much more sky is hidden than the height shows: grain finer than a pixel takes it in joints and on flanks,
while open ground has none to lose and the depth of a hole no more."""


def generate(
    description: Description, width: int, height: int, seed: int, progress: Progress | None = None
) -> Material:
    """The described material with exact maps, ``height`` x ``width`` pixels, periodic on both axes.

    Equal arguments give equal bytes; another size gives the same material. ``progress`` is called with the name
    of the stage and the fraction done; what it raises ends the work. Raises ``ValueError`` for a size outside
    16 to 8192.
    """
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ValueError(
            f"A procedural texture is {SMALLEST} to {LARGEST} pixels a side, not {width} x {height}."
        )
    report = progress or _unheard
    description = _with_implied_paint(description)
    stage = f"laying {description.family}"
    report(stage, 0.0)
    space = Space(width, height, seed, pulse=heartbeat(report, stage, 0.0, 0.4))
    surface = registry.build(description.family, space, description)
    _apply_layers(surface, description, report, 0.4)
    _even_out(surface)
    return finish(surface, report)


def heartbeat(report: Progress, stage: str, start: float, end: float) -> Callable[[], None]:
    """A `Space.pulse` that reports within a stage whose length nobody knows: each time a little nearer its end.

    It reports ten times a second at most, since small textures pulse far more often than anybody looks.
    """
    fraction, last = start, time.monotonic()

    def pulse() -> None:
        nonlocal fraction, last
        now = time.monotonic()
        if now - last >= 0.1:
            fraction, last = fraction + 0.08 * (end - fraction), now
            report(stage, fraction)

    return pulse


def _unheard(_stage: str, _fraction: float) -> None:
    """Nobody asked for progress."""


def _with_implied_paint(description: Description) -> Description:
    """A colour that the material does not have by nature must be a coat of paint."""
    native = registry.family_info(description.family).native
    foreign = [c for c in description.colours if c not in native]
    if not native or not foreign or description.amount("painted"):
        return description
    return replace(description, modifiers=tuple(sorted((*description.modifiers, ("painted", 1.0)))))


def _apply_layers(surface: Surface, description: Description, report: Progress, start: float) -> None:
    wanted = [info for info in registry.layers() if description.amount(info.name) > 0]
    for number, info in enumerate(wanted):
        stage, done = f"making it {info.name}", start + 0.3 * number / len(wanted)
        report(stage, done)
        surface.space = replace(surface.space, pulse=heartbeat(report, stage, done, done + 0.3 / len(wanted)))
        registry.apply(info.name, surface, description, description.amount(info.name))


def _even_out(surface: Surface) -> None:
    """Take half of the largest masses out of the colour's brightness: by them the eye finds the repeat on a wall."""
    step = max(1, min(surface.space.shape) // 128)
    rows, columns = surface.space.shape
    sample = surface.colour[:, ::step, ::step]
    light = 0.3 * sample[0] + 0.59 * sample[1] + 0.11 * sample[2]
    if min(light.shape) < 16:
        return
    broad = blur(light, 0.15, 1 / min(light.shape))
    middle = float(light.mean())
    gain = np.clip(1 - 0.55 * (broad - middle) / np.maximum(broad, 0.05), 0.8, 1.25).astype(np.float32)
    surface.colour *= resize(gain, columns, rows, kernel="linear")


def finish(surface: Surface, report: Progress) -> Material:
    """Bring a surface's maps into their ranges and derive the normal and the occlusion from its height."""
    from generator.maps.occlusion import occlusion_from_height

    report("normals", 0.7)
    lowest = float(surface.height.min())
    relief = max(float(surface.height.max()) - lowest, 1e-4)
    height = surface.height
    height -= np.float32(lowest)
    height *= np.float32(1 / relief)
    np.clip(height, 0, 1, out=height)
    colour = _bounded_colour(surface)
    normal = normal_from_height(height, relief)
    report("occlusion", 0.8)
    ao = occlusion_from_height(height, relief)
    ao -= np.float32(_HIDDEN) * ao * ao * (1 - ao)
    report("done", 1.0)
    return Material(
        colour, normal, _bounded(surface.roughness, 0.02), height, ao, _bounded(surface.metallic, 0.0), relief
    )


def _bounded_colour(surface: Surface) -> FloatArray:
    """The surface's colour as ``(H, W, 3)`` within the range of real matter; takes the planes from the surface."""
    planes, surface.colour = surface.colour, np.zeros((3, 0, 0), np.float32)
    lift = planes[0] * np.float32(-0.3)
    lift -= planes[1] * np.float32(0.59)
    lift -= planes[2] * np.float32(0.11)
    lift += np.float32(_DARKEST)
    np.maximum(lift, 0, out=lift)
    colour = np.empty((*lift.shape, 3), np.float32)
    for channel in range(3):
        np.add(planes[channel], lift, out=colour[..., channel])
    return np.clip(colour, 0.05, _LIGHTEST, out=colour)


def _bounded(field: FloatArray, low: float) -> FloatArray:
    return np.clip(field, low, 1, out=field)
