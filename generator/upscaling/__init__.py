# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and whole material sets made two or four times as large, still tiling where they tiled."""

from __future__ import annotations

from generator.upscaling.methods import Method, choose, shipped
from generator.upscaling.sets import Enlarged, enlarge, shown, told

__all__ = ["Enlarged", "Method", "choose", "enlarge", "shipped", "shown", "told"]
