# SPDX-License-Identifier: GPL-3.0-or-later
"""The page ``docs/materials.md``: every material with its sheet and the words that reach it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from generator.procedural import families, lexicon
from generator.procedural.colours import COLOURS, METALS
from generator.procedural.registry import layers

_OPENING = """# Materials that are always there

Dream Textures has a model that needs no download and no graphics card: `builtin:procedural`. It builds a material from
plain words by calculation, with exact maps: base colour, normal, height, roughness, metallic and ambient occlusion. All
of them tile, at any size, and the same words with the same seed give the same material on every machine.

Each sheet below shows four prompts of one material. On the left it is lit, then come the material repeated twice each
way, its base colour, its height and its roughness. Below the sheet stand the words that name the material. Put any of
the other words before or after them: *old mossy red brick wall*, *wet cobblestone with puddles*, *blue painted planks,
peeling*. Words that were not understood are always reported.

The sheets and this page are made by one command, and the networks that come with Dream Textures learn from the same
materials:

```
python -m training.sheets --out docs/images/materials --page docs/materials.md
```
"""

_WEAR = """## Wear, weather and growth

These go over every material and follow its shape. Moss begins in the joints, snow slides off what is steep, rust runs
down from nails and scratches, puddles stand in the low places, and paint comes off the edges first. "slightly",
"very", "heavily" and the like make them weaker or stronger, and "without" keeps them away.

| What | Words |
|---|---|
"""

_SIZE = """## Size, bond and tone

| What | Words |
|---|---|
"""

_COLOUR = """## Colours and metals

A colour word stands for a region of colours rather than for one: each seed draws from around it, by steps that look
equal to the eye, and stays within the name.
"""


def page(path: Path, sheets: Path) -> str:
    """The text of the page that lies at ``path`` and shows the sheets in the folder ``sheets``."""
    folder = Path(os.path.relpath(sheets.resolve(), path.resolve().parent)).as_posix()
    parts = [_OPENING, f"There are {len(families())} materials.\n"]
    for info in families():
        parts.append(f"## {info.words[0].capitalize()}\n")
        parts.append(f"![Four materials of the family {info.name}]({folder}/{info.name}.jpg)\n")
        pieces = " Its pieces can be cut from another material: *marble " + info.words[0] + "*."
        parts.append(_wrapped(f"{', '.join(info.words)}.{pieces if info.layout else ''}") + "\n")
    parts.append(_WEAR + _table((layer.name, layer.words) for layer in layers()))
    parts.append(
        _wrapped(f"Some words stand for several of these at once: {', '.join(lexicon.COMPOUND)}.") + "\n"
    )
    parts.append(_SIZE + _table(lexicon.STRUCTURE.items()))
    parts.append(_COLOUR)
    parts.append(_wrapped(f"Colours: {', '.join(COLOURS)}; and {', '.join(lexicon.COLOUR_SYNONYMS)}.") + "\n")
    parts.append(_wrapped(f"Metals: {', '.join(METALS)}; and {', '.join(lexicon.METAL_SYNONYMS)}."))
    return "\n".join(parts) + "\n"


def _table(rows: Iterable[tuple[str, Iterable[str]]]) -> str:
    return "".join(f"| {name} | {', '.join(words)} |\n" for name, words in rows)


def _wrapped(text: str, width: int = 118) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])
