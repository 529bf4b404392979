# SPDX-License-Identifier: GPL-3.0-or-later
"""The four prompts of each material's contact sheet: its example, and three that show how far it goes."""

from __future__ import annotations

import zlib

import numpy as np

from generator.procedural.registry import FamilyInfo
from training.captions import caption

_MORE: dict[str, tuple[str, str, str]] = {
    "asphalt": ("new dark asphalt", "old road with moss in the joints", "dusty grey tarmac"),
    "bamboo": ("green bamboo", "weathered grey bamboo wall", "dark polished bamboo"),
    "bark": ("pine bark", "snowy bark", "rough grey tree trunk"),
    "brick": ("old white painted brick, peeling", "long grey bricks", "herringbone brick paving, wet"),
    "carpet": ("red shag carpet", "dirty beige carpet", "navy carpet"),
    "cobblestone": ("mossy round cobblestone", "snowy cobblestone", "square granite setts"),
    "concrete": ("board formed concrete", "rusty concrete wall", "exposed aggregate"),
    "cork": ("dark cork floor", "large cork", "old dirty cork board"),
    "corrugated": ("clean corrugated steel", "old green painted corrugated iron", "snowy metal roof"),
    "dryearth": ("salt flat", "red cracked clay", "large cracked mud with moss"),
    "fabric": ("linen", "red twill fabric", "dirty burlap"),
    "flagstone": ("slate tiles, wet", "sandstone paving", "old marble flagstone"),
    "fur": ("white fur", "short black fur", "golden animal fur, wet"),
    "granite": ("pink granite", "grey granite", "rough green granite"),
    "grass": ("dry yellow grass", "short mown lawn", "frosty grass"),
    "gravel": ("wet brown gravel", "large white crushed stone", "mossy gravel"),
    "hexagons": ("white marble hexagon tiles", "dirty green hexagons", "tiny black and white hexagon tiles"),
    "ice": ("snowy white ice", "dark blue frozen lake", "dirty ice"),
    "lava": ("grey lava with ash", "large lava flow", "tiny molten lava"),
    "leather": ("black polished leather", "cracked old red leather", "tan suede"),
    "leaves": ("green leaves", "wet brown dead leaves", "frosty autumn leaves"),
    "marble": ("black marble", "green marble", "worn pink marble"),
    "mesh": ("clean brass perforated metal", "rusty grating", "black painted speaker grille"),
    "metal": ("brushed aluminium", "hammered copper", "weathered bronze"),
    "metalplate": ("clean riveted steel plate", "peeling blue painted metal plate", "brass armour"),
    "moss": ("dry moss", "wet dark green moss", "large mossy ground with dust"),
    "mud": ("dry soil", "forest floor with moss", "snowy ground"),
    "panels": ("clean grey sci-fi panels", "rusty orange spaceship hull", "dark tech panels, scratched"),
    "paper": ("white crumpled paper", "cardboard", "burnt parchment"),
    "pebbles": ("white beach pebbles", "mossy river stones", "large dusty brown pebbles"),
    "planks": ("wide oak planks", "old barn wood", "herringbone parquet, polished"),
    "plaster": ("clean white plaster", "peeling blue paint on plaster", "cracked dirty stucco"),
    "plastic": ("black rubber", "clean white plastic", "dirty scratched blue plastic"),
    "quilted": ("white padded wall", "worn brown chesterfield", "green quilt"),
    "rock": ("sandstone cliff", "black volcanic rock, wet", "snowy rock"),
    "rooftiles": ("clean terracotta roof", "snowy roof tiles", "old grey roof tiles"),
    "rope": ("white rope", "wet dark rope", "blue cord, frayed"),
    "sand": ("white beach sand", "wet brown sand", "red desert"),
    "shingles": ("mossy wood shingles", "green fish scale tiles", "snowy slate roof"),
    "snow": ("dirty snow", "windblown snow", "wet melting snow"),
    "stainedglass": ("blue stained glass", "dirty amber leaded glass", "small green stained glass"),
    "stonewall": ("dry stone wall with snow", "clean sandstone blocks", "castle wall with lichen, wet"),
    "terrazzo": ("black terrazzo", "green terrazzo with large chips", "worn pink terrazzo"),
    "thatch": ("golden straw", "mossy thatch", "snowy thatched roof"),
    "tiles": ("old blue tiles, cracked", "checkered marble tiles", "irregular green tiles, dirty"),
    "treadplate": ("clean aluminium diamond plate", "rusty tread plate", "yellow painted checker plate"),
    "wicker": ("white painted wicker", "golden rattan", "dark wicker, dusty"),
    "wood": ("oak wood", "grey driftwood, cracked", "red painted wood, peeling"),
    "wool": ("red wool", "tiny grey knit", "navy sweater, dirty"),
}  # fmt: skip


def prompts_of(info: FamilyInfo) -> list[tuple[str, int]]:
    """Four prompts with a seed each, the same at every run; captions where nobody has chosen any."""
    rng = np.random.default_rng(zlib.crc32(info.name.encode()))
    more = _MORE.get(info.name) or tuple(caption(info.name, rng) for _ in range(3))
    return [(prompt, number + 1) for number, prompt in enumerate((info.example, *more))]
