# SPDX-License-Identifier: GPL-3.0-or-later
"""The editors on the screen: which of them to draw again, and which show a new texture."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .images import RECIPE

REPEATS = 3
_MARGIN = 0.97  # so that the outermost border is seen as well
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
    for _area, space in _image_editors():
        shown = space.image
        if not space.use_image_pin and (shown is None or RECIPE in shown):
            space.image = image


def show_in_place_of(original: bpy.types.Image, image: bpy.types.Image, editor: int | None) -> None:
    """Show an image three by three where the original is shown: in this editor if it still is, else in all."""
    for area, space in _showing(original, editor):
        space.image = image
        show_repeats(area, True)


def replace(original: bpy.types.Image, image: bpy.types.Image, editor: int | None) -> None:
    """Show an image where the original is shown: in this editor if it still is, else in all."""
    for _area, space in _showing(original, editor):
        space.image = image


def show_repeats(area: bpy.types.Area, repeated: bool) -> None:
    """Show an Image Editor's image alone, or with repeats and so small that three by three are seen.

    The view stays where it is: repeats reach as far as the editor. Nothing here calls one of Blender's operators in a
    borrowed context: Blender looks up each member of a context that `Context.temp_override` has made while the
    interpreter is not locked, and crashes where another thread runs Python meanwhile, as the generator's do.
    """
    space = area.spaces.active
    assert isinstance(space, bpy.types.SpaceImageEditor)
    space.show_repeat = repeated
    zoom = _fitting(area, space)
    if zoom:
        space.zoom_percentage = 100 * zoom / (REPEATS if repeated else 1)


def centre(area: bpy.types.Area) -> None:
    """Put the image into the middle of what no sidebar covers, in the editor whose context this is."""
    space = area.spaces.active
    assert isinstance(space, bpy.types.SpaceImageEditor)
    if not _fitting(area, space):
        return
    zoom = space.zoom_percentage / 100
    region = _window_region(area)
    left, right = _uncovered(area, region)
    bpy.ops.image.view_all("EXEC_REGION_WIN")  # it puts the image into the middle of the region
    space.zoom_percentage = 100 * zoom
    aside = region.x + region.width / 2 - (left + right) / 2
    bpy.ops.image.view_pan("EXEC_REGION_WIN", offset=(aside / zoom, 0.0))


def _fitting(area: bpy.types.Area, space: bpy.types.SpaceImageEditor) -> float:
    """The zoom at which the whole image is seen, or 0 where there is none or nothing is drawn."""
    if bpy.app.background:
        return 0.0  # the view has no size
    region = _window_region(area)
    left, right = _uncovered(area, region)
    width, height = space.image.size if space.image is not None else (0, 0)
    if not (width and height and right > left):
        return 0.0
    return _MARGIN * min((right - left) / width, region.height / height)


def _window_region(area: bpy.types.Area) -> bpy.types.Region:
    return next(item for item in area.regions if item.type == "WINDOW")


def _uncovered(area: bpy.types.Area, region: bpy.types.Region) -> tuple[int, int]:
    """From where to where, in the window's pixels, no sidebar and no toolbar lies over a region."""
    left, right = region.x, region.x + region.width
    for other in area.regions:
        if other.type in ("UI", "TOOLS") and other.width > 1:  # one that is hidden has a width of 1
            if 2 * other.x + other.width > 2 * region.x + region.width:
                right = min(right, other.x)
            else:
                left = max(left, other.x + other.width)
    return left, right


def _showing(
    image: bpy.types.Image, editor: int | None
) -> list[tuple[bpy.types.Area, bpy.types.SpaceImageEditor]]:
    """This editor if it shows the image, else all that do."""
    showing = [(area, space) for area, space in _image_editors() if space.image == image]
    return [(area, space) for area, space in showing if area.as_pointer() == editor] or showing


def _image_editors() -> Iterator[tuple[bpy.types.Area, bpy.types.SpaceImageEditor]]:
    for area in _areas():
        if isinstance(area.spaces.active, bpy.types.SpaceImageEditor):
            yield area, area.spaces.active


def _areas() -> Iterator[bpy.types.Area]:
    for window in bpy.context.window_manager.windows:
        yield from window.screen.areas
