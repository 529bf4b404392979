# SPDX-License-Identifier: GPL-3.0-or-later
"""How a texture lies on an object: whether there is a UV map, and how large one tile of it is."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np


@dataclass(frozen=True)
class Surface:
    """``units`` is the length in object space that one unit of the texture's coordinates covers."""

    has_uv: bool = True
    units: float = 1.0


def measure(thing: bpy.types.Object | None) -> Surface:
    """The surface of an object. A material without an object is built for UVs."""
    if thing is None:
        return Surface()
    mesh = thing.data
    if not isinstance(mesh, bpy.types.Mesh):
        return Surface(has_uv=False)
    if not mesh.uv_layers:
        return Surface(has_uv=_modifiers_make_uvs(thing))
    return Surface(units=_units_per_uv(mesh))


def _modifiers_make_uvs(thing: bpy.types.Object) -> bool:
    if not thing.modifiers:
        return False
    thing.update_tag(refresh={"DATA"})  # a script's change to the mesh may not have been evaluated yet
    evaluated = thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    return isinstance(evaluated, bpy.types.Mesh) and bool(evaluated.uv_layers)


def _units_per_uv(mesh: bpy.types.Mesh) -> float:
    """The root of surface area over UV area; 1 where either is nothing, as in Edit Mode."""
    layer = next((item for item in mesh.uv_layers if item.active_render), mesh.uv_layers[0])
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    if not count or len(layer.uv) != len(mesh.loops):
        return 1.0
    corners = np.empty(count * 3, np.int32)
    mesh.loop_triangles.foreach_get("loops", corners)
    areas = np.empty(count, np.float32)
    mesh.loop_triangles.foreach_get("area", areas)
    uvs = np.empty(len(mesh.loops) * 2, np.float32)
    layer.uv.foreach_get("vector", uvs)
    triangle = uvs.reshape(-1, 2)[corners.reshape(-1, 3)].astype(np.float64)
    first, second = triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0]
    uv_area = float(np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum() / 2)
    area = float(areas.sum(dtype=np.float64))
    return float(np.sqrt(area / uv_area)) if area > 0 and uv_area > 1e-12 else 1.0
