# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from images and heights, by periodic image analysis in NumPy alone."""
