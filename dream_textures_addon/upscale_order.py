# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be made larger, as a request: the maps of a material stacked into one picture, or one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import images, seamless, targets
from .compose import Order, Wishes
from .encode import IntegerImage, pixels_of
from .nodes import ROLE
from .upscale import UpscaleDestination
from .wire import protocol

SUFFIX = " Larger"
_MAX_NAME = 63
_EIGHT_TO_SIXTEEN = 257
_DATA = "roughness"
"""What an image of data is called on the wire that is none of our maps: each channel is taken by itself."""

_NO_MATERIAL = "Choose an object with a material that Dream Textures made."


def material_maps(material: bpy.types.Material) -> dict[str, bpy.types.Image]:
    """The images of a material that are ours, by map."""
    tree = material.node_tree
    found = {}
    for node in tree.nodes if tree is not None else ():
        role, image = node.get(ROLE), getattr(node, "image", None)
        if role in protocol.MAPS and image is not None:
            found[role] = image
    return {name: found[name] for name in protocol.MAPS if name in found}


def chosen_material(context: bpy.types.Context, name: str) -> bpy.types.Material:
    """The material of this name, else the one that the Shader Editor shows, else the active object's.

    Raises `TargetError` where there is none with images of ours.
    """
    space = context.space_data
    edited = space.id if isinstance(space, bpy.types.SpaceNodeEditor) else None
    thing = context.view_layer.objects.active if context.view_layer is not None else None
    if name:
        material = bpy.data.materials.get(name)
        if material is None:
            raise targets.TargetError(f"There is no material “{name}” in this file.")
    elif isinstance(edited, bpy.types.Material):
        material = edited
    else:
        material = None if thing is None else thing.active_material
    if material is None:
        raise targets.TargetError(_NO_MATERIAL)
    if not material_maps(material):
        raise targets.TargetError(f"“{material.name}” has no images of Dream Textures.")
    targets.refuse_linked(material)
    return material


def compose_material(wishes: Wishes, material: bpy.types.Material, factor: int) -> Order:
    """The request for a whole set. Raises `RequestError` and `ImageError` with a sentence."""
    maps = material_maps(material)
    sizes = {tuple(image.size) for image in maps.values()}
    if len(sizes) > 1:
        raise images.ImageError(
            f"The images of “{material.name}” are not of one size, so they cannot be made larger together."
        )
    planes = [_plane(name, image, factor) for name, image in maps.items()]
    recipe = next((known for known in map(_recipe, maps.values()) if known is not None), None)
    prompt = "" if recipe is None else recipe.request.prompt
    seed = 0 if recipe is None else recipe.request.seed
    words = prompt or material.name
    request, source = _request(
        _stacked(planes), tuple(maps), factor, recipe, material.name, seed, _model(wishes)
    )
    destination = UpscaleDestination(
        words=words,
        pack=wishes.store == "pack",
        is_set=True,
        name=material.name,
        material=material.session_uid,
        originals={name: image.session_uid for name, image in maps.items()},
        colorspaces=_colorspaces(maps),
        alpha_modes=_alpha_modes(maps),
        editor=None,
    )
    return Order(request, source, destination)


def compose_image(context: bpy.types.Context, wishes: Wishes, image: bpy.types.Image, factor: int) -> Order:
    """The request for one image by itself. Raises `RequestError` and `ImageError` with a sentence."""
    reason = seamless.unfit(image)
    if reason:
        raise images.ImageError(reason)
    pixels, name = _bare(_whole(image, factor), _map_of(image))
    maps = {name: image}
    recipe = _recipe(image)
    request, source = _request(
        pixels,
        (name,),
        factor,
        recipe,
        image.name,
        0 if recipe is None else recipe.request.seed,
        _model(wishes),
    )
    stem = (
        Path(image.name).stem if Path(image.name).suffix.lower() in bpy.path.extensions_image else image.name
    )
    in_editor = isinstance(context.space_data, bpy.types.SpaceImageEditor) and context.area is not None
    destination = UpscaleDestination(
        words=stem,
        pack=wishes.store == "pack",
        is_set=False,
        name=stem.encode()[: _MAX_NAME - len(SUFFIX)].decode(errors="ignore") + SUFFIX,
        material=None,
        originals={name: image.session_uid},
        colorspaces=_colorspaces(maps),
        alpha_modes=_alpha_modes(maps),
        editor=context.area.as_pointer() if in_editor else None,
    )
    return Order(request, source, destination)


def _model(wishes: Wishes) -> str:
    """The model file that was chosen, else what is built in."""
    chosen = str(wishes.upscaler).strip()
    return str(Path(bpy.path.abspath(chosen))) if chosen else protocol.DEFAULT_MODEL


def _request(
    pixels: IntegerImage,
    maps: tuple[str, ...],
    factor: int,
    recipe: protocol.Recipe | None,
    name: str,
    seed: int,
    model: str,
) -> tuple[protocol.Request, protocol.Array]:
    source, reference = images.as_sent(pixels, name)
    return protocol.Request(
        task="upscale",
        prompt="" if recipe is None else recipe.request.prompt,
        seed=seed,
        model=model,
        width=reference.width * factor,
        height=reference.height * factor,
        seamless="auto" if recipe is None else recipe.request.seamless,
        maps=maps,
        source=reference,
        relief=0.0 if recipe is None else recipe.relief,
    ), source


def _whole(image: bpy.types.Image, factor: int) -> IntegerImage:
    """The pixels of an image of which ``factor`` times the size can be made. Raises `ImageError`."""
    largest = protocol.MAX_SIZE // factor
    width, height = image.size
    if max(width, height) > largest:
        raise images.ImageError(
            f"“{image.name}” has {width} x {height} pixels; {factor} times as large it would have more "
            f"than {protocol.MAX_SIZE} a side."
        )
    array, _ = images.read_source(image, deep=True)
    return pixels_of(array)


def _plane(name: str, image: bpy.types.Image, factor: int) -> IntegerImage:
    """One map of a set, with as many channels as it has on the wire."""
    pixels = _whole(image, factor)
    if name == "basecolor":
        return pixels
    return pixels[..., :3] if name in protocol.layers.COLOURED else pixels[..., :1]


def _stacked(planes: list[Any]) -> IntegerImage:
    """The maps as the channels of one picture, in 16 bits if any of them has them."""
    if any(plane.dtype == np.uint16 for plane in planes):
        planes = [
            plane if plane.dtype == np.uint16 else plane.astype(np.uint16) * np.uint16(_EIGHT_TO_SIXTEEN)
            for plane in planes
        ]
    return np.ascontiguousarray(np.concatenate(planes, axis=2))


def _bare(pixels: Any, name: str) -> tuple[IntegerImage, str]:
    """Data of which all channels are the same as one channel; several that are packed together keep no name."""
    if name in protocol.layers.COLOURED:
        return pixels, name
    if pixels.shape[2] == 3 and bool((pixels == pixels[..., :1]).all()):
        return np.ascontiguousarray(pixels[..., :1]), name
    return pixels, _DATA


def _map_of(image: bpy.types.Image) -> str:
    """Which map an image by itself is taken for: by its recipe, else by its colour space and its name."""
    recipe = _recipe(image)
    if recipe is not None and recipe.map in protocol.MAPS and recipe.request.task in ("texture", "maps"):
        return recipe.map
    if not image.colorspace_settings.is_data:
        return "basecolor"
    return "normal" if protocol.naming.map_of(image.name) == "normal" else _DATA


def _recipe(image: bpy.types.Image) -> protocol.Recipe | None:
    text = image.get(images.RECIPE)
    if not isinstance(text, str):
        return None
    try:
        return protocol.parse_recipe(text)
    except protocol.RequestError:
        return None


def _colorspaces(maps: dict[str, bpy.types.Image]) -> dict[str, str]:
    # Colours of a float image are sent as sRGB, whatever its file holds; everything else as it is stored.
    return {
        name: image.colorspace_settings.name
        for name, image in maps.items()
        if image.colorspace_settings.is_data or not image.is_float
    }


def _alpha_modes(maps: dict[str, bpy.types.Image]) -> dict[str, str]:
    return {name: image.alpha_mode for name, image in maps.items()}
