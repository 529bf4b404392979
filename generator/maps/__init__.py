# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from images and heights, all periodic: by a small network, or by image analysis in NumPy alone."""

from generator.maps.analysis import analyse
from generator.maps.estimate import estimate, open_network, settle
from generator.maps.normal import height_from_normal, normal_from_height
from generator.maps.occlusion import occlusion_from_height

__all__ = [
    "analyse",
    "estimate",
    "height_from_normal",
    "normal_from_height",
    "occlusion_from_height",
    "open_network",
    "settle",
]
