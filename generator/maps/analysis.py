# SPDX-License-Identifier: GPL-3.0-or-later
"""A full material from one picture, by periodic image analysis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generator.maps.border import bridge
from generator.maps.normal import normal_from_height
from generator.maps.occlusion import occlusion_from_height
from generator.maps.structure import Structure, read_structure
from generator.material import FloatArray, Material
from generator.resample import blur

_RELIEF = (0.003, 0.05)
_SLOPES = (0.16, 0.65)


def analyse(basecolor: FloatArray, axes: tuple[bool, bool] = (True, True), delight: float = 0.0) -> Material:
    """Height, normal, roughness, occlusion and metalness of any texture, and the relief they stand for.

    ``basecolor`` is ``(H, W, 3)``, sRGB-encoded, in [0, 1]; ``axes`` says whether it wraps in (X, Y), and where it
    does every map wraps as well. The picture itself comes back untouched, unless ``delight`` in [0, 1] asks for
    that share of its large-scale shading to be taken out. Metalness is 0 unless the evidence is strong.

    Raises ``ValueError`` when the picture is not ``(H, W, 3)``.
    """
    if basecolor.ndim != 3 or basecolor.shape[2] != 3 or 0 in basecolor.shape:
        raise ValueError(f"A picture of shape (H, W, 3) is needed, not {basecolor.shape}.")
    rows, columns = basecolor.shape[:2]
    colour = np.clip(np.asarray(basecolor, np.float32), 0, 1)
    whole = bridge(colour, axes)
    structure = read_structure(whole)
    shorter = min(rows, columns)
    relief = _relief(structure, shorter)
    # The functions below take the relief by the side of what they are given, bridge included.
    given = relief * shorter / min(whole.shape[:2])
    material = Material(
        basecolor=_delighted(whole, delight) if delight > 0 else whole,
        normal=normal_from_height(structure.height, given),
        roughness=_roughness(structure),
        height=structure.height,
        ao=occlusion_from_height(structure.height, given),
        metallic=_metallic(structure),
        relief=relief,
    )
    return material if whole is colour else _cropped(material, rows, columns)


def _cropped(material: Material, rows: int, columns: int) -> Material:
    def crop(field: FloatArray) -> FloatArray:
        return np.ascontiguousarray(field[:rows, :columns])

    return replace(
        material,
        basecolor=crop(material.basecolor),
        normal=crop(material.normal),
        roughness=crop(material.roughness),
        height=crop(material.height),
        ao=crop(material.ao),
        metallic=crop(material.metallic),
    )


def _relief(structure: Structure, shorter: int) -> float:
    """The relief that gives slopes of the steepness which such a contrast usually comes from.

    Tied to slopes rather than to brightness, it comes out small for sand and large for cobbles by itself, since
    the same slope lifts a fine grain less than a broad stone.
    """
    if structure.joint_width > 0.0:
        return float(
            np.clip(1.3 * structure.joint_width, 0.006, _RELIEF[1])
        )  # Joints are about as deep as they are wide.
    soft = blur(structure.height, max(0.7, shorter / 1024))
    across = np.diff(soft, axis=1, append=soft[:, :1])
    down = np.diff(soft, axis=0, append=soft[:1])
    steepness = float(np.sqrt(np.mean(np.square(across)) + np.mean(np.square(down)))) * shorter
    wanted = np.clip(_SLOPES[0] + 4.0 * structure.contrast, *_SLOPES)
    return float(np.clip(wanted / max(steepness, 1e-6), *_RELIEF))


def _roughness(structure: Structure) -> FloatArray:
    """Grainy and low is rough, even and high is smooth; bright colourless spots are taken for reflections."""
    grain = structure.detail * np.float32(1.0 / 0.06)
    rough = np.float32(0.54) + np.float32(0.4) * grain / (grain + np.float32(0.6))
    rough += np.float32(0.16) * (np.float32(0.55) - structure.height)
    rough += np.float32(0.10) * structure.joints
    shine = np.clip((structure.luminance - np.float32(0.9)) * 10, 0, 1)
    shine *= np.clip(1 - structure.saturation * 8, 0, 1)
    # A white wall is bright all over and reflects nothing: only rare brightness is a highlight.
    rarity = np.clip(1.0 - 12.0 * float(shine.mean()), 0, 1)
    rough -= np.float32(0.2 * rarity) * shine
    return np.clip(rough, 0.08, 0.98)


def _metallic(structure: Structure) -> FloatArray:
    """Metal only where the picture is grey and its brightness is distributed as reflections are.

    Bare metal has no diffuse colour, so that it shows a grey (saturation under a tenth) and, unlike stone, bright
    reflections with a long tail over smooth ground, or brushing in one direction. All must hold in a large part of
    the picture, or else the answer is 0 everywhere.
    """
    grey = np.clip((np.float32(0.12) - structure.saturation) * np.float32(1 / 0.06), 0, 1)
    grey *= np.clip((structure.luminance - np.float32(0.18)) * 8, 0, 1)
    share = float(grey.mean())
    if share < 0.25:
        return np.zeros_like(grey)
    light = structure.luminance[grey > 0.5]
    if light.size < 64:
        return np.zeros_like(grey)
    deviation = float(light.std())
    tail = float(np.mean(((light - light.mean()) / max(deviation, 1e-3)) ** 3))
    smooth = np.clip((0.05 - float(structure.detail.mean())) / 0.02, 0, 1)
    reflecting = np.clip((deviation - 0.08) / 0.06, 0, 1) * np.clip((tail - 0.5) / 0.7, 0, 1) * smooth
    brushed = np.clip((_directedness(structure.luminance) - 0.85) / 0.1, 0, 1)
    evidence = max(float(reflecting), float(brushed)) * np.clip((share - 0.25) / 0.25, 0, 1)
    if evidence < 0.6:
        return np.zeros_like(grey)
    return np.clip(blur(grey, 1.5) * 2 - 0.5, 0, 1).astype(np.float32)


def _directedness(luminance: FloatArray) -> float:
    """0 for a picture without direction, 1 when all of its gradients are parallel (structure tensor)."""
    across = np.roll(luminance, -1, axis=1) - luminance
    down = np.roll(luminance, -1, axis=0) - luminance
    xx, yy, xy = (float(np.mean(p)) for p in (across * across, down * down, across * down))
    total = xx + yy
    return float(np.hypot(xx - yy, 2 * xy) / total) if total > 1e-9 else 0.0


def _delighted(basecolor: FloatArray, share: float) -> FloatArray:
    """Divides by the large-scale brightness, in linear light as near as a power of 2.2 gets to it."""
    linear = basecolor**2.2
    broad = blur(linear.mean(axis=2), min(basecolor.shape[:2]) / 6)
    gain = (broad.mean() / np.maximum(broad, 1e-4)) ** np.float32(share)
    return np.clip(linear * gain[..., None], 0, 1) ** np.float32(1 / 2.2)
