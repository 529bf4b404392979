# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests here import `tiny_models`; where torch or diffusers is missing there is nothing to test."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for tiny_models

collect_ignore_glob = [] if find_spec("torch") and find_spec("diffusers") else ["test_*.py"]
