# SPDX-License-Identifier: GPL-3.0-or-later
"""Upscale: a material's images, or one image by itself, come back two or four times as large.

In a material the larger images take the places of the smaller ones; an image by itself stays, and the larger one is
shown where it was. What must be known of them later is noted when they are sent.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from . import editors, images, naming
from .delivery import Delivery, Destination, Outcome, bring_one, use_colorspace
from .encode import EncodedMap


@dataclass(frozen=True)
class UpscaleDestination(Destination):
    """Where larger images go. All session numbers are None where the thing is not in this file.

    ``material`` has its images replaced; for an image by itself it is None, and ``name`` is what the new one is
    called. ``originals`` are the images that were sent by map, ``colorspaces`` and ``alpha_modes`` theirs by map,
    ``editor`` the area that the artist asked in.
    """

    is_set: bool
    name: str
    material: int | None
    originals: dict[str, int | None]
    colorspaces: dict[str, str]
    alpha_modes: dict[str, str]
    editor: int | None

    @property
    def is_material(self) -> bool:
        """Whether what comes back is a set that makes a material."""
        return self.is_set


def concerns(delivery: Delivery) -> bool:
    """Whether a job makes images larger."""
    return isinstance(delivery.destination, UpscaleDestination)


def is_here(place: UpscaleDestination) -> bool:
    """Whether the material whose images are to be replaced is in the open file."""
    return any(material.session_uid == place.material for material in bpy.data.materials)


def deliver(delivery: Delivery) -> Outcome:
    """Put the larger images where they belong: one undo step of its own."""
    outcome = put(delivery)
    bpy.ops.ed.undo_push(message="Upscale")
    return outcome


def put(delivery: Delivery) -> Outcome:
    """Put the larger images where they belong, and leave no undo step."""
    place = delivery.destination
    assert isinstance(place, UpscaleDestination)
    outcome = delivery.outcome = Outcome()
    maps = delivery.maps(delivery.indices[0])
    made = _bring_set(maps, place, outcome) if place.is_set else _bring_one(maps[0], place, outcome)
    outcome.images[maps[0].index] = {name: image.session_uid for name, image in made.items()}
    by_uid = {image.session_uid: image for image in bpy.data.images}
    if place.is_set:
        _replace(place, made, by_uid, outcome)
    else:
        (image,) = made.values()
        original = by_uid.get(next(iter(place.originals.values())) or 0)
        if original is not None:
            editors.replace(original, image, place.editor)
        outcome.tell([f"It is the new image “{image.name}”, {maps[0].width} x {maps[0].height}"])
    for image in made.values():
        if not image.users:
            image.use_fake_user = True  # what nothing uses must not vanish when the file is saved
    return outcome


def _replace(
    place: UpscaleDestination,
    made: dict[str, bpy.types.Image],
    by_uid: dict[int, bpy.types.Image],
    outcome: Outcome,
) -> None:
    """Show the larger images wherever the material showed the smaller ones."""
    material = next((item for item in bpy.data.materials if item.session_uid == place.material), None)
    if material is None or material.node_tree is None:
        outcome.tell([f"The material “{place.name}” is gone; its larger images are kept"])
        return
    if material.library is not None or material.override_library is not None:
        outcome.tell([f"“{material.name}” cannot be changed any more; its larger images are kept"])
        return
    outcome.material = material.name
    replaced = 0
    for name, image in made.items():
        original = by_uid.get(place.originals.get(name) or 0)
        for node in material.node_tree.nodes:
            shown = getattr(node, "image", None)
            # After the material was built anew its nodes show other images, and those are not ours to replace.
            if shown is not None and shown == original:
                node.image = image  # type: ignore[attr-defined]
                replaced += 1
        if original is not None:
            editors.replace(original, image, None)
    if not replaced:
        outcome.tell([f"“{material.name}” shows other images by now; the larger ones are kept"])


def _bring_set(
    maps: list[EncodedMap], place: UpscaleDestination, outcome: Outcome
) -> dict[str, bpy.types.Image]:
    folder = None if place.pack else images.texture_folder()
    paths = None
    if folder is not None:
        try:
            paths = images.save_files(maps, place.words, folder)
        except images.ImageError as error:
            outcome.tell([f"{error} The images are packed instead"])
    made = images.add_images(maps, place.words, paths)
    for name, image in made.items():
        _like_before(image, name, place, outcome)
    return made


def _bring_one(item: EncodedMap, place: UpscaleDestination, outcome: Outcome) -> dict[str, bpy.types.Image]:
    file = naming.upscaled_file(place.words)
    image = bring_one(item, place.name, file, outcome, pack=place.pack)
    _like_before(image, item.map, place, outcome)
    return {item.map: image}


def _like_before(image: bpy.types.Image, name: str, place: UpscaleDestination, outcome: Outcome) -> None:
    space = place.colorspaces.get(name, "")
    if space:
        image.colorspace_settings.is_data = name != "basecolor"  # what stays where the name is not known here
        use_colorspace(image, space, outcome)
    alpha = place.alpha_modes.get(name, "STRAIGHT")
    image.alpha_mode = "STRAIGHT" if alpha == "PREMUL" else alpha
