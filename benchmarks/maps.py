# SPDX-License-Identifier: GPL-3.0-or-later
"""How long maps of a picture take: by image analysis, and by the network with torch and with NumPy alone.

    python benchmarks/maps.py [--sizes 512 1024] [--rounds 3]

The ways take turns and the fastest round counts, since anything else that runs slows one of them down. Where the
network's weights are not part of the checkout, random ones of the same shape take as long.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from generator import procedural
from generator.maps import analyse
from generator.maps.estimate import NAME
from generator.maps.network import Plan, plan_of
from generator.maps.seeing import Network, see_material
from generator.material import FloatArray, Material
from generator.networks import Weights, best_operations, read_weights, shipped_weights
from generator.networks.numpy_operations import NumpyOperations


def main() -> None:
    """Print a table of seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    weights = _weights()
    plan = plan_of(weights)
    ways: dict[str, Callable[[FloatArray], Material]] = {"analysis": analyse}
    for operations in {o.name: o for o in (best_operations(), NumpyOperations())}.values():
        network = Network(plan, operations.prepare(weights.tensors), operations)
        ways[f"network, {operations.name}"] = partial(see_material, network)
    print(f"| pixels | {' | '.join(ways)} |\n|---|{'---:|' * len(ways)}")
    for size in options.sizes:
        picture = procedural.generate(procedural.parse("mossy red brick wall"), size, size, 1).basecolor
        seconds = dict.fromkeys(ways, np.inf)
        for _ in range(options.rounds):
            for name, way in ways.items():
                started = time.perf_counter()
                way(picture)
                seconds[name] = min(seconds[name], time.perf_counter() - started)
        print(f"| {size} | {' | '.join(f'{value:.2f} s' for value in seconds.values())} |", flush=True)


def _weights() -> Weights:
    path = shipped_weights(NAME)
    if path is not None:
        return read_weights(path)
    rng, plan = np.random.default_rng(0), Plan()
    tensors = {n: rng.standard_normal(s).astype(np.float32) * 0.02 for n, s in plan.shapes().items()}
    return Weights(tensors, plan.metadata())


if __name__ == "__main__":
    main()
