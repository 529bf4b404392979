# SPDX-License-Identifier: GPL-3.0-or-later
"""Shading in linear light: one light at a time by GGX, and surroundings by the split-sum approximation."""

from __future__ import annotations

import numpy as np

from generator.material import FloatArray

DIELECTRIC = (
    0.04  # Reflectance straight on of nearly everything that is no metal: an index of refraction of 1.5.
)
_SMOOTHEST = 0.04  # Roughness below this is a mirror whose highlight falls between pixels.


def srgb_to_linear(encoded: FloatArray) -> FloatArray:
    """sRGB values in [0, 1] to linear light (IEC 61966-2-1), any shape, float32."""
    encoded = np.asarray(encoded, np.float32)
    bent = ((np.maximum(encoded, 0) + np.float32(0.055)) * np.float32(1 / 1.055)) ** np.float32(2.4)
    return np.where(encoded <= 0.04045, encoded * np.float32(1 / 12.92), bent)


def linear_to_srgb(linear: FloatArray) -> FloatArray:
    """Linear light in [0, 1] to sRGB values, any shape, float32."""
    linear = np.asarray(linear, np.float32)
    bent = np.float32(1.055) * np.maximum(linear, 0) ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(linear <= 0.0031308, linear * np.float32(12.92), bent)


def tone(linear: FloatArray, knee: float = 0.55) -> FloatArray:
    """A filmic curve to [0, 1): straight up to the knee, so that colours stay themselves, then a soft shoulder."""
    room = np.float32(1.0 - knee)
    over = np.maximum(linear - np.float32(knee), 0)
    return np.minimum(linear, np.float32(knee)) + room * (1 - np.exp(-over / room))


def normalised(vectors: FloatArray) -> FloatArray:
    """Vectors along the last axis at unit length."""
    return vectors / np.sqrt(np.maximum(np.einsum("...c,...c->...", vectors, vectors), 1e-12))[..., None]


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """The dot product along the last axis, broadcast."""
    return np.einsum("...c,...c->...", *np.broadcast_arrays(a, b))


def shade(
    basecolor: FloatArray,
    normal: FloatArray,
    roughness: FloatArray,
    metallic: FloatArray,
    view: FloatArray,
    light: FloatArray,
) -> FloatArray:
    """Light sent to the eye from a surface lit by one directional light of irradiance pi: ``(..., 3)``, linear.

    ``basecolor`` is ``(..., 3)`` in *linear* light; ``normal``, ``view`` and ``light`` are unit vectors pointing away
    from the surface, ``(..., 3)`` or broadcast to it; ``roughness`` and ``metallic`` are ``(...)`` in [0, 1]. A white
    Lambertian surface lit straight on gives 1. GGX with Smith's height-correlated masking (Heitz 2014), alpha =
    roughness squared, Fresnel by Schlick (1994), and the metallic split as glTF 2.0 appendix B defines it.
    """
    facing = dot(normal, light)
    lit = np.maximum(facing, 0)
    seen = np.maximum(dot(normal, view), np.float32(1e-3))
    half = normalised(view + light)
    alpha2 = np.maximum(roughness, _SMOOTHEST).astype(np.float32) ** 4
    across = np.clip(dot(normal, half), 0, 1)
    spread = across * across * (alpha2 - 1) + 1
    distribution = alpha2 / np.maximum(
        spread * spread, np.float32(1e-9)
    )  # Times pi, as the light's irradiance is.
    masking = lit * np.sqrt(seen * seen * (1 - alpha2) + alpha2) + seen * np.sqrt(
        lit * lit * (1 - alpha2) + alpha2
    )
    visibility = np.float32(0.5) / np.maximum(masking, np.float32(1e-6))
    grazing = (1 - np.clip(dot(view, half), 0, 1)) ** 5
    metal = metallic[..., None]
    reflectance = DIELECTRIC + (basecolor - DIELECTRIC) * metal
    fresnel = reflectance + (1 - reflectance) * grazing[..., None]
    diffuse = basecolor * (1 - metal) * (1 - fresnel)
    return (diffuse + fresnel * (distribution * visibility)[..., None]) * lit[..., None]


def shade_surroundings(
    basecolor: FloatArray,
    roughness: FloatArray,
    metallic: FloatArray,
    cosine: FloatArray,
    irradiance: FloatArray,
    reflected: FloatArray,
) -> FloatArray:
    """Light sent to the eye from what comes from all around: ``(..., 3)``, linear.

    ``irradiance`` ``(..., 3)`` is over pi, so that white under an even sky of 1 gives 1; ``reflected`` ``(..., 3)`` is
    what the mirror direction sees, blurred as far as the roughness asks; ``cosine`` ``(...)`` that of the angle of
    view. Split sum (Karis 2013) with his analytic fit of its second half.
    """
    metal = metallic[..., None]
    reflectance = DIELECTRIC + (basecolor - DIELECTRIC) * metal
    near = 1 - roughness
    bent = np.minimum(near * near, np.exp2(np.float32(-9.28) * np.clip(cosine, 0, 1))) * near
    bent += np.float32(0.0425) - np.float32(0.0275) * roughness
    scale = np.float32(-1.04) * bent + np.float32(1.04) - np.float32(0.572) * roughness
    bias = np.float32(1.04) * bent + np.float32(0.022) * roughness - np.float32(0.04)
    specular = reflectance * scale[..., None] + bias[..., None]
    return basecolor * (1 - metal) * (1 - specular) * irradiance + specular * reflected
