# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock of words that captions are put together from, by what they say."""

from __future__ import annotations

from dataclasses import dataclass

ADJECTIVES: dict[str, tuple[str, ...]] = {
    "painted": ("painted", "peeling painted", "flaking painted", "enamelled", "repainted"),
    "cracked": ("cracked", "fractured", "fissured", "split"),
    "worn": ("worn", "chipped", "eroded", "rubbed", "worn out"),
    "scratched": ("scratched", "scuffed", "scraped", "gouged"),
    "weathered": ("weathered", "timeworn", "patinated", "weathered"),
    "rusty": ("rusty", "rusted", "rust stained"),
    "dirty": ("dirty", "grimy", "stained", "muddy", "soiled", "oily"),
    "burnt": ("burnt", "scorched", "sooty", "singed"),
    "mossy": ("mossy", "moss covered", "mouldy", "lichened"),
    "polished": ("polished", "glossy", "shiny", "smooth", "satin", "waxed"),
    "rough": ("rough", "bumpy", "matte", "gritty", "rugged", "uneven"),
    "dusty": ("dusty", "chalky", "powdery"),
    "wet": ("wet", "drenched", "rain soaked", "glistening"),
    "snowy": ("snowy", "snow covered", "snow dusted"),
    "frosty": ("frosty", "frozen", "icy"),
}
"""Each modifier's name to adjectives that stand before the noun."""

WITH: dict[str, tuple[str, ...]] = {
    "painted": ("with peeling paint", "under flaking paint", "with chipped paint"),
    "cracked": ("with cracks", "with deep cracks", "with a few fissures"),
    "worn": ("with worn edges", "with chipped edges", ", chipped at the corners"),
    "scratched": ("with scratches", "full of scratches"),
    "weathered": ("with a patina", ", weathered"),
    "rusty": ("with rust stains", "with rust", "with streaks of rust"),
    "dirty": ("with dirt in the joints", "with oil stains", "covered in grime", "with stains"),
    "burnt": ("covered in soot", "with scorch marks"),
    "mossy": ("with moss in the joints", "overgrown with moss", "with patches of lichen", "with some ivy"),
    "polished": (", polished", "with a satin finish"),
    "rough": (", rough",),
    "dusty": ("covered in dust", "under a layer of dust"),
    "wet": ("with puddles", "after rain", "in the rain", ", wet"),
    "snowy": ("covered in snow", "under snow", "with melting snow", "after snowfall"),
    "frosty": ("covered in frost", "with frost", "under rime"),
}
"""Each modifier's name to phrases that follow the noun."""

DEGREES = (
    "slightly", "very", "heavily", "lightly", "somewhat", "barely", "badly", "extremely", "partly", "deeply",
)  # fmt: skip

COMPOUNDS = (
    "old", "old", "ancient", "aged", "antique", "vintage", "abandoned", "rustic", "ruined", "damaged", "broken",
    "crumbling", "grungy", "filthy", "battered", "damp", "overgrown", "distressed", "faded", "neglected", "shabby",
)  # fmt: skip
"""Words that stand for several modifiers at once."""

DENIED = ("without moss", "but no dirt", "without cracks", "with no rust")

OPENINGS = (
    "a seamless texture of", "seamless", "a photo of", "texture of", "close up of", "top down view of",
    "a tileable", "photorealistic", "a", "some", "an image of", "tiling texture of", "flat photo of", "pbr scan of",
)  # fmt: skip

PLACES = (
    "on an old farmhouse", "in a garden", "in a medieval street", "of a roman villa", "in an alley", "at night",
    "in a factory", "in a cathedral", "on a sunny day", "in a city", "on the floor", "at the sea side",
    "from a fantasy game", "in an industrial hall", "of a victorian house", "in a courtyard",
)  # fmt: skip

_NATURAL = (
    "grey", "brown", "beige", "tan", "dark brown", "charcoal", "sandy", "ochre", "rust", "cream", "black", "white",
    "reddish", "slate", "umber", "sienna", "golden", "greenish", "yellow", "pink", "bluish", "light grey",
)  # fmt: skip
_GREENS = (
    "green", "olive", "dark green", "lime", "sage", "forest green", "yellow", "golden", "brown", "reddish",
)  # fmt: skip
_EARTHS = (
    "brown",
    "grey",
    "red",
    "ochre",
    "dark brown",
    "black",
    "sandy",
    "beige",
    "reddish",
    "yellow",
    "umber",
)
_ICY = ("blue", "white", "turquoise", "dark blue", "pale blue", "bluish", "grey", "aqua", "black", "teal")
_SNOWS = ("white", "bluish", "grey", "blue", "pale blue")

_OUTDOOR = (
    "painted", "cracked", "worn", "weathered", "dirty", "mossy", "wet", "snowy", "frosty", "dusty", "rusty", "burnt",
    "polished", "rough", "scratched",
)  # fmt: skip
_INDOOR = ("cracked", "worn", "scratched", "dirty", "polished", "rough", "dusty", "wet", "weathered", "mossy")
_STEEL = (
    "rusty", "scratched", "painted", "worn", "polished", "dirty", "wet", "weathered", "dusty", "burnt", "frosty",
)  # fmt: skip
_SOFT = ("worn", "dirty", "weathered", "dusty", "wet", "rough", "burnt", "frosty", "snowy")
_GROUND = ("wet", "snowy", "frosty", "mossy", "dusty", "rough", "dirty", "weathered", "burnt", "cracked")
_TIMBER = (
    "worn", "weathered", "painted", "scratched", "cracked", "polished", "wet", "mossy", "dirty", "burnt", "dusty",
    "rough", "snowy",
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """What may be said of some families: modifiers, and colours (none named means every colour)."""

    layers: tuple[str, ...]
    colours: tuple[str, ...] = ()


_ANY = Group(_OUTDOOR)
_STONES = Group(_OUTDOOR, _NATURAL)
_METALS = Group(_STEEL)
_CLOTHS = Group(_SOFT)
_EARTH = Group(_GROUND, _EARTHS)
_GREEN = Group(_GROUND, _GREENS)
_WOODS = Group(_TIMBER)
_INSIDE = Group(_INDOOR)
_PADDED = Group((*_SOFT, "polished", "cracked", "scratched"))

GROUPS: dict[str, Group] = {
    "any": _ANY, "rock": _STONES, "gravel": _STONES, "pebbles": _STONES, "cobblestone": _STONES,
    "flagstone": _STONES, "stonewall": _STONES, "asphalt": _STONES, "concrete": _STONES, "granite": _INSIDE,
    "marble": _INSIDE, "terrazzo": _INSIDE, "tiles": _INSIDE, "hexagons": _INSIDE, "metal": _METALS,
    "metalplate": _METALS, "treadplate": _METALS, "corrugated": _METALS, "panels": _METALS, "fabric": _CLOTHS,
    "wool": _CLOTHS, "wood": _WOODS,
    "planks": _WOODS, "bark": Group(("mossy", "wet", "weathered", "snowy", "frosty", "burnt", "rough"), _EARTHS),
    "mud": _EARTH, "dryearth": _EARTH, "sand": _EARTH, "snow": Group(("dirty", "wet", "rough", "frosty"), _SNOWS),
    "thatch": Group(("weathered", "mossy", "wet", "snowy", "dirty", "burnt", "frosty", "worn"), _EARTHS),
    "bamboo": _WOODS, "wicker": Group((*_SOFT, "painted", "polished")), "rope": Group(_SOFT, _NATURAL),
    "carpet": _CLOTHS, "fur": Group(_SOFT, _NATURAL), "cork": Group(_INDOOR, _NATURAL), "quilted": _PADDED,
    "paper": Group(("worn", "dirty", "weathered", "burnt", "wet", "dusty", "painted")), "leather": _PADDED,
    "plastic": Group(("worn", "scratched", "dirty", "dusty", "wet", "weathered", "polished", "burnt", "cracked")),
    "stainedglass": Group(("dirty", "dusty", "cracked", "weathered", "wet", "frosty", "mossy", "scratched")),
    "mesh": _METALS, "ice": Group(("snowy", "cracked", "dirty", "wet", "rough", "scratched", "dusty"), _ICY),
    "lava": Group(("burnt", "dusty", "rough", "cracked", "worn", "weathered"), ("black", "grey", "brown", "reddish")),
    "moss": _GREEN, "grass": _GREEN, "leaves": Group(("wet", "snowy", "frosty", "dirty", "dusty"), _GREENS),
}  # fmt: skip

METALLIC = frozenset(("mesh", "metal", "metalplate", "treadplate", "corrugated"))

STRUCTURES: dict[str, tuple[str, ...]] = {
    "brick": ("herringbone", "basket weave", "stacked", "running bond", "long"),
    "tiles": ("herringbone", "checkered", "chequered", "stacked", "running bond", "long", "basket weave", "irregular"),
    "hexagons": ("checkered", "stylised"), "planks": ("herringbone", "wide", "narrow", "basket weave"),
    "cobblestone": ("round", "square", "irregular"), "flagstone": ("irregular", "square", "rounded"),
    "stonewall": ("irregular", "squared", "rounded"), "fabric": ("twill", "plain"), "sand": ("rippled", "wavy"),
    "grass": ("short", "mown", "lush", "thick", "dry"), "metal": ("brushed", "brushed", "hammered"),
    "gravel": ("rounded", "mixed"), "wool": ("ribbed", "chunky"), "snow": ("windblown",), "leaves": ("dry", "dense"),
    "carpet": ("thick", "dense"), "fur": ("short", "thick"), "mesh": ("long",),
}  # fmt: skip
"""Each family's name to words on bond and shape."""

SUBSTANCES: dict[str, tuple[str, ...]] = {
    "tiles": ("marble", "granite", "limestone", "terrazzo", "wooden", "leather", "concrete", "gold", "copper"),
    "hexagons": ("marble", "granite", "concrete", "wooden", "terrazzo", "brass"),
    "brick": ("concrete", "limestone", "marble"), "flagstone": ("granite", "marble", "sandstone"),
    "cobblestone": ("granite", "basalt"), "stonewall": ("granite", "limestone", "marble"),
}  # fmt: skip
"""Each layout's name to materials that its pieces are cut from."""
