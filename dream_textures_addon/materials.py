# SPDX-License-Identifier: GPL-3.0-or-later
"""A texture's images as the node tree of a Principled material, as Node Wrangler would lay it out.

Sockets are found by name, for their places differ from one Blender to the next; only the Mix node has several
sockets of one name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy

from .nodes import OwnNodes, absolute_location, connect
from .surface import Surface

LABEL = "Dream Textures"
_LABELS = {
    "basecolor": "Base Color",
    "metallic": "Metallic",
    "roughness": "Roughness",
    "normal": "Normal",
    "height": "Height",
    "ao": "Ambient Occlusion",
}
_TEXTURE_X, _PITCH = -550.0, 280.0
_BETWEEN_X, _MAPPING_X, _COORDINATES_X = -280.0, -800.0, -1000.0
_MIX_A, _MIX_B, _MIX_RESULT = 6, 7, 2
_BLEND = 0.25


@dataclass(frozen=True)
class MaterialOptions:
    """What the artist chose: repeats over one UV tile, AO in the base colour, what the height does."""

    mapping_scale: float = 1.0
    use_ao: bool = False
    displacement: str = "bump"


@dataclass(frozen=True)
class TextureSet:
    """The images of one texture by map, their size in pixels, and the height's range (see `Result.relief`)."""

    images: Mapping[str, bpy.types.Image]
    width: int
    height: int
    relief: float


def build(
    material: bpy.types.Material, textures: TextureSet, options: MaterialOptions, surface: Surface
) -> list[str]:
    """Wire the texture into the material; returns what the artist should know about it.

    Nodes of an earlier texture are reused, and those that are no longer needed removed. Nothing else is.
    """
    # Blender 5 always uses nodes, and warns at the mere question.
    if bpy.app.version < (5, 0, 0) and not material.use_nodes:
        material.use_nodes = True
    tree = material.node_tree
    assert tree is not None
    return _Builder(tree, textures, options, surface).build(material)


class _Builder:
    """One run over one tree: bundles the tree, our nodes in it, and what there is to say."""

    def __init__(
        self, tree: bpy.types.NodeTree, textures: TextureSet, options: MaterialOptions, surface: Surface
    ) -> None:
        self.tree = tree
        self.own = OwnNodes(tree)
        self.textures = textures
        self.options = options
        self.surface = surface
        self.notices: list[str] = []
        self.shaded = False  # whether normals already show the relief

    def build(self, material: bpy.types.Material) -> list[str]:
        self.output = _output(self.tree)
        self.shader = self.principled()
        self.textures_by_map = {name: self.texture(name) for name in _LABELS if name in self.textures.images}
        self.mapping()
        self.base_color()
        self.plain("metallic", "Metallic")
        self.plain("roughness", "Roughness")
        self.normal()
        self.displacement(material)
        self.own.place(self.spots(), LABEL)
        self.own.remove_unused()
        return self.notices

    def principled(self) -> bpy.types.Node:
        """The Principled shader that the output shows, else any other one, else a new one."""
        surface = self.output.inputs["Surface"]
        shown = surface.links[0].from_node if surface.is_linked and surface.links else None
        if shown is not None and shown.type == "BSDF_PRINCIPLED":
            return shown
        existing = next((node for node in self.tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
        if existing is not None:
            return existing
        shader = self.tree.nodes.new("ShaderNodeBsdfPrincipled")
        x, y = absolute_location(self.output)
        shader.location = (x - 300.0, y)
        if shown is not None:
            shader.location = (x - 300.0, y - 300.0)
            name = shown.label or shown.name
            self.notices.append(f"Surface was linked to your node “{name}”, which is still there")
        self.tree.links.new(shader.outputs["BSDF"], surface)
        return shader

    def texture(self, name: str) -> bpy.types.Node:
        node = self.own.take(name, "ShaderNodeTexImage", _LABELS[name])
        node.image = self.textures.images[name]  # type: ignore[attr-defined]
        node.projection = "FLAT" if self.surface.has_uv else "BOX"  # type: ignore[attr-defined]
        node.projection_blend = 0.0 if self.surface.has_uv else _BLEND  # type: ignore[attr-defined]
        return node

    def mapping(self) -> None:
        """One mapping for all textures, which keeps pixels square where the texture is not."""
        coordinates = self.own.take("coordinates", "ShaderNodeTexCoord")
        mapping = self.own.take("mapping", "ShaderNodeMapping")
        longest = max(self.textures.width, self.textures.height) * self.options.mapping_scale
        sideways, upwards = longest / self.textures.width, longest / self.textures.height
        # The four sides of a box show Z upwards; with a texture that is not square, its top must give way.
        depth = (upwards, self.options.mapping_scale) if self.surface.has_uv else (sideways, upwards)
        mapping.inputs["Scale"].default_value = (sideways, *depth)  # type: ignore[attr-defined]
        self.link(coordinates.outputs["UV" if self.surface.has_uv else "Object"], mapping.inputs["Vector"])
        for node in self.textures_by_map.values():
            self.link(mapping.outputs["Vector"], node.inputs["Vector"])
        if not self.surface.has_uv:
            self.notices.append("The object has no UV map, so the texture is projected from its six sides")

    def base_color(self) -> None:
        color, ao = self.textures_by_map.get("basecolor"), self.textures_by_map.get("ao")
        if color is None:
            return
        result = color.outputs["Color"]
        if ao is not None and self.options.use_ao:
            mix = self.own.take("ao_mix", "ShaderNodeMix", "Multiply Ambient Occlusion")
            mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"  # type: ignore[attr-defined]
            mix.inputs[0].default_value = 1.0  # type: ignore[attr-defined]
            self.link(color.outputs["Color"], mix.inputs[_MIX_A])
            self.link(ao.outputs["Color"], mix.inputs[_MIX_B])
            result = mix.outputs[_MIX_RESULT]
        self.link(result, self.shader.inputs["Base Color"])

    def plain(self, name: str, socket: str) -> None:
        if name in self.textures_by_map:
            self.link(self.textures_by_map[name].outputs["Color"], self.shader.inputs[socket])

    def normal(self) -> None:
        """A tangent-space normal map; where there are no tangents for want of UVs, bump from the height."""
        normal, height = self.textures_by_map.get("normal"), self.textures_by_map.get("height")
        if self.surface.has_uv and normal is not None:
            node = self.own.take("normal_map", "ShaderNodeNormalMap")
            self.link(normal.outputs["Color"], node.inputs["Color"])
            self.link(node.outputs["Normal"], self.shader.inputs["Normal"])
            self.shaded = True
        elif not self.surface.has_uv and height is not None:
            node = self.own.take("bump", "ShaderNodeBump")
            node.inputs["Distance"].default_value = self.relief()  # type: ignore[attr-defined]
            self.link(height.outputs["Color"], node.inputs["Height"])
            self.link(node.outputs["Normal"], self.shader.inputs["Normal"])
            self.shaded = True
        elif normal is not None:
            self.notices.append(
                "The normal map needs UVs and is left unconnected; ask for the height map as well"
            )

    def displacement(self, material: bpy.types.Material) -> None:
        """The height as displacement. As bump alone it stays unlinked where the relief is shaded already.

        EEVEE adds the output's bump to the normal map: the relief would be twice as strong as in Cycles.
        """
        mode, height = self.options.displacement, self.textures_by_map.get("height")
        if height is None or mode == "none":
            return
        node = self.own.take("displacement", "ShaderNodeDisplacement")
        node.inputs["Midlevel"].default_value = 0.5  # type: ignore[attr-defined]
        node.inputs["Scale"].default_value = self.relief()  # type: ignore[attr-defined]
        self.link(height.outputs["Color"], node.inputs["Height"])
        material.displacement_method = mode.upper()  # type: ignore[assignment]
        if mode == "bump" and self.shaded:
            for link in list(node.outputs["Displacement"].links):
                if link.to_node == self.output:
                    self.tree.links.remove(link)
        else:
            self.link(node.outputs["Displacement"], self.output.inputs["Displacement"])

    def relief(self) -> float:
        """The height's range in object units: a fraction of one tile's shorter side."""
        textures = self.textures
        shorter = min(textures.width, textures.height) / max(textures.width, textures.height)
        return textures.relief * shorter * self.surface.units / self.options.mapping_scale

    def link(self, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> None:
        sentence = connect(self.own, source, target)
        if sentence:
            self.notices.append(sentence)

    def spots(self) -> dict[str, tuple[float, float]]:
        """Where each of our nodes goes, from where the shader is."""
        x, y = absolute_location(self.shader)
        rows = {name: y - _PITCH * row for row, name in enumerate(self.textures_by_map)}
        middle = y - _PITCH * (len(rows) - 1) / 2
        spots = {name: (x + _TEXTURE_X, row) for name, row in rows.items()}
        spots["mapping"] = (x + _MAPPING_X, middle)
        spots["coordinates"] = (x + _COORDINATES_X, middle)
        for role, beside in (
            ("ao_mix", "basecolor"),
            ("normal_map", "normal"),
            ("bump", "height"),
            ("displacement", "height"),
        ):
            if beside in rows:
                spots[role] = (x + _BETWEEN_X, rows[beside])
        return spots


def _output(tree: bpy.types.NodeTree) -> bpy.types.Node:
    output = tree.get_output_node("ALL")  # type: ignore[attr-defined]
    if output is None:
        output = tree.nodes.new("ShaderNodeOutputMaterial")
        output.location = (300.0, 300.0)
    return output
