# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a picture is painted anew so that it tiles: rolled by half, its border becomes a cross in the middle.

Rolled, the picture already tiles: what now lies at its border lay side by side before. Only the cross must go, and
only the cross is changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray
from generator.resample import resize

_BAND = 0.25  # of the side: wide enough for a brick or a pebble to be finished
_LEAST = 64  # pixels
_FEATHER = 1 / 3  # of the band's half, at each of its edges


@dataclass(frozen=True)
class Canvas:
    """A picture ready to be painted on.

    ``picture`` ``(H, W, 3)`` is the rolled one, its cross filled provisionally; ``original`` the rolled one as it
    was; ``mask`` ``(H, W)`` says in [0, 1] how much of each pixel is to be new; ``shift`` is how far it was rolled.
    """

    picture: FloatArray
    original: FloatArray
    mask: FloatArray
    shift: tuple[int, int]

    def resized(self, width: int, height: int, wrap_x: bool, wrap_y: bool) -> Canvas:
        """The same at another size, for a model that cannot work at this one; not for `finish`."""
        if (height, width) == self.mask.shape:
            return self
        pictures = (
            resize(picture, width, height, wrap_x, wrap_y)
            for picture in (self.picture, self.original, self.mask)
        )
        return Canvas(*pictures, shift=(0, 0))

    def finish(self, painted: FloatArray) -> FloatArray:
        """The picture where it was, with ``painted`` ``(H, W, 3)`` in the cross and every other pixel untouched."""
        share = self.mask[..., None]
        mixed = np.where(share > 0, self.original + (painted - self.original) * share, self.original)
        return np.roll(mixed, (-self.shift[0], -self.shift[1]), (0, 1)).astype(np.float32)


def lay_out(picture: FloatArray, x: bool, y: bool) -> Canvas:
    """The canvas for a picture ``(H, W, 3)`` whose borders in X and/or Y are to be painted over."""
    rows, columns = picture.shape[:2]
    shift = (rows // 2 if y else 0, columns // 2 if x else 0)
    original = np.roll(picture, shift, (0, 1)).astype(np.float32)
    filled, mask = original, np.zeros((rows, columns), np.float32)
    if x:
        band = _band(columns, shift[1])
        filled = _mixed(filled, band, shift[1])
        mask = np.maximum(mask, band[None, :])
    if y:
        band = _band(rows, shift[0])
        filled = _mixed(filled.swapaxes(0, 1), band, shift[0]).swapaxes(0, 1)
        mask = np.maximum(mask, band[:, None])
    return Canvas(np.ascontiguousarray(filled), original, mask, shift)


def _band(length: int, line: int) -> FloatArray:
    """1 around ``line``, falling smoothly to 0; the line lies between the samples ``line - 1`` and ``line``."""
    half = min(max(_BAND * length, _LEAST), length) / 2
    distance = np.abs(np.arange(length) + 0.5 - line)
    fade = np.clip((half - distance) / (half * _FEATHER), 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * fade)).astype(np.float32)


def _mixed(image: FloatArray, band: FloatArray, line: int) -> FloatArray:
    """Both sides of the line ``(H, W, C)``, mixed with each other's mirror image, half and half at the line.

    No edge is left there for the model to take for a real one, and the colours pass over into each other.
    """
    mirrored = image[:, (2 * line - 1 - np.arange(image.shape[1])) % image.shape[1]]
    return image + (mirrored - image) * (np.float32(0.5) * band)[None, :, None]
