# SPDX-License-Identifier: GPL-3.0-or-later
"""A full material from one picture, by a network that was trained on materials whose maps are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
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
"""The side of the square as large as which a picture is looked at pixel by pixel; of a larger one a smaller copy is."""

NEAREST = 256
"""The shorter side of the pictures the network was trained on. Of larger ones it also sees copies of half the size,
a quarter and so on down to about this: a brick a thousand pixels wide is only known as a brick from afar."""

DEPTH = 1.6
"""How much deeper the relief is than the network says. It was trained to err little, and where it is in doubt a plane
errs least; on surfaces that it has not seen, its normals are nearest to the truth so (1.5 and 2 do nearly as well)."""

CERTAINTY = 3.0
"""How much surer of metal the map is than the network: matter is metal or not, so doubt is settled, not shown."""

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
    plan's stride in the smallest copy that is looked at rolls the maps, where the sides are such multiples: 64 pixels
    up to a side of 362, 256 of 1024.
    """
    rows, columns = picture.shape[:2]
    whole = bridge(np.clip(np.asarray(picture, np.float32), 0, 1), axes)
    seen = _look(network, whole)
    seen["height"] *= np.float32(DEPTH)
    colour = seen.pop("gain")  # in place: at 8192 pixels each of these is 0.8 GB
    colour += 1
    colour *= whole
    colour += seen.pop("offset")
    np.clip(colour, 0, 1, out=colour)

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
    """What the network sees in a periodic picture, at that picture's size; ``height`` in its pixels.

    Broad features are taken from the smallest copy, and each larger one adds what the one before was too small for
    (a Laplacian pyramid, Burt and Adelson 1983).
    """
    rows, columns = whole.shape[:2]
    seen: dict[str, FloatArray] = {}
    for shrink in _copies(rows, columns):
        height, width = _fitted(rows, columns, network.plan.stride, shrink)
        picture = resize(whole, width, height)
        seen = _refined(seen, _glance(network, picture)) if seen else _begun(network, picture)
    return _sized(seen, rows, columns)


def _copies(rows: int, columns: int) -> list[float]:
    """How much smaller than the picture each copy is that is looked at, the smallest first."""
    largest = min(1.0, LARGEST / math.sqrt(rows * columns))
    halvings = max(0, round(math.log2(min(rows, columns) * largest / NEAREST)))
    return [largest / 2**n for n in range(halvings, -1, -1)]


def _begun(network: Network, picture: FloatArray) -> dict[str, FloatArray]:
    """What the network sees in the smallest copy; how bright matter is, and whether metal, also from twice as far.

    Of those two it judges better by what it can see at one glance.
    """
    near = _from_all_sides(network, picture)
    rows, columns = picture.shape[:2]
    height, width = _fitted(rows, columns, network.plan.stride, 0.5)
    far = _refined(_from_all_sides(network, resize(picture, width, height)), near)
    for name in ("gain", "offset"):
        near[name] = (near[name] + far[name]) / 2
    return near | {"metallic": far["metallic"]}


def _from_all_sides(network: Network, picture: FloatArray) -> dict[str, FloatArray]:
    """The mean of what the network sees in the picture turned and mirrored in all eight ways.

    What it only fancies differs from one to the next and goes; and maps of a picture that is turned turn along.
    """
    total: dict[str, FloatArray] = {}
    for turns, mirrored in product(range(4), (False, True)):
        shown = np.rot90(picture[:, ::-1] if mirrored else picture, turns)
        for name, values in _glance(network, np.ascontiguousarray(shown)).items():
            back = np.rot90(values, -turns)
            total[name] = total.get(name, np.float32(0)) + (back[:, ::-1] if mirrored else back) / np.float32(
                8
            )
    return total


def _glance(network: Network, picture: FloatArray) -> dict[str, FloatArray]:
    """What the network sees in a picture whose sides are multiples of its stride."""
    operations = network.operations
    field = operations.to_field(np.ascontiguousarray(picture.transpose(2, 0, 1))[None])
    raw = see(operations, network.weights, network.plan, field)
    return decode(operations.to_array(raw)[0], picture)


def _refined(broad: dict[str, FloatArray], fresh: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """What was seen in a small copy, and what a larger one shows beside it; values keep their ranges."""
    small, large = broad["height"].shape, fresh["height"].shape
    broad, again = _sized(broad, *large), _sized(_sized(fresh, *small), *large)
    made: dict[str, FloatArray] = {name: broad[name] + fresh[name] - again[name] for name in fresh}
    for name in ("roughness", "metallic", "ao"):
        np.clip(made[name], 0, 1, out=made[name])
    return made


def _sized(seen: dict[str, FloatArray], rows: int, columns: int) -> dict[str, FloatArray]:
    """All of it at another size, with the height in pixels of that."""
    before = min(seen["height"].shape)
    scaled = {name: resize(values, columns, rows) for name, values in seen.items()}
    scaled["height"] *= np.float32(min(rows, columns) / before)
    return scaled


def _fitted(rows: int, columns: int, stride: int, shrink: float) -> tuple[int, int]:
    """The size nearest to so much of this one at which the network can look: multiples of its stride."""
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
        sure = CERTAINTY if name == "metallic" else 1.0
        made[name] = (1 / (1 + np.exp(-np.clip(sure * parts[name][0], -30, 30)))).astype(np.float32)
    fine = lifted(np.fft, picture.mean(axis=2), list(parts["lift"])).astype(np.float32)
    made["height"] = fine + height_from_slopes(parts["slope"], parts["coarse"][0] * np.float32(COARSE_UNIT))
    return made
