# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the generator's float images and the integers that go into files and onto the wire."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray, Material
from generator.protocol import Array, ImageRef

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""A picture as it is stored and sent."""

HEIGHT_LEVELS = 65535
"""Height is kept in 16 bits: at 8 bits a displaced surface shows terraces."""


def encode_map(material: Material, name: str) -> Pixels:
    """One map of a material as it is stored: uint8, but uint16 for ``height``; normals as ``n / 2 + 1 / 2``."""
    values: FloatArray = getattr(material, name)
    if name == "height":
        return (np.clip(values, 0.0, 1.0) * HEIGHT_LEVELS + 0.5).astype(np.uint16)
    if name == "normal":
        values = values * np.float32(0.5) + np.float32(0.5)
    return to_uint8(values)


def decode_maps(pictures: Mapping[str, Pixels], relief: float) -> Material:
    """The material whose maps are stored so; every one must be there. Grey is taken from the first channel."""
    fields = {name: from_levels(pixels) for name, pixels in pictures.items()}
    grey = {name: field if field.ndim == 2 else field[..., 0] for name, field in fields.items()}
    return Material(
        basecolor=fields["basecolor"][..., :3],
        normal=fields["normal"][..., :3] * np.float32(2) - np.float32(1),
        roughness=grey["roughness"],
        height=grey["height"],
        ao=grey["ao"],
        metallic=grey["metallic"],
        relief=relief,
    )


def to_uint8(values: FloatArray) -> npt.NDArray[np.uint8]:
    """Floats in [0, 1] as the nearest of 256 levels."""
    return (np.clip(values, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def to_levels(values: FloatArray, dtype: npt.DTypeLike) -> Pixels:
    """Floats in [0, 1] as the nearest levels of an unsigned integer type."""
    return (np.clip(values, 0.0, 1.0) * np.float32(np.iinfo(dtype).max) + np.float32(0.5)).astype(dtype)


def from_levels(pixels: Pixels) -> FloatArray:
    """Unsigned integers as float32 in [0, 1]; `to_levels` gives the same integers back."""
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def to_wire(pixels: Pixels) -> Array:
    """An integer image as it travels: C order, little-endian."""
    little = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    return Array(pixels.dtype.name, pixels.shape, little.tobytes())


def from_wire(array: Array) -> Pixels | FloatArray:
    """The NumPy view of an array that came over the wire."""
    return np.frombuffer(array.data, np.dtype(array.dtype).newbyteorder("<")).reshape(array.shape)


def reference(pixels: Pixels, name: str = "") -> ImageRef:
    """How a request names this source picture, ``(H, W, 3 or 4)``."""
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    return ImageRef(digest, width=pixels.shape[1], height=pixels.shape[0], name=name)


def flatten_alpha(pixels: Pixels) -> FloatArray:
    """A source ``(H, W, 3 or 4)`` as ``(H, W, 3)`` float32 in [0, 1].

    Transparent pixels take the mean colour of the opaque ones: black or white there would bleed into the texture.
    """
    image = from_levels(pixels)
    if image.shape[2] == 3:
        return image
    alpha = image[..., 3:]
    weight = float(alpha.sum())
    mean = (image[..., :3] * alpha).sum(axis=(0, 1)) / weight if weight else np.full(3, 0.5)
    filled: FloatArray = image[..., :3] * alpha + mean.astype(np.float32) * (1 - alpha)
    return filled
