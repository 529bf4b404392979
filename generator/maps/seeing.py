# SPDX-License-Identifier: GPL-3.0-or-later
"""A full material from one picture, by a network that was trained on materials whose maps are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generator.maps.bands import lifted
from generator.maps.border import bridge
from generator.maps.heights import height_from_slopes
from generator.maps.network import CHANNELS, Plan, plan_of, see
from generator.maps.normal import normal_from_height
from generator.material import FloatArray, Material
from generator.networks import Operations, best_operations, read_weights
from generator.networks.operations import Prepared
from generator.resample import resize

COARSE_UNIT = 8.0
"""Pixels of height in one unit of the network's coarse channel."""

LARGEST = 2048
"""The shorter side up to which a picture is looked at pixel by pixel; of a larger one a smaller copy is."""

_LEAST_RELIEF = 1e-4


@dataclass(frozen=True)
class Network:
    """Weights made ready for the operations that run them."""

    plan: Plan
    weights: Prepared
    operations: Operations


def read_network(path: Path, check: Callable[[], None] | None = None) -> Network:
    """The network in that file. Raises `WeightsError` with a sentence where the file is damaged or another's.

    ``check`` is called between pieces of work, several times a second, and may raise to end it.
    """
    read = read_weights(path)
    plan, operations = plan_of(read), best_operations(check)
    return Network(plan, operations.prepare(read.tensors), operations)


def see_material(network: Network, picture: FloatArray, axes: tuple[bool, bool] = (True, True)) -> Material:
    """The material that ``picture``, ``(H, W, 3)`` sRGB in [0, 1], shows; its base colour has the light taken out.

    ``axes`` says whether it wraps in (X, Y); where it does every map wraps as well. A roll by a multiple of the
    plan's stride rolls the maps, where the sides are such multiples themselves.
    """
    rows, columns = picture.shape[:2]
    whole = bridge(np.clip(np.asarray(picture, np.float32), 0, 1), axes)
    seen = _look(network, whole)
    colour = np.clip(whole * (1 + seen["gain"]) + seen["offset"], 0, 1)

    def crop(field: FloatArray) -> FloatArray:
        return np.ascontiguousarray(field[:rows, :columns])

    inside = crop(seen["height"])
    low, high = float(inside.min()), float(inside.max())
    extent = max(high - low, _LEAST_RELIEF * min(rows, columns))
    # From the height as it is before it is cropped: the bridge's slopes belong to its border.
    normal = normal_from_height(seen["height"], 1.0 / min(whole.shape[:2]))
    return Material(
        basecolor=crop(colour).astype(np.float32),
        normal=crop(normal),
        roughness=crop(seen["roughness"]),
        height=(inside - np.float32(low)) / np.float32(extent),
        ao=crop(seen["ao"]),
        metallic=crop(seen["metallic"]),
        relief=extent / min(rows, columns),
    )


def _look(network: Network, whole: FloatArray) -> dict[str, FloatArray]:
    """What the network sees in a periodic picture, at that picture's size; ``height`` in its pixels."""
    rows, columns = whole.shape[:2]
    height, width = _fitted(rows, columns, network.plan.stride)
    fitted = resize(whole, width, height)
    operations = network.operations
    field = operations.to_field(np.ascontiguousarray(fitted.transpose(2, 0, 1))[None])
    seen = decode(operations.to_array(see(operations, network.weights, network.plan, field))[0], fitted)
    scaled = {name: resize(values, columns, rows) for name, values in seen.items()}
    scaled["height"] *= np.float32(min(rows, columns) / min(height, width))
    return scaled


def _fitted(rows: int, columns: int, stride: int) -> tuple[int, int]:
    """The size nearest to this one at which the network can look: multiples of its stride, and no larger than set."""
    shrink = min(1.0, LARGEST / min(rows, columns))
    height, width = (max(1, round(side * shrink / stride)) * stride for side in (rows, columns))
    return height, width


def decode(raw: FloatArray, picture: FloatArray) -> dict[str, FloatArray]:
    """What the network's channels ``(18, H, W)`` mean for this picture ``(H, W, 3)``, each as ``(H, W)`` or
    ``(H, W, 3)``; ``height`` in pixels."""
    parts: dict[str, FloatArray] = {}
    first = 0
    for name, count in CHANNELS.items():
        parts[name] = raw[first : first + count]
        first += count
    made = {name: np.ascontiguousarray(parts[name].transpose(1, 2, 0)) for name in ("gain", "offset")}
    for name in ("roughness", "metallic", "ao"):
        made[name] = (1 / (1 + np.exp(-np.clip(parts[name][0], -30, 30)))).astype(np.float32)
    fine = lifted(np.fft, picture.mean(axis=2), list(parts["lift"])).astype(np.float32)
    made["height"] = fine + height_from_slopes(parts["slope"], parts["coarse"][0] * np.float32(COARSE_UNIT))
    return made
