# SPDX-License-Identifier: GPL-3.0-or-later
"""The families and layers that exist, entered by decorators where they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from generator.procedural.description import Description
from generator.procedural.space import Space
from generator.procedural.surface import Surface

FamilyFunction = Callable[[Space, Description], Surface]
LayerFunction = Callable[[Surface, Description, float], None]


@dataclass(frozen=True)
class FamilyInfo:
    """A kind of material, for documentation and for the parser.

    ``words`` name it, phrases included. ``layout`` says that another family can fill its pieces. ``native`` are
    the colours that it has by itself: any other colour is painted on, unless ``native`` is empty. ``upright`` says
    that it usually stands, as a wall does, rather than lies.
    """

    name: str
    words: tuple[str, ...]
    example: str
    layout: bool = False
    native: tuple[str, ...] = ()
    upright: bool = False


@dataclass(frozen=True)
class LayerInfo:
    """A modifier that goes over any family; layers are applied in the order of ``order``."""

    name: str
    words: tuple[str, ...]
    order: int


_families: dict[str, tuple[FamilyInfo, FamilyFunction]] = {}
_layers: dict[str, tuple[LayerInfo, LayerFunction]] = {}


def _split(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(","))


def family(
    name: str,
    words: str,
    example: str,
    layout: bool = False,
    native: tuple[str, ...] = (),
    upright: bool = False,
) -> Callable[[FamilyFunction], FamilyFunction]:
    """Enter a function as the family ``name``; ``words`` are separated by commas, in the singular."""

    def enter(function: FamilyFunction) -> FamilyFunction:
        _families[name] = FamilyInfo(name, _split(words), example, layout, native, upright), function
        return function

    return enter


def layer(name: str, words: str, order: int) -> Callable[[LayerFunction], LayerFunction]:
    """Enter a function as the modifier ``name``; ``words`` are separated by commas."""

    def enter(function: LayerFunction) -> LayerFunction:
        _layers[name] = LayerInfo(name, _split(words), order), function
        return function

    return enter


def families() -> tuple[FamilyInfo, ...]:
    """All families, by name."""
    return tuple(_families[name][0] for name in sorted(_families))


def layers() -> tuple[LayerInfo, ...]:
    """All modifiers, in the order in which they are applied."""
    return tuple(sorted((info for info, _ in _layers.values()), key=lambda info: (info.order, info.name)))


def family_info(name: str) -> FamilyInfo:
    return _families[name][0]


def build(name: str, space: Space, description: Description) -> Surface:
    """The bare material of that family."""
    info, function = _families[name]
    surface = function(space, description)
    surface.upright = info.upright
    return surface


def apply(name: str, surface: Surface, description: Description, amount: float) -> None:
    """Put one modifier over the surface."""
    maps = ("colour", "height", "roughness", "metallic")
    before = {key: getattr(surface, key).copy() for key in maps} if surface.void is not None else {}
    _layers[name][1](surface, description, amount)
    for key, old in before.items():
        new = getattr(surface, key)
        new += (old - new) * surface.void
    surface.settle()
