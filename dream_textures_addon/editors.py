# SPDX-License-Identifier: GPL-3.0-or-later
"""The editors on the screen: which of them to draw again, and which show a new texture."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .images import RECIPE

_WITH_PANEL = frozenset({"VIEW_3D", "NODE_EDITOR", "IMAGE_EDITOR"})


def redraw_panels() -> None:
    """Draw our panels again; drawing whole editors at every step would be slow."""
    for area in _areas():
        if area.type == "PREFERENCES":
            area.tag_redraw()
        elif area.type in _WITH_PANEL:
            for region in area.regions:
                if region.type == "UI":
                    region.tag_redraw()


def redraw_all() -> None:
    """Draw everything again, since the file has changed."""
    for area in _areas():
        area.tag_redraw()


def show(image: bpy.types.Image) -> None:
    """Show a new texture in those Image Editors that are empty or show an earlier one of ours."""
    for area in _areas():
        space = area.spaces.active
        if isinstance(space, bpy.types.SpaceImageEditor) and not space.use_image_pin:
            shown = space.image
            if shown is None or RECIPE in shown:
                space.image = image


def _areas() -> Iterator[bpy.types.Area]:
    for window in bpy.context.window_manager.windows:
        yield from window.screen.areas
