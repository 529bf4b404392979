# SPDX-License-Identifier: GPL-3.0-or-later
"""A given picture kept, and what the words name laid over it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generator.maps.joints import find_joints
from generator.material import FloatArray, Material
from generator.procedural import registry
from generator.procedural.colours import swatches
from generator.procedural.compose import Progress, finish, heartbeat
from generator.procedural.description import Description
from generator.procedural.palette import toned
from generator.procedural.pieces import pieces_between
from generator.procedural.shaping import flat, smoothstep
from generator.procedural.space import Space
from generator.procedural.surface import Surface, surface

_AS_LAYER = {
    "moss": "mossy",
    "grass": "mossy",
    "snow": "snowy",
    "mud": "dirty",
    "sand": "dusty",
    "ice": "frosty",
}
"""Families that, over a picture, mean something that lies on it."""


def restyle(
    source: FloatArray,
    description: Description,
    strength: float,
    seed: int,
    axes: tuple[bool, bool] = (True, True),
    progress: Progress | None = None,
    by: str = "auto",
) -> Material:
    """The picture ``(H, W, 3)``, sRGB in [0, 1], with the description's modifiers and colours added.

    ``strength`` in [0, 1] says how much of them: 0 adds nothing to what ``by`` sees in the picture. ``axes`` says
    along which of x and y the picture tiles; an axis that does not is continued by its mirror image while the
    layers are made, so that nothing reaches across its border. ``by`` says who makes the picture's maps.
    """
    from generator.maps.estimate import estimate

    report = progress or (lambda stage, fraction: None)
    report("reading the picture", 0.0)
    rows, columns = source.shape[:2]
    strength = float(np.clip(strength, 0.0, 1.0))
    if strength == 0.0 or not adds_to_picture(description):
        return estimate(np.ascontiguousarray(source, np.float32), axes, by)
    description = _over_a_picture(description)
    whole = source if axes[0] else np.concatenate([source, source[:, ::-1]], axis=1)
    whole = whole if axes[1] else np.concatenate([whole, whole[::-1]], axis=0)
    layered = _surface_of(estimate(np.ascontiguousarray(whole, np.float32), by=by), seed)
    layered.upright = not description.assumed and registry.family_info(description.family).upright
    if description.colours and not description.amount("painted"):
        _tint(layered, description, strength)
    wanted = [info for info in registry.layers() if description.amount(info.name) > 0]
    for number, info in enumerate(wanted):
        stage, done = f"making it {info.name}", 0.3 + 0.4 * number / len(wanted)
        report(stage, done)
        layered.space = replace(layered.space, pulse=heartbeat(report, stage, done, done + 0.4 / len(wanted)))
        _fade_in(layered, info.name, description, strength)
    _crop(layered, rows, columns, seed)
    return finish(layered, report)


def adds_to_picture(description: Description) -> bool:
    """Whether the words name anything that can be added to a picture: wear, growth, weather or a colour."""
    layered = _over_a_picture(description)
    return bool(layered.modifiers or layered.colours)


def _over_a_picture(description: Description) -> Description:
    """The description with a family such as moss or snow read as a layer."""
    named = not description.assumed and description.family in _AS_LAYER
    if not named:
        return description
    layer = _AS_LAYER[description.family]
    kept = [pair for pair in description.modifiers if pair[0] != layer]
    return replace(
        description, modifiers=tuple(sorted((*kept, (layer, max(1.0, description.amount(layer))))))
    )


def _surface_of(material: Material, seed: int) -> Surface:
    rows, columns = material.height.shape
    space = Space(columns, rows, seed)
    height = material.height * np.float32(material.relief)
    out = surface(space, np.moveaxis(material.basecolor, 2, 0), height, material.roughness, material.metallic)
    light = (np.moveaxis(material.basecolor, 2, 0) * flat((0.3, 0.59, 0.11))).sum(axis=0)
    chroma = material.basecolor.max(axis=2) - material.basecolor.min(axis=2)
    joints = find_joints(light, chroma / np.maximum(material.basecolor.max(axis=2), np.float32(0.05)))
    if joints is not None:
        out.gap = joints.mask.astype(np.float32)
        found = pieces_between(out.gap)
        if found is not None:
            out.index, out.count = found
    else:
        # Without a network of joints, what lies deep and narrow.
        out.gap = smoothstep(out.cavity(0.02), 1.0, 2.5)
    return out


def _tint(layered: Surface, description: Description, strength: float) -> None:
    """Turn the picture's colours towards the named ones, light and dark kept."""
    tone = toned(description, swatches(description.colours)).mean(axis=0)
    weights = flat((0.3, 0.59, 0.11))
    light = (layered.colour * weights).sum(axis=0)
    middle = max(float(light.mean()), 0.05)
    # Stones are dyed rather than the mortar between them.
    mask = np.full_like(light, 0.85 * strength)
    if layered.gap is not None:
        mask *= 1 - np.float32(0.75) * layered.gap
    target = flat(tone) * (0.25 + 0.75 * light / middle)
    layered.paint(np.clip(target, 0, 1).astype(np.float32), mask)


def _fade_in(layered: Surface, name: str, description: Description, strength: float) -> None:
    """Apply a layer at a share of its amount, then blend it by the same share, so that it grows from nothing."""
    before = [layered.colour.copy(), layered.height.copy(), layered.roughness.copy(), layered.metallic.copy()]
    registry.apply(name, layered, description, description.amount(name) * (0.1 + 0.9 * strength))
    # Little of a layer is small patches of it rather than a veil.
    blend = np.float32(min(1.0, 4.5 * strength))
    after = [layered.colour, layered.height, layered.roughness, layered.metallic]
    for old, new in zip(before, after, strict=True):
        new -= old
        new *= blend
        new += old
    layered.settle()


def _crop(layered: Surface, rows: int, columns: int, seed: int) -> None:
    # Heights are in units of the shorter side, which has just changed.
    larger = min(layered.height.shape) / min(rows, columns)
    layered.space = Space(columns, rows, seed)
    layered.colour = layered.colour[:, :rows, :columns]
    layered.height = layered.height[:rows, :columns] * np.float32(larger)
    layered.roughness = layered.roughness[:rows, :columns].copy()
    layered.metallic = layered.metallic[:rows, :columns].copy()
