# SPDX-License-Identifier: GPL-3.0-or-later
"""Which colour of which material is never named in training, so that the judges can ask for what was not learnt.

A rule by family and group of colours, not by word: where turquoise wood is held out, teal planks of it are as well.
"""

from __future__ import annotations

import zlib
from functools import cache

from generator import procedural

GROUPS: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson", "scarlet", "maroon", "burgundy"),
    "orange": ("orange", "terracotta", "rust"),
    "yellow": ("yellow", "mustard", "ochre", "amber", "gold", "golden"),
    "green": ("green", "olive", "lime", "emerald", "mint", "sage", "forest", "jade"),
    "turquoise": ("turquoise", "teal", "aqua", "cyan"),
    "blue": ("blue", "navy", "azure", "cobalt", "indigo", "sky"),
    "purple": ("purple", "violet", "lavender", "magenta"),
    "pink": ("pink", "rose", "salmon", "coral", "peach"),
    "brown": ("brown", "chocolate", "umber", "sienna"),
    "beige": ("beige", "cream", "ivory", "tan", "khaki", "sandy"),
    "white": ("white",),
    "grey": ("grey", "slate", "silver"),
    "black": ("black", "charcoal", "graphite", "anthracite"),
}
"""All colour words of `generator.procedural.colours.COLOURS`, by what a reader of colours can tell apart."""

PLAINEST: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson"), "orange": ("orange",), "yellow": ("yellow",), "green": ("green", "emerald"),
    "turquoise": ("turquoise", "teal"), "blue": ("blue", "cobalt"), "purple": ("purple", "violet"),
    "pink": ("pink",), "brown": ("brown",), "beige": ("beige", "cream"), "white": ("white",), "grey": ("grey",),
    "black": ("black",),
}  # fmt: skip
"""The words of each group by which judges ask: none that lies between two groups."""

_STRIKING = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")
"""Groups that may be held out; everybody needs the others of every material."""

_OWN: dict[str, tuple[str, ...]] = {
    "bamboo": ("green", "yellow"), "bark": ("orange",), "brick": ("red", "orange", "yellow"), "cork": ("orange",),
    "dryearth": ("red", "orange"), "fabric": ("blue", "red"), "flagstone": ("orange",), "fur": ("orange",),
    "grass": ("green", "yellow"), "ice": ("blue", "turquoise"), "lava": ("red", "orange"),
    "leather": ("red", "orange"), "leaves": ("green", "yellow", "orange", "red"), "moss": ("green", "yellow"),
    "mud": ("red", "orange"), "paper": ("yellow",), "planks": ("orange",), "plaster": ("yellow", "orange"),
    "rock": ("orange",), "rooftiles": ("red", "orange"), "rope": ("yellow",), "sand": ("yellow", "orange"),
    "snow": ("blue",), "thatch": ("yellow", "orange"),
    "tiles": ("turquoise", "blue", "green"), "wicker": ("orange", "yellow"), "wood": ("orange", "red"),
}  # fmt: skip
"""What a material is by itself, or is made in everywhere, is never held out: a brick must have been red."""

_NAMED = {"wood": "turquoise", "planks": "turquoise", "brick": "turquoise", "moss": "purple"}
_EACH = 3
"""Groups held out of each family."""


_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}


def group_of(colour: str) -> str:
    """The group of a colour word. Raises ``KeyError`` for a word that is no colour."""
    return _GROUP_OF[colour]


@cache
def held_groups(family: str) -> frozenset[str]:
    """The groups of colours that this family is never seen in, as far as words say."""
    ranked = sorted(
        (group for group in _STRIKING if group not in _OWN.get(family, ())),
        key=lambda group: (group != _NAMED.get(family), zlib.crc32(f"{family}/{group}".encode())),
    )
    return frozenset(ranked[:_EACH])


def is_held_out(text: str) -> bool:
    """Whether these words name a colour together with a material that are not to be learnt together."""
    read = procedural.parse(text)
    families = {read.family, read.inlay} - {None}
    groups = {group_of(colour) for colour in read.colours}
    return any(groups & held_groups(str(family)) for family in families)


def held_pairs() -> tuple[tuple[str, str], ...]:
    """All ``(family, group)`` that are held out, by name."""
    return tuple(
        (info.name, group) for info in procedural.families() for group in sorted(held_groups(info.name))
    )
