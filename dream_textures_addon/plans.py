# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a result goes, as plain values that another Blender can read.

Session numbers mean nothing there, so that objects, materials and images go by their names. A name is only believed
in the file that it was written for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import bpy

from .delivery import Destination, MaterialDestination
from .materials import MaterialOptions
from .seamless import SeamlessDestination
from .settings import DISPLACEMENT_ITEMS
from .spool_entry import EntryError
from .targets import CARRIERS, Target
from .upscale import UpscaleDestination
from .wire import protocol

_MATERIAL, _SEAMLESS, _UPSCALE = "material", "seamless", "upscale"
_DISPLACEMENTS = tuple(name for name, *_ in DISPLACEMENT_ITEMS)
_ALPHA_MODES = ("STRAIGHT", "PREMUL", "CHANNEL_PACKED", "NONE")

_UNREADABLE = "Where this job's result was to go cannot be read any more."


def to_plain(destination: Destination) -> dict[str, Any]:
    """A destination as JSON values."""
    shared = {"words": destination.words, "pack": destination.pack}
    match destination:
        case MaterialDestination():
            target = destination.target
            return {
                **shared,
                "kind": _MATERIAL,
                "options": asdict(destination.options),
                "object": _name(bpy.data.objects, target.thing),
                "slot": target.slot,
                "material": _name(bpy.data.materials, target.material),
                "note": target.note,
            }
        case SeamlessDestination():
            plain = asdict(destination)
            plain |= {"kind": _SEAMLESS, "original": _name(bpy.data.images, destination.original)}
            plain["notes"] = list(destination.notes)
            del plain["editor"]  # an area does not outlive its Blender
            return plain
        case UpscaleDestination():
            plain = asdict(destination) | {"kind": _UPSCALE}
            plain["material"] = _name(bpy.data.materials, destination.material)
            plain["originals"] = {
                name: _name(bpy.data.images, uid) for name, uid in destination.originals.items()
            }
            del plain["editor"]
            return plain
    raise TypeError(f"{type(destination).__name__} cannot be written down.")


def from_plain(plan: Mapping[str, Any], same_file: bool) -> tuple[Destination, bool]:
    """The destination that `to_plain` wrote, and whether what it names is here; only looked for in the ``same_file``.

    Raises `EntryError` for anything else.
    """
    read = _Reader(plan)
    kind = read.text("kind")
    if kind == _MATERIAL:
        return _material(read, same_file)
    if kind == _SEAMLESS:
        return _seamless(read, same_file)
    if kind == _UPSCALE:
        return _upscale(read, same_file)
    raise EntryError("This job is for something that this version does not know.")


def _material(read: _Reader, same_file: bool) -> tuple[Destination, bool]:
    options = _Reader(read.object("options"))
    names = (read.text("object"), read.text("material"))
    thing, material = None, None
    if same_file:
        thing = bpy.data.objects.get(names[0]) if names[0] else None
        material = bpy.data.materials.get(names[1]) if names[1] else None
    if thing is not None and thing.type not in CARRIERS:
        thing = None
    found = bool(same_file and (thing or not names[0]) and (material or not names[1]))
    target = Target(
        thing=thing.session_uid if found and thing is not None else None,
        slot=read.whole("slot"),
        material=material.session_uid if found and material is not None else None,
        note=read.text("note") if found else "",
    )
    scale = options.number("mapping_scale")
    made = MaterialOptions(
        mapping_scale=scale if scale >= 0.001 else 1.0,
        use_ao=options.flag("use_ao"),
        displacement=options.choice("displacement", _DISPLACEMENTS),
    )
    return MaterialDestination(read.text("words"), read.flag("pack"), target, made), found


def _seamless(read: _Reader, same_file: bool) -> tuple[Destination, bool]:
    name = read.text("original")
    original = bpy.data.images.get(name) if same_file and name else None
    destination = SeamlessDestination(
        words=read.text("words"),
        pack=read.flag("pack"),
        name=read.text("name"),
        original=None if original is None else original.session_uid,
        sha256=read.text("sha256"),
        colorspace=read.text("colorspace"),
        is_data=read.flag("is_data"),
        alpha_mode=read.choice("alpha_mode", _ALPHA_MODES),
        editor=None,
        source_of=read.text("source_of"),
        notes=tuple(_sound(str(note)[:500]) for note in read.list("notes")[:10]),
    )
    return destination, same_file


def _upscale(read: _Reader, same_file: bool) -> tuple[Destination, bool]:
    name = read.text("material")
    material = bpy.data.materials.get(name) if same_file and name else None
    originals: dict[str, int | None] = {}
    for map_name, called in read.texts("originals").items():
        image = bpy.data.images.get(called) if same_file and called else None
        originals[map_name] = None if image is None else image.session_uid
    modes = read.texts("alpha_modes")
    destination = UpscaleDestination(
        words=read.text("words"),
        pack=read.flag("pack"),
        is_set=read.flag("is_set"),
        name=read.text("name"),
        material=None if material is None else material.session_uid,
        originals=originals,
        colorspaces=read.texts("colorspaces"),
        alpha_modes={key: mode for key, mode in modes.items() if mode in _ALPHA_MODES},
        editor=None,
    )
    return destination, same_file and (not destination.is_set or material is not None)


class _Reader:
    """Values out of a file, each of the type that is asked for. Raises `EntryError` where it is not."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def _get(self, name: str, kind: type) -> Any:
        value = self._data.get(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise EntryError(_UNREADABLE)
        return value

    def text(self, name: str) -> str:
        return _sound(self._get(name, str))

    def flag(self, name: str) -> bool:
        return self._get(name, bool)

    def whole(self, name: str) -> int:
        return min(max(self._get(name, int), 0), 32767)

    def number(self, name: str) -> float:
        value = self._data.get(name)
        return min(float(self.whole(name)) if isinstance(value, int) else self._get(name, float), 1e6)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name)
        return value if value in choices else choices[0]

    def object(self, name: str) -> Mapping[str, Any]:
        return self._get(name, dict)

    def texts(self, name: str) -> dict[str, str]:
        """Texts by map; what is called like no map is left out."""
        found = _Reader(self.object(name))
        return {key: found.text(key) for key in protocol.MAPS if key in found._data}

    def list(self, name: str) -> list[Any]:
        return self._get(name, list)


def _sound(text: str) -> str:
    """A text that Blender takes as a name."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise EntryError(_UNREADABLE)
    return text[:10_000]


def _name(blocks: Iterable[bpy.types.ID], uid: int | None) -> str:
    return next((block.name for block in blocks if block.session_uid == uid), "") if uid is not None else ""
