# SPDX-License-Identifier: GPL-3.0-or-later
"""Small convolution networks on the torus: read from safetensors and run by torch, or by NumPy alone.

A network is a function of (operations, weights, picture) that is written once. `best_operations` gives what is
fastest on this machine; both kinds give the same numbers to 1e-4, and training uses the same function with
gradients.
"""

from __future__ import annotations

from generator.networks.operations import Operations, best_operations
from generator.networks.weights import Weights, WeightsError, read_weights, shipped_weights

__all__ = ["Operations", "Weights", "WeightsError", "best_operations", "read_weights", "shipped_weights"]
