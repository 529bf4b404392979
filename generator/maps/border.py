# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a picture periodic for analysis along an axis that does not wrap, without touching the picture."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray

_SHARE = 4  # A bridge is a quarter of the side: as long as the widest structure that the maps are read from.
_LEAST = 32


def bridge(image: FloatArray, axes: tuple[bool, bool]) -> FloatArray:
    """The image itself, continued to the right and below so that the whole is periodic.

    ``axes`` says whether the image already wraps in (X, Y); along such an axis nothing is added. Elsewhere the
    addition starts as the mirror image of one edge and fades into the mirror image of the opposite one, so that
    a filter which crosses the border meets a reflection instead of a false seam. The original is the top left
    ``(H, W)`` of the result.
    """
    for axis, wraps in ((1, axes[0]), (0, axes[1])):
        if wraps:
            continue
        length = image.shape[axis]
        span = min(length, max(length // _SHARE, _LEAST))
        step = np.arange(span)
        share = (step + 1) / (span + 1)
        fade = (share * share * (3.0 - 2.0 * share)).astype(np.float32)
        fade = fade.reshape([-1 if a == axis else 1 for a in range(image.ndim)])
        leaving = image.take(length - 1 - step, axis=axis)
        arriving = image.take(span - 1 - step, axis=axis)
        image = np.concatenate((image, leaving + (arriving - leaving) * fade), axis=axis)
    return image
