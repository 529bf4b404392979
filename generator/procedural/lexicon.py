# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that belong to no single family or layer."""

from __future__ import annotations

_SMALL_WORDS = """
a an the and or of with in on at to from by for as is it its this that some any made covered look looks
looking like style styled wall walls floor floors surface surfaces texture textures textured material
materials pattern patterned seamless seamlessly tileable tiling repeating pbr photo photos photograph
photography photographic photorealistic realistic real picture image render rendered rendering close up
closeup macro top down view topdown overhead high low quality resolution res detail details detailed highly
hd uhd best masterpiece sharp focus flat lit even lighting light's diffuse albedo map maps scan scanned
photoscan background full frame please make create generate want need i my very really quite just also over
between around under where outdoor outdoors indoor indoors exterior interior natural nature building house
street medieval modern beautiful nice game ready asset 3d cgi art hand area areas patch patches spot spots
mediterranean japanese chinese egyptian moroccan italian french english british irish scottish spanish
portuguese german dutch greek roman victorian georgian gothic asian european american african indian turkish
persian arabic mexican london paris venetian tuscan nordic scandinavian oriental colonial provencal nyc manhattan
traditional classic classical typical common everyday elegant luxury luxurious expensive cheap fancy cosy cozy
garden driveway cover door doors gate window sofa chair furniture jacket bag sack garage warehouse
factory industrial urban city village farm farmhouse church cathedral temple palace villa cottage hotel shop
cellar basement prison tower bridge tunnel ruins station corridor room hall hallway entrance stairs step
 beam beams bar bars object prop props
environment scene fantasy horror rpg unreal unity blender substance studio shot scanned megascans
vfx film cinematic arena level tall century 16th 17th 18th 19th 20th aaa ultra hyper hyperrealistic
precast formed poured cast laid built dead fallen scattered lying growing covering coated filled filling
visible here there near along across onto up off side front back bottom middle centre center edges edge
corner corners rows row lines between joints joint grout mortar seam seams gaps gap veins vein veined grain grained
stepping sunny sunlit summer spring night day morning evening northern southern tropical alpine
coastal ocean sea seaside lake underwater good
bit bits lot lots path paths fallen chip chips lush chunky alley courtyard yard facade roofing sheet sheets
piece pieces part parts layer layers mark marks finish few after before sun soft crust streak streaks day
colour color coloured colored tone toned tones
"""

STOP = frozenset(_SMALL_WORDS.split())
"""Words that say nothing about the material; they are neither understood nor unknown."""

STRENGTHS = {
    "barely": 0.3, "slightly": 0.45, "subtly": 0.45, "subtle": 0.45, "lightly": 0.55, "little": 0.55,
    "faintly": 0.4, "somewhat": 0.65, "partly": 0.65, "partially": 0.65, "moderately": 0.8, "rather": 0.9,
    "very": 1.4, "heavily": 1.5, "strongly": 1.4, "much": 1.3, "really": 1.3, "badly": 1.4, "deeply": 1.4,
    "extremely": 1.7, "completely": 1.8, "totally": 1.8, "fully": 1.7, "super": 1.5, "severely": 1.5,
    "heavy": 1.4, "strong": 1.3, "thickly": 1.4, "densely": 1.4,
}  # fmt: skip
"""Words that strengthen or weaken the modifier after them."""

DENIALS = frozenset(("no", "without", "not", "never", "non"))

COMPOUND: dict[str, tuple[tuple[str, float], ...]] = {
    "old": (("weathered", 0.7), ("worn", 0.6)), "ancient": (("weathered", 1.2), ("worn", 1.1), ("mossy", 0.3)),
    "aged": (("weathered", 0.8), ("worn", 0.6)), "antique": (("weathered", 0.7), ("worn", 0.6)),
    "vintage": (("weathered", 0.5), ("worn", 0.5)), "abandoned": (("weathered", 1.0), ("dirty", 0.8)),
    "derelict": (("weathered", 1.0), ("dirty", 0.9), ("cracked", 0.6)), "rustic": (("weathered", 0.6), ("worn", 0.6)),
    "ruined": (("weathered", 1.0), ("worn", 1.2), ("cracked", 0.8)), "ruin": (("weathered", 1.0), ("worn", 1.2)),
    "damaged": (("worn", 1.2), ("cracked", 0.8)), "broken": (("cracked", 1.2), ("worn", 0.8)),
    "destroyed": (("cracked", 1.5), ("worn", 1.5)), "crumbling": (("worn", 1.4), ("cracked", 0.7)),
    "grungy": (("dirty", 1.0), ("weathered", 0.6)), "grunge": (("dirty", 1.0), ("weathered", 0.6)),
    "filthy": (("dirty", 1.5),), "battered": (("worn", 1.1), ("scratched", 0.9)),
    "rainy": (("wet", 0.8),), "soaked": (("wet", 1.4),), "flooded": (("wet", 1.8),), "damp": (("wet", 0.4),),
    "moist": (("wet", 0.4),), "winter": (("snowy", 0.8),), "wintry": (("snowy", 0.8),),
    "overgrown": (("mossy", 1.4),), "corroded": (("rusty", 1.3), ("worn", 0.5)), "oxidised": (("rusty", 0.8),),
    "oxidized": (("rusty", 0.8),), "charred": (("burnt", 1.3),), "distressed": (("worn", 1.0), ("scratched", 0.5)),
    "faded": (("weathered", 0.8),), "bleached": (("weathered", 1.0),),
    "forgotten": (("weathered", 0.9), ("dirty", 0.6)), "tarnished": (("weathered", 0.8),),
    "crackle glaze": (("cracked", 0.8), ("polished", 0.8)),
    "oxidized copper": (("weathered", 1.5),),
    "corten": (("rusty", 1.6),), "cor ten": (("rusty", 1.6),), "corten steel": (("rusty", 1.6),),
    "weathering steel": (("rusty", 1.6),), "decayed": (("weathered", 1.0), ("worn", 0.9), ("dirty", 0.5)),
    "decaying": (("weathered", 1.0), ("worn", 0.9), ("dirty", 0.5)), "decrepit": (("weathered", 1.0), ("worn", 1.0)),
    "rotten": (("weathered", 1.1), ("worn", 1.0), ("mossy", 0.4)), "rotting": (("weathered", 1.1), ("worn", 1.0)),
    "post apocalyptic": (("weathered", 1.0), ("dirty", 0.9), ("worn", 0.9)),
    "apocalyptic": (("dirty", 1.0), ("worn", 1.0)),
    "neglected": (("weathered", 0.9), ("dirty", 0.7)), "shabby": (("worn", 0.9), ("weathered", 0.6)),
    "time worn": (("worn", 0.9), ("weathered", 0.7)), "historic": (("weathered", 0.6), ("worn", 0.6)),
    "haunted": (("weathered", 0.9), ("dirty", 0.7)), "trodden": (("worn", 0.8), ("dirty", 0.5)),
    "smashed": (("cracked", 1.5), ("worn", 1.0)), "war torn": (("cracked", 1.2), ("worn", 1.4), ("dirty", 0.8)),
    "verdigris": (("weathered", 1.2),), "jungle": (("mossy", 0.8),), "swampy": (("wet", 1.0), ("mossy", 0.6)),
    "arctic": (("snowy", 0.9),), "icy snow": (("snowy", 0.9),), "sun bleached": (("weathered", 1.0),),
}  # fmt: skip
"""Words that stand for several modifiers at once."""

COLOUR_SYNONYMS = {
    "gray": "grey", "greyish": "grey", "grayish": "grey", "cyan": "cyan", "fuchsia": "magenta", "plum": "purple",
    "chalk": "white", "coal": "black", "lava rock": "charcoal", "volcanic rock": "charcoal",
    "volcanic stone": "charcoal",
    "volcanic": "charcoal", "basalt": "charcoal", "obsidian": "black", "mars": "rust", "martian": "rust",
    "moon": "grey",
    "lunar": "grey", "sandstone": "sandy", "sandstone block": "sandy", "sandstone wall": "sandy",
    "limestone block": "cream", "limestone wall": "cream", "terracotta tile": "terracotta",
    "terracotta floor": "terracotta", "terra cotta": "terracotta", "cotto": "terracotta", "quarry tile": "terracotta",
    "pool tile": "aqua", "swimming pool": "aqua", "malachite": "emerald", "jade stone": "jade", "salt flat": "ivory",
    "salt lake": "ivory", "shou sugi ban": "charcoal", "yakisugi": "charcoal", "pumice": "grey", "calacatta": "white",
    "carrara": "white", "statuario": "white", "driftwood": "grey", "dead grass": "tan", "teak": "amber",
    "maple": "cream",
    "cedar": "sienna", "walnut wood": "chocolate", "cherry wood": "sienna", "ash wood": "beige",
    "birch wood": "beige",
    "redwood": "sienna", "rosewood": "burgundy", "wenge": "chocolate", "beech": "peach", "eggshell": "ivory",
    "ecru": "beige", "taupe": "tan", "blackish": "charcoal", "blonde": "sandy", "denim blue": "blue",
    "gunmetal": "graphite",
    "rusty red": "rust", "brick coloured": "terracotta", "ash": "grey", "smoke": "grey", "chartreuse": "lime",
    "bottle green": "forest", "racing green": "forest", "duck egg": "mint", "cognac": "sienna", "oxblood": "burgundy",
    "midnight": "navy", "midnight blue": "navy", "powder blue": "sky", "pale blue": "sky", "steel blue": "slate",
    "wine": "burgundy", "cherry": "crimson", "ruby": "crimson", "sapphire": "cobalt", "ultramarine": "cobalt",
    "petrol": "teal", "cerulean": "azure", "lilac": "lavender", "mauve": "lavender", "buff": "beige",
    "sand coloured": "sandy", "sand colored": "sandy", "honey": "amber", "caramel": "tan", "chestnut": "sienna",
    "espresso": "chocolate", "coffee": "chocolate", "walnut": "chocolate", "mahogany": "sienna", "oak": "tan",
    "pine": "sandy", "birch": "beige", "ebony": "black", "jet": "black", "ash grey": "grey", "off white": "ivory",
    "offwhite": "ivory", "turquois": "turquoise", "verdigris": "mint", "ocher": "ochre", "charcoal grey": "charcoal",
    "dark grey": "charcoal", "dark gray": "charcoal", "light grey": "silver", "light gray": "silver",
    "sky blue": "sky", "navy blue": "navy", "forest green": "forest", "olive green": "olive",
    "blood red": "crimson", "brick red": "red", "lime green": "lime", "mint green": "mint", "sage green": "sage",
    "emerald green": "emerald", "royal blue": "cobalt", "baby blue": "sky", "dark brown": "chocolate",
    "light brown": "tan", "dark green": "forest", "dark blue": "navy", "dark red": "maroon",
}  # fmt: skip

METAL_SYNONYMS = {
    "aluminum": "aluminium",
    "golden metal": "gold",
    "stainless": "steel",
    "stainless steel": "steel",
    "galvanised": "zinc",
    "galvanized": "zinc",
    "chromed": "chrome",
    "cast iron": "iron",
    "wrought iron": "iron",
    "gold leaf": "gold",
    "gold foil": "gold",
    "gilded": "gold",
    "gilt": "gold",
    "silver leaf": "silver",
    "copper leaf": "copper",
    "rose gold": "copper",
    "tin foil": "aluminium",
    "aluminium foil": "aluminium",
    "corten steel": "iron",
    "weathering steel": "iron",
    "corten": "iron",
    "cor ten": "iron",
    "gunmetal grey": "lead",
    "blued steel": "lead",
    "pewter": "tin",
    "nickel": "titanium",
    "anodised": "aluminium",
    "anodized": "aluminium",
    "oxidized copper": "copper",
    "oxidised copper": "copper",
}

STRUCTURE: dict[str, tuple[str, ...]] = {
    "large": ("large", "big", "wide", "broad", "coarse", "chunky", "larger"),
    "huge": ("huge", "giant", "massive", "enormous"),
    "small": ("small", "narrow", "fine", "little", "smaller", "thin"),
    "tiny": ("tiny", "miniature", "mini", "mosaic", "glass mosaic", "mosaic tile", "micro"),
    "herringbone": ("herringbone", "chevron"), "basket": ("basket", "basketweave", "basket weave"),
    "stacked": ("stacked", "stack", "grid", "stack bond", "aligned"),
    "running": ("running bond", "stretcher bond", "offset", "subway tile", "metro tile", "brick bond", "staggered"),
    "random": ("random", "irregular", "ashlar", "mixed"), "regular": ("regular", "uniform"),
    "checkered": ("checkered", "chequered", "checkerboard", "chessboard", "checker", "chequer"),
    "dark": ("dark", "deep", "darker"), "light": ("light", "pale", "bright", "pastel", "lighter"),
    "vivid": ("vivid", "saturated", "colourful", "colorful"), "muted": ("muted", "dull", "desaturated"),
    "round": ("round", "rounded", "river", "circular"), "square": ("square", "squared", "rectangular"),
    "long": ("long", "elongated"), "deep joints": ("raked",),
    "stylised": ("stylised", "stylized", "cartoon", "hand painted", "handpainted", "toon"),
    "plain": ("clean", "new", "pristine", "fresh", "simple", "plain", "brand new", "immaculate", "spotless",
              "flawless"),
    "brushed": ("brushed",), "hammered": ("hammered", "beaten", "dented", "dimpled"),
    "twill": ("twill", "herringbone tweed"), "ribbed": ("ribbed",),
    "wavy": ("wavy", "rippled", "ripples", "ripple", "windblown", "wind blown", "undulating"),
    "dry": ("dry", "dried", "arid"), "thick": ("thick", "dense", "lush"),
    "short": ("short", "trimmed", "mown", "cut"),
}  # fmt: skip
"""Words on size, bond and tone, under the name that families ask for."""
