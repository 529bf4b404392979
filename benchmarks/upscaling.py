# SPDX-License-Identifier: GPL-3.0-or-later
"""How long making a picture larger takes: the network in torch and in NumPy, and the filter, in turns.

    python3 dev.py bench upscaling [--size 512] [--factor 4] [--weights FOLDER] [--rounds 3]

Without weights of ours a network of the same shape with random ones is timed, which takes as long. Whatever else
runs on the machine makes single times worthless, so that the ways take turns and the least time of each counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from generator.material import FloatArray
from generator.networks import Weights, read_weights
from generator.networks.numpy_operations import NumpyOperations
from generator.networks.operations import Operations
from generator.networks.weights import FOLDER
from generator.protocol import FACTORS
from generator.resample import resize
from generator.upscaling.compact import Shape, apply, read_shape, sizes
from generator.upscaling.pieces import in_pieces

FEATURES, DEPTH = 48, 12


def weights_of(folder: Path, factor: int) -> tuple[Weights, str]:
    """Our network for base colours, else random weights of its shape."""
    path = folder / f"upscaler-colour-x{factor}.safetensors"
    if path.is_file():
        return read_weights(path), path.name
    rng = np.random.default_rng(0)
    shape = Shape(3, FEATURES, DEPTH, factor)
    made = {
        name: (rng.normal(size=size) / math.sqrt(math.prod(size[1:]) or 1)).astype(np.float32)
        for name, size in sizes(shape).items()
    }
    return Weights(made, {}), "random weights"


def ways(weights: Weights, factor: int) -> dict[str, Callable[[FloatArray], FloatArray]]:
    """Each way to make ``(H, W, 3)`` larger, by name."""
    shape = read_shape(weights.tensors)
    kinds: dict[str, Operations] = {"network, NumPy": NumpyOperations()}
    if importlib.util.find_spec("torch") is not None:
        from generator.networks.torch_operations import TorchOperations

        kinds = {"network, torch": TorchOperations(), **kinds}

    def by(operations: Operations) -> Callable[[FloatArray], FloatArray]:
        prepared = operations.prepare(weights.tensors)

        def run(planes: FloatArray) -> FloatArray:
            return operations.to_array(apply(operations, prepared, shape, operations.to_field(planes)))

        def whole(picture: FloatArray) -> FloatArray:
            planes = np.moveaxis(picture, 2, 0)[None]
            return in_pieces(run, planes, shape.scale, shape.halo, (True, True))

        return whole

    def lanczos(picture: FloatArray) -> FloatArray:
        return resize(picture, picture.shape[1] * factor, picture.shape[0] * factor)

    return {**{name: by(operations) for name, operations in kinds.items()}, "Lanczos": lanczos}


def main() -> None:
    """Print the least time of each way."""
    parser = argparse.ArgumentParser(description="Time the upscaler.")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--factor", type=int, choices=FACTORS, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--weights", type=Path, default=FOLDER, help="the folder with upscaler-*.safetensors")
    options = parser.parse_args()
    weights, name = weights_of(options.weights, options.factor)
    picture = np.random.default_rng(1).random((options.size, options.size, 3), dtype=np.float32)
    least: dict[str, float] = {}
    for _ in range(options.rounds):
        for way, enlarge in ways(weights, options.factor).items():
            began = time.perf_counter()
            enlarge(picture)
            least[way] = min(least.get(way, math.inf), time.perf_counter() - began)
    shape = read_shape(weights.tensors)
    print(f"{options.size}² to {options.size * options.factor}², {name}: {shape}")
    for way, seconds in least.items():
        print(f"{way:16} {seconds:6.2f} s")


if __name__ == "__main__":
    main()
