# SPDX-License-Identifier: GPL-3.0-or-later
"""The small models of the diffusion tests serve here as well; without torch and diffusers there is nothing to test."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "diffusion"))  # for tiny_models

collect_ignore_glob = [] if find_spec("torch") and find_spec("diffusers") else ["test_*.py"]
