# SPDX-License-Identifier: GPL-3.0-or-later
"""Height to normal and back, both exactly periodic and exactly each other's inverse."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray


def normal_from_height(height: FloatArray, relief: float) -> FloatArray:
    """Unit normals of a periodic height field, ``(H, W, 3)`` float32, OpenGL convention (+Y towards row 0).

    ``height`` is ``(H, W)`` in [0, 1]; ``relief`` is its full range as a fraction of the shorter side. Slopes
    are central differences over neighbours fetched modulo the size.
    """
    rows, columns = height.shape
    scale = np.float32(relief * min(rows, columns) * 0.5)
    normal = np.empty((rows, columns, 3), np.float32)
    normal[..., 0] = (np.roll(height, 1, axis=1) - np.roll(height, -1, axis=1)) * scale
    # Rows grow downwards while +Y points up, hence the opposite order of the two neighbours.
    normal[..., 1] = (np.roll(height, -1, axis=0) - np.roll(height, 1, axis=0)) * scale
    normal[..., 2] = 1.0
    normal /= np.sqrt(np.einsum("hwc,hwc->hw", normal, normal))[..., None]
    return normal
