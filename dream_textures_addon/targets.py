# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a texture goes: chosen when the artist asks for it, found again when it arrives.

What is kept meanwhile are session numbers, for a reference does not survive an undo.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy

CARRIERS = frozenset({"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD"})
"""The types of objects whose material shows a surface."""


class TargetError(ValueError):
    """The texture cannot go where it was meant to; the text is a sentence for the artist."""


@dataclass(frozen=True)
class Target:
    """``thing`` and ``material`` are session numbers or None; ``note`` is a sentence for the report."""

    thing: int | None = None
    slot: int = 0
    material: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Place:
    """The material to build into, and the object that shows it."""

    material: bpy.types.Material
    thing: bpy.types.Object | None
    note: str = ""


def choose(context: bpy.types.Context, new_material: bool) -> Target:
    """The target that the artist means now: the Shader Editor's material, else the active object's slot.

    Raises `TargetError` where that may not be changed.
    """
    thing = context.view_layer.objects.active if context.view_layer is not None else None
    material = _edited_material(context)
    if thing is None or thing.type not in CARRIERS:
        if material is not None and not new_material:
            refuse_linked(material)
            return Target(material=material.session_uid)
        note = "No object is active" if thing is None else f"“{thing.name}” cannot carry a material"
        return Target(note=f"{note}, so the new material waits in the list of materials")
    if material is not None and not new_material:
        refuse_linked(material)
        slots = [index for index, slot in enumerate(thing.material_slots) if slot.material == material]
        if not slots:  # pinned: it belongs to another object, or to none
            return Target(material=material.session_uid)
        slot = thing.active_material_index if thing.active_material_index in slots else slots[0]
        return Target(thing.session_uid, slot, material.session_uid)
    slot = thing.active_material_index
    current = thing.material_slots[slot].material if slot < len(thing.material_slots) else None
    if new_material or current is None:
        _refuse_linked_slot(thing, slot)
        return Target(thing.session_uid, slot)
    refuse_linked(current)
    return Target(thing.session_uid, slot, current.session_uid)


def find(target: Target, name: str) -> Place:
    """The material of a target, made under ``name`` where it is to be new.

    Raises `TargetError` where the object or the material is gone or may no longer be changed.
    """
    thing = _by_uid(bpy.data.objects, target.thing)
    material = _by_uid(bpy.data.materials, target.material)
    if target.thing is not None and (thing is None or not thing.users_scene):
        raise TargetError("The object that the texture was made for is gone; its images are kept")
    if target.material is not None and material is None and thing is None:
        raise TargetError("The material that the texture was made for is gone; its images are kept")
    if material is not None:
        refuse_linked(material)
        return Place(material, thing, target.note)
    if thing is not None:
        _refuse_linked_slot(thing, target.slot)
    material = bpy.data.materials.new(name)
    if thing is None:
        material.use_fake_user = True
    elif target.slot < len(thing.material_slots):
        thing.material_slots[target.slot].material = material
    else:
        thing.data.materials.append(material)  # type: ignore[union-attr]
    return Place(material, thing, target.note)


def material_name(words: str) -> str:
    """A material's name from the artist's words, of Blender's 63 bytes at most."""
    name = " ".join(words.split()).title() or "Texture"
    while len(name.encode()) > 59:
        name = name[:-1]
    return name.strip(" ,")


def _edited_material(context: bpy.types.Context) -> bpy.types.Material | None:
    space = context.space_data
    edited = space.id if isinstance(space, bpy.types.SpaceNodeEditor) else None
    return edited if isinstance(edited, bpy.types.Material) else None


def _by_uid(items: Iterable[Any], uid: int | None) -> Any:
    return None if uid is None else next((item for item in items if item.session_uid == uid), None)


def refuse_linked(block: bpy.types.ID) -> None:
    """Raise `TargetError` where this cannot be changed, for it belongs to another file."""
    if block.library is not None:
        raise TargetError(
            f"“{block.name}” is linked from another file and cannot be changed; make it local first"
        )
    if block.override_library is not None:
        raise TargetError(f"“{block.name}” overrides a linked material; make it local first")


def _refuse_linked_slot(thing: bpy.types.Object, slot: int) -> None:
    """A slot belongs to the object or to its data, whichever it is linked to."""
    in_object = slot < len(thing.material_slots) and thing.material_slots[slot].link == "OBJECT"
    owner = thing if in_object or thing.data is None else thing.data
    if owner.library is not None or owner.override_library is not None:
        raise TargetError(f"The material slots of “{thing.name}” come from another file; make it local first")
