# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from images and heights, by periodic image analysis in NumPy alone."""

from generator.maps.estimate import estimate
from generator.maps.normal import height_from_normal, normal_from_height
from generator.maps.occlusion import occlusion_from_height

__all__ = ["estimate", "height_from_normal", "normal_from_height", "occlusion_from_height"]
