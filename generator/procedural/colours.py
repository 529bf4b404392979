# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours by name, and palettes sampled around them in OKLab, where equal steps look equal.

OKLab: B. Ottosson, "A perceptual color space for image processing" (2020).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.procedural.space import Space

_TO_LMS = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
_TO_LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip

COLOURS: dict[str, tuple[str, ...]] = {
    "red": ("a3271f", "96302a"), "crimson": ("8c1128",), "scarlet": ("b5261a",), "maroon": ("571a1e",),
    "burgundy": ("561426",), "orange": ("c8641c", "bf5a20"), "terracotta": ("b0603f", "a85838"),
    "rust": ("8a4522",), "yellow": ("d0a528", "c99b2e"), "mustard": ("b58a24",), "ochre": ("b07a2e",),
    "amber": ("c07f1c",), "gold": ("c9a04a",), "golden": ("c79a42",), "beige": ("c3b091", "cbb99a"),
    "cream": ("ddd2b4",), "ivory": ("e0dac6",), "tan": ("b58f66",), "khaki": ("9c8e5e",), "sandy": ("c2a878",),
    "brown": ("6b4630", "5f3e2b"), "chocolate": ("43291d",), "umber": ("5a4030",), "sienna": ("8b4c2a",),
    "olive": ("66682f",), "green": ("3f7038", "38693d"), "lime": ("88b02e",), "emerald": ("12784e",),
    "mint": ("9fd0b0",), "sage": ("8f9f7e",), "forest": ("2a4a2a",), "jade": ("3f8a68",), "teal": ("1f6b6b",),
    "turquoise": ("35a39c", "2f9a98"), "aqua": ("45b0b8",), "cyan": ("2fa3b8",), "blue": ("2a5298", "2c5c9e"),
    "navy": ("1b2747",), "azure": ("3f86c8",), "cobalt": ("1f459a",), "indigo": ("33307a",),
    "sky": ("80b2d8",), "violet": ("61418f",), "purple": ("63327a", "5a3578"), "lavender": ("a497c8",),
    "magenta": ("a02a78",), "pink": ("d593a2", "cf8a9c"), "rose": ("c06a78",), "salmon": ("d08870",),
    "coral": ("d06a56",), "peach": ("deb091",), "white": ("dedcd6", "e2e0dc"), "black": ("2a2a2c", "262627"),
    "grey": ("80807e", "868684"), "charcoal": ("3a3b3d",), "slate": ("56606a",), "silver": ("b8babd",),
    "graphite": ("47494c",), "anthracite": ("34373a",),
}  # fmt: skip
"""Colour words to typical swatches of painted or natural surfaces, in sRGB hex."""

METALS: dict[str, str] = {
    "iron": "8f8b88", "steel": "a8a9aa", "aluminium": "d0d2d4", "silver": "e6e2dc", "gold": "f3c566",
    "copper": "dc9a7e", "brass": "d9b878", "bronze": "a8825a", "titanium": "a39c94", "chrome": "b8bbbd",
    "lead": "77797d", "zinc": "b4b8bb", "tin": "c4c2be",
}  # fmt: skip
"""Metal words to the reflectance at normal incidence, in sRGB hex (after published measured values)."""


def rgb(text: str) -> FloatArray:
    """``"a3271f"`` as sRGB in [0, 1], ``(3,)``."""
    return np.array([int(text[k : k + 2], 16) / 255 for k in (0, 2, 4)], np.float32)


def _linear(srgb: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    srgb = np.asarray(srgb, np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)


def _encoded(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def oklab(srgb: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """sRGB ``(..., 3)`` in [0, 1] to OKLab ``(..., 3)``."""
    return np.cbrt(_linear(srgb) @ _TO_LMS.T) @ _TO_LAB.T


def from_oklab(lab: npt.NDArray[np.floating]) -> FloatArray:
    """OKLab ``(..., 3)`` to sRGB ``(..., 3)``, clipped into the gamut."""
    lms = (np.asarray(lab, np.float64) @ np.linalg.inv(_TO_LAB).T) ** 3
    return _encoded(lms @ np.linalg.inv(_TO_LMS).T).astype(np.float32)


def shade(colour: FloatArray, lightness: float = 0.0, chroma: float = 1.0, hue: float = 0.0) -> FloatArray:
    """The colour ``(..., 3)`` with OKLab lightness added, chroma multiplied, hue turned by degrees."""
    lab = oklab(colour)
    lab[..., 0] += lightness
    turn = np.deg2rad(hue)
    a, b = lab[..., 1] * chroma, lab[..., 2] * chroma
    lab[..., 1] = a * np.cos(turn) - b * np.sin(turn)
    lab[..., 2] = a * np.sin(turn) + b * np.cos(turn)
    return from_oklab(lab)


def scatter(
    space: Space, salt: str, bases: FloatArray, count: int,
    lightness: float = 0.04, chroma: float = 0.15, hue: float = 6.0,
) -> FloatArray:  # fmt: skip
    """``(count, 3)`` sRGB colours strewn around the ``bases`` ``(n, 3)``, each base with an equal share.

    ``lightness`` is a standard deviation in OKLab, ``chroma`` a relative one, ``hue`` one in degrees.
    """

    def bell(name: str) -> FloatArray:
        total = sum(space.each(f"{salt}/{name}{k}", count) for k in range(3))
        return (np.asarray(total) - 1.5) * 2

    which = (space.each(f"{salt}/base", count) * len(bases)).astype(np.intp)
    lab = oklab(bases[which])
    turn = np.deg2rad(hue) * bell("hue")
    richer = np.maximum(1 + chroma * bell("chroma"), 0)
    a, b = lab[:, 1] * richer, lab[:, 2] * richer
    lab[:, 0] += lightness * bell("lightness")
    lab[:, 1], lab[:, 2] = a * np.cos(turn) - b * np.sin(turn), a * np.sin(turn) + b * np.cos(turn)
    return from_oklab(lab)


def wander(space: Space, salt: str, colour: FloatArray) -> FloatArray:
    """The colour moved a little, by the seed: no two textures use quite the same red."""
    return shade(
        colour, space.pick(f"{salt}/l", -0.025, 0.025), space.pick(f"{salt}/c", 0.88, 1.12),
        space.pick(f"{salt}/h", -5, 5),
    )  # fmt: skip


_BASIC = (
    "a82a22", "c8681e", "d0ac2c", "3f7a3a", "2c5ca0", "64357c", "d592a4", "6a4830", "242426", "82827f", "e2e0dc",
)  # fmt: skip
"""One swatch of each basic colour term (B. Berlin and P. Kay, 1969): red, orange, yellow, green and so on."""

_OWN_NAME = 0.06
"""A swatch within so much of a basic colour, in OKLab, has that colour's name and no other."""

_REACH = (0.055, 0.2, 9.0)
"""How far around a named swatch colours are drawn: OKLab lightness, share of the chroma, degrees of hue."""


def sampled(space: Space, salt: str, names: tuple[str, ...]) -> FloatArray:
    """Colours ``(n, 3)`` drawn by the seed from the region around each swatch of the named colours, in OKLab.

    However far they are drawn, they stay nearer to the basic colours that their own swatch lies by than to any other,
    so that a red does not become an orange.
    """
    bases = swatches(names)
    basic = oklab(np.stack([rgb(text) for text in _BASIC]))

    def nearest(colour: FloatArray, count: int) -> list[int]:
        return np.square(basic - oklab(colour)).sum(axis=1).argsort()[:count].tolist()

    drawn = []
    for number, base in enumerate(bases):
        light, chroma, hue = (
            reach * (2 * float(space.random(f"{salt}/sample-{axis}", number)[0]) - 1)
            for axis, reach in zip("lch", _REACH, strict=True)
        )
        off = np.sqrt(np.square(basic - oklab(base)).sum(axis=1).min())
        # A colour between basic ones, as tan is, may go towards any of them.
        allowed = nearest(base, 1 if off < _OWN_NAME else 3)
        # The first that is still of the same name; with nothing left of the move that is the swatch itself.
        moved = (shade(base, light * k, 1 + chroma * k, hue * k) for k in (1.0, 0.66, 0.33, 0.0))
        drawn.append(next(colour for colour in moved if nearest(colour, 1)[0] in allowed))
    return np.stack(drawn)


def swatches(names: tuple[str, ...]) -> FloatArray:
    """All swatches of the named colours, ``(n, 3)``, each name with the same number of them."""
    widest = max(len(COLOURS[name]) for name in names)
    chosen = [COLOURS[name][k % len(COLOURS[name])] for name in names for k in range(widest)]
    return np.stack([rgb(text) for text in chosen])
