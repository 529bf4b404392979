# SPDX-License-Identifier: GPL-3.0-or-later
"""A small photo studio for materials: a wall seen straight on and a displaced ball, in light from soft boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray, Material
from generator.render import dot, normalised, shade, shade_surroundings, srgb_to_linear
from generator.resample import resize

_KEY = normalised(np.array([-0.55, 0.62, 0.56], np.float32))  # +X right, +Y up, +Z towards the eye.
_KEY_COLOUR = np.array([1.55, 1.48, 1.38], np.float32)
_RIM = normalised(np.array([0.85, 0.25, -0.25], np.float32))
_RIM_COLOUR = np.array([0.55, 0.62, 0.72], np.float32)
_AROUND = 4.0  # Tiles around the ball's equator: two across what is seen of it.
_STEPS = 28
_REFINED = 3
_EDGE_SAMPLES = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))


@dataclass(frozen=True)
class _SoftBox:
    """A bright rectangle far away: its direction, half its width and height there, and its colour."""

    towards: FloatArray
    half: tuple[float, float]
    colour: FloatArray

    def seen(self, direction: FloatArray, softness: FloatArray) -> FloatArray:
        across = normalised(np.cross(np.array([0, 1, 0], np.float32), self.towards).astype(np.float32))
        above = np.cross(self.towards, across).astype(np.float32)
        ahead = direction @ self.towards
        depth = np.maximum(ahead, np.float32(0.05))
        inside = np.clip(ahead * 4, 0, 1)
        for axis, half in ((across, self.half[0]), (above, self.half[1])):
            distance = (half - np.abs(direction @ axis) / depth) / softness
            # A box blurred until it is wider than itself must also lose brightness.
            inside = inside * (0.5 + 0.5 * np.tanh(distance)) * np.float32(1.0) / (1 + 0.35 * softness / half)
        return inside[..., None] * self.colour


_BOXES = (
    _SoftBox(_KEY, (0.55, 0.45), np.array([5.2, 5.0, 4.7], np.float32)),
    _SoftBox(
        normalised(np.array([0.9, 0.15, 0.35], np.float32)),
        (0.18, 0.9),
        np.array([2.0, 2.2, 2.5], np.float32),
    ),
    _SoftBox(
        normalised(np.array([0.1, 0.95, -0.1], np.float32)), (0.9, 0.3), np.array([1.6, 1.6, 1.6], np.float32)
    ),
)


def _surroundings(direction: FloatArray, roughness: FloatArray) -> FloatArray:
    """What is seen in that direction through a lobe of that roughness, ``(..., 3)`` linear."""
    up = direction[..., 1]
    wide = np.float32(0.08) + roughness * roughness
    sky = 0.5 + 0.5 * np.tanh(up / (0.25 + wide))
    ground = np.array([0.10, 0.095, 0.09], np.float32)
    ceiling = np.array([0.36, 0.38, 0.42], np.float32)
    light = ground + (ceiling - ground) * sky[..., None]
    softness = np.float32(0.03) + np.float32(0.9) * roughness * roughness
    for box in _BOXES:
        light = light + box.seen(direction, softness)
    return light


def _lit(surface: _Surface, normal: FloatArray, view: FloatArray) -> FloatArray:
    """The surface in the studio: key light, rim light and all around, ``(..., 3)`` linear."""
    colour, rough, metal = surface.colour, surface.roughness, surface.metallic
    # The lights have a size: a smooth surface shows their boxes, not a point that would sparkle on every grain.
    broad = np.maximum(rough, np.float32(0.35))
    result = shade(colour, normal, broad, metal, view, _KEY) * (_KEY_COLOUR * surface.shadow[..., None])
    result += shade(colour, normal, broad, metal, view, _RIM) * _RIM_COLOUR
    cosine = np.maximum(dot(normal, view), np.float32(1e-3))
    mirrored = normal * (2 * cosine[..., None]) - view
    even = np.ones_like(rough)
    # Where little sky is seen little is reflected, the less the rougher (Lagarde and de Rousiers 2014).
    ao = surface.ao
    seen = np.clip((cosine + ao) ** np.exp2(-16 * rough - 1) - 1 + ao, 0, 1)
    around = _surroundings(normal, even) * ao[..., None]
    reflected = _surroundings(mirrored, rough) * seen[..., None]
    return result + shade_surroundings(colour, rough, metal, cosine, around, reflected)


@dataclass(frozen=True)
class _Surface:
    """A material at some points: ``colour`` ``(..., 3)`` linear, the others ``(...)``."""

    colour: FloatArray
    roughness: FloatArray
    metallic: FloatArray
    ao: FloatArray
    shadow: FloatArray


def scaled(material: Material, width: int, height: int) -> Material:
    """The material at another size; ``relief`` is a share of the side and stays.

    Normals that a reduction averages away make the surface rougher instead (Toksvig 2005), so that fine grain does
    not sparkle when seen from afar.
    """
    normal = resize(material.normal, width, height)
    length = np.clip(np.sqrt(dot(normal, normal)), 0.3, 1)
    roughness = resize(material.roughness, width, height)
    spread = np.minimum(2 * (1 - length) / length, np.float32(0.3))
    return Material(
        basecolor=resize(material.basecolor, width, height),
        normal=normalised(normal),
        roughness=(roughness**4 + spread).clip(0, 1) ** np.float32(0.25),
        height=resize(material.height, width, height),
        ao=resize(material.ao, width, height),
        metallic=resize(material.metallic, width, height),
        relief=material.relief,
    )


def wall(material: Material, side: int) -> FloatArray:
    """The material repeated at least twice each way on a lit wall seen straight on: ``(side, side, 3)`` linear."""
    rows, columns = material.height.shape
    longer = max(rows, columns)
    small = scaled(
        material, max(1, round(side / 2 * columns / longer)), max(1, round(side / 2 * rows / longer))
    )
    tall, wide = small.height.shape
    shadow = _cast_shadow(small)

    def repeated(field: FloatArray) -> FloatArray:
        times = (-(-side // tall), -(-side // wide)) + (1,) * (field.ndim - 2)
        return np.tile(field, times)[:side, :side]

    surface = _Surface(
        repeated(srgb_to_linear(small.basecolor)),
        repeated(small.roughness),
        repeated(small.metallic),
        repeated(small.ao),
        repeated(shadow),
    )
    place = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    x, y = np.meshgrid(place, -place)
    # An eye not too far away, so that reflections move over the wall.
    view = normalised(np.stack((-x, -y, np.full_like(x, 1.6)), axis=-1))
    falloff = np.exp(-((x + 0.25) ** 2 + (y - 0.25) ** 2) * np.float32(0.55))
    return _lit(surface, repeated(small.normal), view) * falloff[..., None]


def _cast_shadow(material: Material) -> FloatArray:
    """How much of the key light reaches each point of the height field, ``(H, W)``: soft, since the box is wide."""
    height = material.height * np.float32(material.relief * min(material.height.shape))
    across, up, out = (float(v) for v in _KEY)
    flat = float(np.hypot(across, up))
    shade_depth = np.zeros_like(height)
    reach = max(2, int(material.relief * min(height.shape) * flat / out) + 1)
    for step in np.unique(np.round(np.geomspace(1, reach, min(10, reach))).astype(int)):
        shift = (round(step * up / flat), -round(step * across / flat))
        above = np.roll(height, shift, axis=(0, 1)) - height - np.float32(step * out / flat)
        np.maximum(shade_depth, above / np.float32(0.4 * step + 0.5), out=shade_depth)
    return 1 / (1 + 4 * np.maximum(shade_depth, 0)).astype(np.float32)


def ball(material: Material, side: int) -> tuple[FloatArray, FloatArray]:
    """A ball covered with the material, displaced by its height: ``(side, side, 3)`` linear, and its coverage.

    Rays run straight into the picture and are followed through the shell that the height can fill, so that the
    outline shows the relief as well. Pixels near the outline get four rays, all others one.
    """
    radius = side / 2 - 1
    tile = 2 * np.pi / _AROUND
    columns = max(8, round(tile * radius))
    rows = max(8, round(columns * material.height.shape[0] / material.height.shape[1]))
    small = scaled(material, columns, rows)
    depth = min(material.relief * tile * min(1.0, rows / columns), 0.2)

    place = (np.arange(side, dtype=np.float32) + 0.5 - side / 2) / np.float32(radius)
    distance = np.hypot(place[None, :], place[:, None])
    pixel = 1.5 / radius
    inner = np.flatnonzero(distance < 1 - depth - pixel)
    edge = np.flatnonzero((distance >= 1 - depth - pixel) & (distance < 1 + pixel))
    pixels = np.concatenate([inner] + [edge] * len(_EDGE_SAMPLES))
    offsets = np.zeros((pixels.size, 2), np.float32)
    offsets[inner.size :] = np.repeat(np.array(_EDGE_SAMPLES, np.float32), edge.size, axis=0) / np.float32(
        radius
    )
    weight = np.where(np.arange(pixels.size) < inner.size, 1.0, 1.0 / len(_EDGE_SAMPLES))
    x = place[pixels % side] + offsets[:, 0]
    y = -(place[pixels // side] + offsets[:, 1])

    z, hit = _follow(small, x, y, depth)
    x, y, z, pixels, weight = x[hit], y[hit], z[hit], pixels[hit], weight[hit]
    light = _ball_light(small, np.stack((x, y, z), axis=-1))
    coverage = np.bincount(pixels, weight, side * side).astype(np.float32)
    colour = [np.bincount(pixels, weight * light[:, c], side * side).astype(np.float32) for c in range(3)]
    return np.stack(colour, axis=-1).reshape(side, side, 3), coverage.reshape(side, side)


def _where(material: Material, x: FloatArray, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Texture coordinates in pixels (column, row) of points near the ball: longitude and latitude."""
    rows, columns = material.height.shape
    per_tile = columns * _AROUND / (2 * np.pi)
    column = np.arctan2(x, z) * np.float32(per_tile)
    latitude = np.arctan2(y, np.sqrt(x * x + z * z))
    return column, -latitude * np.float32(per_tile) + np.float32(0.5 * rows)


def _height_at(material: Material, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    column, row = _where(material, x, y, z)
    rows, columns = material.height.shape
    index = np.floor(row).astype(np.intp) % rows * columns + np.floor(column).astype(np.intp) % columns
    return material.height.ravel()[index]


def _follow(material: Material, x: FloatArray, y: FloatArray, depth: float) -> tuple[FloatArray, np.ndarray]:
    """The z at which rays along -Z meet the displaced ball, and which of them do."""
    aside = x * x + y * y
    start = np.sqrt(np.maximum(1 - aside, 0))
    floor = np.sqrt(np.maximum((1 - depth) ** 2 - aside, 0))
    z = start.copy()
    hit = np.zeros(x.shape, bool)
    if depth <= 0:
        return z, aside < 1
    active = np.flatnonzero(aside < 1)
    stride = (start - floor) / np.float32(_STEPS)
    for step in range(_STEPS + 1):
        here = start[active] - stride[active] * np.float32(step)
        above = np.sqrt(aside[active] + here * here) - 1 + depth
        inside = above <= depth * _height_at(material, x[active], y[active], here) + 1e-6
        z[active] = here
        hit[active[inside]] = True
        active = active[~inside]
        if active.size == 0:
            break
    # Between the last point outside and the first inside, by halving.
    low, high = z, np.minimum(z + stride, start)
    for _ in range(_REFINED):
        middle = 0.5 * (low + high)
        above = np.sqrt(aside + middle * middle) - 1 + depth
        inside = above <= depth * _height_at(material, x, y, middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low, hit


def _ball_light(material: Material, points: FloatArray) -> FloatArray:
    """Light from points of the ball, ``(N, 3)`` to ``(N, 3)`` linear."""
    column, row = _where(material, points[:, 0], points[:, 1], points[:, 2])
    rows, columns = material.height.shape
    stack = np.concatenate(
        (
            srgb_to_linear(material.basecolor),
            material.normal,
            np.stack((material.roughness, material.metallic, material.ao), axis=-1),
        ),
        axis=-1,
    ).reshape(rows * columns, 9)
    sampled = _bilinear(stack, rows, columns, column - np.float32(0.5), row - np.float32(0.5))
    out = normalised(points)
    east = normalised(np.stack((out[:, 2], np.zeros_like(out[:, 0]), -out[:, 0]), axis=-1))
    north = np.cross(out, east)
    bump = sampled[:, 3:6]
    normal = normalised(east * bump[:, 0:1] + north * bump[:, 1:2] + out * bump[:, 2:3])
    # Grain that faces away from the eye is turned to just visible, or it would sparkle.
    view = np.array([0, 0, 1], np.float32)
    normal = normalised(normal + view * np.maximum(0.02 - normal[:, 2:3], 0))
    terminator = np.clip(dot(out, _KEY) * 6 + 0.6, 0, 1)
    surface = _Surface(sampled[:, 0:3], sampled[:, 6], sampled[:, 7], sampled[:, 8], terminator)
    # The table below takes light from the lower half.
    floor = 0.62 + 0.38 * np.clip(out[:, 1] * 0.9 + 0.75, 0, 1)
    return _lit(surface, normal, np.broadcast_to(view, normal.shape)) * floor[:, None]


def _bilinear(stack: FloatArray, rows: int, columns: int, x: FloatArray, y: FloatArray) -> FloatArray:
    """Rows of a flattened ``(rows * columns, C)`` table between its points, modulo its size."""
    left, top = np.floor(x), np.floor(y)
    share_x, share_y = (x - left)[:, None], (y - top)[:, None]
    first, below = left.astype(np.intp) % columns, top.astype(np.intp) % rows
    second, lower = (first + 1) % columns, (below + 1) % rows
    upper_row = stack[below * columns + first] * (1 - share_x) + stack[below * columns + second] * share_x
    lower_row = stack[lower * columns + first] * (1 - share_x) + stack[lower * columns + second] * share_x
    return upper_row * (1 - share_y) + lower_row * share_y
