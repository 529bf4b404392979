# SPDX-License-Identifier: GPL-3.0-or-later
"""The maps of one finished texture, as every part of the generator passes them on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.protocol import MAPS

__all__ = ["MAPS", "FloatArray", "Material"]

FloatArray = npt.NDArray[np.floating]
"""float32 by convention; the type checker is not told, since NumPy's stubs widen almost every expression."""


@dataclass(frozen=True)
class Material:
    """One texture as a full set of physically based maps; all of one size, top row first, all periodic.

    ``basecolor``
        ``(H, W, 3)``, sRGB-encoded, in [0, 1].
    ``normal``
        ``(H, W, 3)`` unit vectors in tangent space, OpenGL convention: +X right, +Y towards row 0, +Z out.
    ``roughness``, ``height``, ``ao``, ``metallic``
        ``(H, W)``, linear, in [0, 1]. ``ao`` is 1 where nothing occludes.
    ``relief``
        The height map's full range as a fraction of the texture's shorter side, so that a height of 1 stands
        ``relief * min(H, W)`` pixels above a height of 0. It scales the normals and the displacement.
    """

    basecolor: FloatArray
    normal: FloatArray
    roughness: FloatArray
    height: FloatArray
    ao: FloatArray
    metallic: FloatArray
    relief: float
