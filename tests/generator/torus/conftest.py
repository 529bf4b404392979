# SPDX-License-Identifier: GPL-3.0-or-later
"""The small models of the diffusion tests and of the benchmark serve here as well; without torch and diffusers
there is nothing to test."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE))  # for periodic_axis
sys.path.insert(0, str(TESTS / "generator" / "diffusion"))  # for tiny_models
sys.path.insert(0, str(TESTS.parent / "benchmarks"))  # for small_models

if find_spec("torch"):
    import torch

    # Threads that wait for each other on a busy machine cost more than they save on models this small.
    torch.set_num_threads(1)

collect_ignore_glob = [] if find_spec("torch") and find_spec("diffusers") else ["test_*.py"]
