# SPDX-License-Identifier: GPL-3.0-or-later
"""The last stretch: a finished job becomes images and a material in the open file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import bpy

from . import editors, images, materials, surface, targets
from .encode import EncodedMap, encode
from .wire import protocol


@dataclass(frozen=True)
class Destination:
    """What was chosen when a job was started, as far as it concerns what comes after the generator.

    ``words`` are what the artist typed, for names; ``pack`` says that images are kept inside the .blend.
    """

    words: str
    pack: bool

    @property
    def is_material(self) -> bool:
        """Whether what comes back makes a material, and so can be for any other as well."""
        return False


@dataclass(frozen=True)
class MaterialDestination(Destination):
    """Images for a material."""

    target: targets.Target
    options: materials.MaterialOptions

    @property
    def is_material(self) -> bool:
        """It is what a material is made of."""
        return True


@dataclass
class Outcome:
    """What became of a job: the material, session numbers of the images by image and map, and sentences."""

    material: str = ""
    images: dict[int, dict[str, int]] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)

    def tell(self, sentences: Iterable[str]) -> None:
        """Add sentences for the artist; empty ones are left out."""
        self.sentences += [f"{text.rstrip('.')}." for text in sentences if text]


@dataclass
class Delivery:
    """A job's way from results to a material. PNG files are encoded on a worker while others still arrive.

    ``document`` numbers the file that was open when the job was started. ``settled`` once the results were put into
    the file, or there was nothing to put.
    """

    destination: Destination
    document: int
    encoding: dict[tuple[int, str], Future[EncodedMap]] = field(default_factory=dict)
    outcome: Outcome | None = None
    settled: bool = False

    def take(self, result: protocol.Result, version: str, worker: Executor) -> None:
        """Start to encode one result; one that arrives again replaces the first."""
        self.encoding[result.index, result.map] = worker.submit(encode, result, version)

    @property
    def applies(self) -> bool:
        """Whether the result is for a material, and so for any other as well."""
        return self.destination.is_material

    @property
    def ready(self) -> bool:
        """Whether everything that has arrived is encoded."""
        return all(future.done() for future in self.encoding.values())

    def maps(self, index: int) -> list[EncodedMap]:
        """One image's maps in their usual order; waits where they are not ready. Raises what encoding raised."""
        wanted = (self.encoding.get((index, name)) for name in protocol.MAPS)
        return [future.result() for future in wanted if future is not None]

    @property
    def indices(self) -> list[int]:
        """Which images have arrived."""
        return sorted({index for index, _ in self.encoding})

    def drop_incomplete(self, maps: int) -> None:
        """Of a job that ended early, keep the images of which so many maps arrived."""
        counts = Counter(index for index, _ in self.encoding)
        self.encoding = {key: future for key, future in self.encoding.items() if counts[key[0]] == maps}


def deliver(delivery: Delivery) -> Outcome:
    """Put all images into the file and the first into its material: one undo step of its own.

    For a timer or a script; an operator with an undo step of its own calls `apply`.
    """
    destination = delivery.destination
    assert isinstance(destination, MaterialDestination)
    outcome = delivery.outcome = Outcome()
    for index in delivery.indices:
        _bring_images(delivery, index, outcome)
    if outcome.images:
        first = min(outcome.images)
        try:
            _build(delivery, first, destination.target, destination.options, outcome)
        except targets.TargetError as error:
            outcome.tell([str(error)])
        _keep_unused(outcome)
    if len(outcome.images) > 1:
        outcome.tell([f"{len(outcome.images)} variations were made; the first is applied"])
    bpy.ops.ed.undo_push(message="Dream Textures")
    return outcome


def apply(
    delivery: Delivery, index: int, target: targets.Target, options: materials.MaterialOptions
) -> Outcome:
    """Build one image of a finished job into a target, with the images it has if they are still there.

    Leaves no undo step. Raises `TargetError`.
    """
    outcome = Outcome(images={} if delivery.outcome is None else dict(delivery.outcome.images))
    if _present(outcome, index) is None:
        _bring_images(delivery, index, outcome)
    _build(delivery, index, target, options, outcome)
    delivery.outcome, delivery.settled = outcome, True
    return outcome


def bring_one(item: EncodedMap, name: str, file: str, outcome: Outcome, *, pack: bool) -> bpy.types.Image:
    """One picture as an image of this name: from a new file of that name where it can be saved, else packed."""
    folder = None if pack else images.texture_folder()
    path = None
    if folder is not None:
        try:
            path = images.save_file(item.png, file, folder)
        except images.ImageError as error:
            outcome.tell([f"{error} The image is packed instead"])
    return images.add_image(item, name, path)


def use_colorspace(image: bpy.types.Image, name: str, outcome: Outcome) -> None:
    """Give an image the colour space that its original had; one that this Blender lacks is told, and left."""
    try:
        image.colorspace_settings.name = name
    except TypeError:  # it waited on disk, and this Blender has another colour configuration
        outcome.tell([f"This Blender does not know the colour space “{name}”"])


def _bring_images(delivery: Delivery, index: int, outcome: Outcome) -> None:
    maps = delivery.maps(index)
    words = delivery.destination.words
    folder = None if delivery.destination.pack else images.texture_folder()
    paths = None
    if folder is not None:
        try:
            paths = images.save_files(maps, words, folder)
        except images.ImageError as error:
            outcome.tell([f"{error} The images are packed instead"])
    made = images.add_images(maps, words, paths)
    outcome.images[index] = {name: image.session_uid for name, image in made.items()}


def _build(
    delivery: Delivery,
    index: int,
    target: targets.Target,
    options: materials.MaterialOptions,
    outcome: Outcome,
) -> None:
    found = _present(outcome, index)
    assert found is not None
    first = delivery.maps(index)[0]
    place = targets.find(target, targets.material_name(delivery.destination.words))
    textures = materials.TextureSet(found, first.width, first.height, first.relief)
    notes = materials.build(place.material, textures, options, surface.measure(place.thing))
    outcome.material = place.material.name
    if "basecolor" in found:
        editors.show(found["basecolor"])
    outcome.tell([place.note, *notes])


def _present(outcome: Outcome, index: int) -> dict[str, bpy.types.Image] | None:
    """One image's maps if all of them are still in the file."""
    by_uid = {image.session_uid: image for image in bpy.data.images}
    uids = outcome.images.get(index)
    if not uids or not all(uid in by_uid for uid in uids.values()):
        return None
    return {name: by_uid[uid] for name, uid in uids.items()}


def _keep_unused(outcome: Outcome) -> None:
    """What no material uses must not vanish when the file is saved."""
    uids = {uid for by_map in outcome.images.values() for uid in by_map.values()}
    for image in bpy.data.images:
        if image.session_uid in uids and not image.users:
            image.use_fake_user = True
