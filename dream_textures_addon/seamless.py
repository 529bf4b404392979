# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Seamless: an open image goes to the generator, and comes back as a new image that tiles.

The original stays as it is, and no material is touched. What must be known of the original later is noted when it
is sent, for it may be gone or changed by the time that the answer comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from . import editors, images, naming
from .compose import Order, Wishes, sent_prompts
from .delivery import Delivery, Destination, Outcome, bring_one, use_colorspace
from .encode import EncodedMap, pixels_of
from .wire import protocol

SUFFIX = " Seamless"
_MAX_NAME = 63
_UNFIT = {
    "RENDER_RESULT": "is a render result; save it as a file and open that",
    "COMPOSITING": "is what a viewer node shows; save it as a file and open that",
    "MOVIE": "is a movie; save a frame of it as a file and open that",
    "SEQUENCE": "is a sequence of images; open one of them by itself",
    "TILED": "is made of UDIM tiles; open one of them by itself",
    "VIEWER": "is what a viewer shows; save it as a file and open that",
}
_FILE_ENDINGS = frozenset(bpy.path.extensions_image)


@dataclass(frozen=True)
class SeamlessDestination(Destination):
    """A new image that takes the original's place in an editor.

    ``original`` is the original's session number, or None where it is not in this file, ``sha256`` of the pixels that
    were sent, ``colorspace`` its colour space by name where the new image has the same values, else empty. ``editor``
    is the area that the artist asked in, ``source_of`` the scene whose source it was when asked from there.
    """

    name: str
    original: int | None
    sha256: str
    colorspace: str
    is_data: bool
    alpha_mode: str
    editor: int | None
    source_of: str
    notes: tuple[str, ...]


def unfit(image: bpy.types.Image) -> str:
    """Why an image cannot be made to tile, as a sentence; empty where it can."""
    reason = _UNFIT.get(image.type) or _UNFIT.get(image.source)
    return f"“{image.name}” {reason}." if reason else ""


def compose(
    context: bpy.types.Context, wishes: Wishes, image: bpy.types.Image, use_model: bool, from_source: bool
) -> Order:
    """The request for one image. Raises `RequestError` and `ImageError` with a sentence.

    ``from_source`` says that the artist asked for the source of the next texture.
    """
    reason = unfit(image)
    if reason:
        raise images.ImageError(reason)
    if max(image.size) > protocol.MAX_SIZE:
        raise images.ImageError(
            f"“{image.name}” has more than {protocol.MAX_SIZE} pixels a side; scale it down first."
        )
    chosen = wishes.model_settings() if use_model else {}  # before a seed is drawn
    pixels, reference = images.read_source(image, deep=True)
    if min(reference.width, reference.height) < protocol.MIN_SIZE:
        raise images.ImageError(f"“{image.name}” has less than {protocol.MIN_SIZE} pixels a side.")
    prompt, negative = sent_prompts(wishes) if use_model else ("", "")
    request = protocol.Request(
        task="tile",
        prompt=prompt,
        negative_prompt=negative,
        width=reference.width,
        height=reference.height,
        seed=wishes.draw_seed() if use_model else 0,
        seamless="both" if wishes.seamless == "off" else wishes.seamless,
        maps=("basecolor",),
        source=reference,
        strength=wishes.strength,
        **chosen,
    )
    notes = _losses(image, pixels)
    return Order(request, pixels, _destination(context, wishes, image, reference.sha256, notes, from_source))


def concerns(delivery: Delivery) -> bool:
    """Whether a job makes an image tile."""
    return isinstance(delivery.destination, SeamlessDestination)


def deliver(delivery: Delivery) -> Outcome:
    """Put the new image into the file and show it three by three: one undo step of its own.

    For a timer or a script; an operator with an undo step of its own calls `put`.
    """
    outcome = put(delivery)
    if outcome.images:
        bpy.ops.ed.undo_push(message="Make Seamless")
    return outcome


def put(delivery: Delivery) -> Outcome:
    """Put the new image into the file and show it three by three.

    An original that tiles already is only shown that way, and nothing is made.
    """
    place = delivery.destination
    assert isinstance(place, SeamlessDestination)
    outcome = delivery.outcome = Outcome()
    (item,) = delivery.maps(delivery.indices[0])
    original = next((image for image in bpy.data.images if image.session_uid == place.original), None)
    if item.sha256 == place.sha256:
        if original is not None:
            editors.show_in_place_of(original, original, place.editor)
        return outcome
    outcome.tell(place.notes)
    image = _bring(item, place, outcome)
    outcome.images[item.index] = {item.map: image.session_uid}
    if original is not None:
        editors.show_in_place_of(original, image, place.editor)
        scene = bpy.data.scenes.get(place.source_of)
        if scene is not None and scene.dtex.source == original:  # type: ignore[attr-defined]
            scene.dtex.source = image  # type: ignore[attr-defined]
    outcome.tell([f"It is the new image “{image.name}”"])
    return outcome


def _losses(image: bpy.types.Image, sent: protocol.Array) -> tuple[str, ...]:
    """What of an image cannot come back, in sentences."""
    losses = []
    if images.exceeds_white(image):
        losses.append(f"Values of “{image.name}” above 1 were cut off")
    if image.alpha_mode == "CHANNEL_PACKED" and sent.shape[2] == 4 and (pixels_of(sent)[..., 3] == 0).any():
        losses.append(f"Alpha was taken for transparency: where it is 0, “{image.name}” lost its colours")
    return tuple(losses)


def _destination(
    context: bpy.types.Context,
    wishes: Wishes,
    image: bpy.types.Image,
    sha256: str,
    notes: tuple[str, ...],
    from_source: bool,
) -> SeamlessDestination:
    path = Path(image.name)
    words = path.stem if path.suffix.lower() in _FILE_ENDINGS else image.name
    settings = image.colorspace_settings
    # Colours of a float image are sent as sRGB, whatever its file holds; everything else as it is stored.
    as_stored = settings.is_data or not image.is_float
    in_editor = isinstance(context.space_data, bpy.types.SpaceImageEditor) and context.area is not None
    return SeamlessDestination(
        words=words,
        pack=wishes.store == "pack",
        name=words.encode()[: _MAX_NAME - len(SUFFIX)].decode(errors="ignore") + SUFFIX,
        original=image.session_uid,
        sha256=sha256,
        colorspace=settings.name if as_stored else "",
        is_data=settings.is_data,
        # A PNG file is never premultiplied, and nor are the pixels that were sent.
        alpha_mode="STRAIGHT" if image.alpha_mode == "PREMUL" else image.alpha_mode,
        editor=context.area.as_pointer() if in_editor else None,
        source_of=context.scene.name if from_source else "",
        notes=notes,
    )


def _bring(item: EncodedMap, place: SeamlessDestination, outcome: Outcome) -> bpy.types.Image:
    image = bring_one(item, place.name, naming.tiled_file(place.words), outcome, pack=place.pack)
    if place.colorspace:
        use_colorspace(image, place.colorspace, outcome)
    image.colorspace_settings.is_data = place.is_data
    image.alpha_mode = place.alpha_mode
    image.use_fake_user = True  # no material uses it, and it must not vanish when the file is saved
    return image
