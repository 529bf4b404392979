# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimator's model card: what it is, what it was trained on, and how far off it is."""

from __future__ import annotations

from collections.abc import Mapping

from training.dataset import HELD_OUT
from training.inventions import FAMILY


def card(about: Mapping[str, str], table: str, measured: int) -> str:
    """The card in Markdown, from the metadata of a file of weights and the table that `training.evaluate` made."""
    families = [name for name in about.get("families", "").split() if name != FAMILY]
    invented = int(about.get("invented", "0"))
    count = int(about.get("materials", "0")) - invented
    trained = f"{count} procedural materials of this repository, of {len(families)} families"
    data = f"`python -m training.dataset --split train --count {count}`"
    if invented:
        trained += f", and {invented} invented surfaces of no family"
        data += f", the same with `--split invented --count {invented}`"
    return f"""# maps

Sees base colour, normal, height, roughness, metallic and ambient occlusion in a picture of a texture. It is the default
of `dream-textures maps` and makes the maps of every diffusion model's textures.

| | |
|---|---|
| kind | a U-Net on the torus, {int(about.get("parameters", "0")):,} parameters, stored in halves |
| widths, blocks | {about.get("widths", "")}; {about.get("blocks", "")} |
| trained on | {trained} |
| never trained on | {", ".join(HELD_OUT)} |
| for | {about.get("step", "?")} steps, {about.get("hours", "?")} hours on processors |
| in | {about.get("history", "one run")} |
| licence | GPL-3.0-or-later, as everything here; no picture of anybody else's was used |
| made again by | {data}, then `{about.get("command", "python -m training.maps")}` |

The families it knows: {", ".join(families)}.

## How far off it is
On {measured} materials of the families that it was never trained on, each in five kinds of light, beside analysis:

{table}

The aim is half of what image analysis leaves, a share of 0.50 in the last column. Where the share is higher it is
missed: the network is better on what resembles what it has learnt, so that more kinds of surfaces, and more training,
are what is wanting. Its relief is too shallow rather than too deep where it is in doubt.

## What it cannot know
How bright the surface would be in another exposure, how deep a relief is that shows no shading, and what procedural
materials do not have: print, writing, people, skin.
"""
