# SPDX-License-Identifier: GPL-3.0-or-later
"""The node tree: complete, tidy, and never at the cost of the artist's own nodes."""

from __future__ import annotations

from typing import Any

import bpy
import pytest

from .conftest import feeding, own_nodes, principled, submodule

MAPS = ("basecolor", "normal", "roughness", "height", "ao", "metallic")


@pytest.fixture
def textures(scene: bpy.types.Scene) -> Any:
    """Makes a texture set of plain images."""

    def make(maps: tuple[str, ...] = MAPS, width: int = 8, height: int = 8, relief: float = 0.05) -> Any:
        images = {name: bpy.data.images.new(name, width, height) for name in maps}
        return submodule("materials").TextureSet(images, width, height, relief)

    return make


@pytest.fixture
def build(scene: bpy.types.Scene) -> Any:
    """Builds a texture set into a material and returns what there is to say."""

    def build_into(
        material: bpy.types.Material,
        textures: Any,
        *,
        has_uv: bool = True,
        units: float = 1.0,
        **options: Any,
    ) -> list[str]:
        materials, surface = submodule("materials"), submodule("surface")
        return materials.build(
            material, textures, materials.MaterialOptions(**options), surface.Surface(has_uv, units)
        )

    return build_into


@pytest.fixture
def material(cube: bpy.types.Object) -> bpy.types.Material:
    """The cube's material, as Blender made it."""
    return cube.active_material


def links(material: bpy.types.Material) -> set[tuple[str, str, str, str]]:
    """All links by the names of their nodes and sockets."""
    return {
        (link.from_node.name, link.from_socket.name, link.to_node.name, link.to_socket.name)
        for link in material.node_tree.links
    }


def box(node: bpy.types.Node) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of a node, with a height that holds for all of ours."""
    x, y = submodule("nodes").absolute_location(node)
    return x, x + node.width, y, y - 270.0


def test_every_map_has_its_socket(material: bpy.types.Material, textures: Any, build: Any) -> None:
    assert build(material, textures()) == []
    nodes, shader = own_nodes(material), principled(material)
    assert feeding(shader.inputs["Base Color"]) == nodes["basecolor"]
    assert feeding(shader.inputs["Roughness"]) == nodes["roughness"]
    assert feeding(shader.inputs["Metallic"]) == nodes["metallic"]
    assert feeding(shader.inputs["Normal"]) == nodes["normal_map"]
    assert nodes["normal_map"].space == "TANGENT"
    assert feeding(nodes["normal_map"].inputs["Color"]) == nodes["normal"]
    assert feeding(nodes["displacement"].inputs["Height"]) == nodes["height"]
    assert nodes["displacement"].inputs["Midlevel"].default_value == 0.5
    assert not nodes["ao"].outputs["Color"].is_linked


def test_all_textures_share_one_mapping(material: bpy.types.Material, textures: Any, build: Any) -> None:
    build(material, textures(), mapping_scale=3.0)
    nodes = own_nodes(material)
    assert {feeding(nodes[name].inputs["Vector"]) for name in MAPS} == {nodes["mapping"]}
    (link,) = nodes["mapping"].inputs["Vector"].links
    assert (link.from_node, link.from_socket.name) == (nodes["coordinates"], "UV")
    assert tuple(nodes["mapping"].inputs["Scale"].default_value) == (3.0, 3.0, 3.0)


def test_pixels_stay_square_where_the_texture_is_not(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    build(material, textures(width=16, height=8, relief=0.1))
    nodes = own_nodes(material)
    assert tuple(nodes["mapping"].inputs["Scale"].default_value)[:2] == (1.0, 2.0)
    assert nodes["displacement"].inputs["Scale"].default_value == pytest.approx(0.05)


def test_the_relief_grows_with_the_tile(material: bpy.types.Material, textures: Any, build: Any) -> None:
    build(material, textures(relief=0.1), units=4.0, mapping_scale=2.0)
    assert own_nodes(material)["displacement"].inputs["Scale"].default_value == pytest.approx(0.2)


def test_a_tile_is_measured_on_the_mesh(cube: bpy.types.Object) -> None:
    # The first cube's faces are 2 x 2 units, and a quarter of the UV square's side.
    assert submodule("surface").measure(cube).units == pytest.approx(8.0, rel=1e-4)
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    assert not submodule("surface").measure(cube).has_uv


def test_uvs_that_a_modifier_makes_count(cube: bpy.types.Object) -> None:
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    group = bpy.data.node_groups.new("UVs", "GeometryNodeTree")
    for direction in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
    entry, exit_ = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    store = group.nodes.new("GeometryNodeStoreNamedAttribute")
    store.data_type, store.domain = "FLOAT2", "CORNER"
    store.inputs["Name"].default_value = "UVMap"
    group.links.new(entry.outputs[0], store.inputs["Geometry"])
    group.links.new(store.outputs["Geometry"], exit_.inputs[0])
    modifier = cube.modifiers.new("UVs", "NODES")
    assert not submodule("surface").measure(cube).has_uv
    modifier.node_group = group
    assert submodule("surface").measure(cube).has_uv


def test_nodes_are_framed_labelled_and_cover_nothing(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    build(material, textures(), use_ao=True)
    nodes = own_nodes(material)
    frame = nodes.pop("frame")
    assert frame.label == "Dream Textures"
    assert {node.parent for node in nodes.values()} == {frame}
    assert nodes["ao"].label == "Ambient Occlusion"
    boxes = [box(node) for node in material.node_tree.nodes if node.type != "FRAME"]
    for number, (left, right, top, bottom) in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert right <= other[0] or other[1] <= left or bottom >= other[2] or other[3] >= top
    x = submodule("nodes").absolute_location(principled(material))[0]
    assert {submodule("nodes").absolute_location(nodes[name])[0] for name in MAPS} == {x - 550.0}


def test_the_artists_nodes_are_not_covered(material: bpy.types.Material, textures: Any, build: Any) -> None:
    noise = material.node_tree.nodes.new("ShaderNodeTexNoise")
    noise.location = principled(material).location[0] - 500.0, principled(material).location[1] - 100.0
    build(material, textures())
    left, right, _, bottom = box(noise)
    for node in own_nodes(material).values():
        if node.type != "FRAME":
            other = box(node)
            assert right <= other[0] or other[1] <= left or bottom >= other[2]


def test_occlusion_is_multiplied_into_the_colour_on_request(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    build(material, textures(), use_ao=True)
    nodes = own_nodes(material)
    mix = nodes["ao_mix"]
    assert feeding(principled(material).inputs["Base Color"]) == mix
    assert (mix.data_type, mix.blend_type, mix.inputs[0].default_value) == ("RGBA", "MULTIPLY", 1.0)
    assert {feeding(mix.inputs[6]), feeding(mix.inputs[7])} == {nodes["basecolor"], nodes["ao"]}
    build(material, textures(), use_ao=False)
    assert "ao_mix" not in own_nodes(material)
    assert feeding(principled(material).inputs["Base Color"]) == own_nodes(material)["basecolor"]


@pytest.mark.parametrize("mode", ["displacement", "both"])
def test_the_height_moves_the_surface_where_that_was_chosen(
    material: bpy.types.Material, textures: Any, build: Any, mode: str
) -> None:
    build(material, textures(), displacement=mode)
    assert material.displacement_method == mode.upper()
    output = material.node_tree.get_output_node("ALL")
    assert feeding(output.inputs["Displacement"]) == own_nodes(material)["displacement"]


def test_the_relief_is_shaded_once(material: bpy.types.Material, textures: Any, build: Any) -> None:
    """EEVEE would add the bump of the output to the normal map."""
    output = material.node_tree.get_output_node("ALL")
    build(material, textures(), displacement="both")
    build(material, textures(), displacement="bump")
    assert principled(material).inputs["Normal"].is_linked
    assert not output.inputs["Displacement"].is_linked
    build(material, textures(("basecolor", "height")), displacement="bump")
    assert not principled(material).inputs["Normal"].is_linked
    assert feeding(output.inputs["Displacement"]) == own_nodes(material)["displacement"]
    assert material.displacement_method == "BUMP"


def test_without_displacement_the_height_is_only_loaded(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    build(material, textures())
    build(material, textures(), displacement="none")
    assert "displacement" not in own_nodes(material)
    assert not own_nodes(material)["height"].outputs["Color"].is_linked
    assert not material.node_tree.get_output_node("ALL").inputs["Displacement"].is_linked


def test_without_uvs_the_texture_is_projected_and_the_height_is_bump(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    (sentence,) = build(material, textures(relief=0.05), has_uv=False)
    assert "no UV map" in sentence
    nodes = own_nodes(material)
    assert {nodes[name].projection for name in MAPS} == {"BOX"}
    assert {nodes[name].projection_blend for name in MAPS} == {0.25}
    assert nodes["mapping"].inputs["Vector"].links[0].from_socket.name == "Object"
    bump = feeding(principled(material).inputs["Normal"])
    assert (bump.type, feeding(bump.inputs["Height"])) == ("BUMP", nodes["height"])
    assert bump.inputs["Distance"].default_value == pytest.approx(0.05)
    assert not material.node_tree.get_output_node("ALL").inputs["Displacement"].is_linked
    assert "normal_map" not in nodes


def test_with_uvs_again_everything_goes_back(material: bpy.types.Material, textures: Any, build: Any) -> None:
    build(material, textures(), has_uv=False)
    assert build(material, textures()) == []
    nodes = own_nodes(material)
    assert {nodes[name].projection for name in MAPS} == {"FLAT"}
    assert feeding(principled(material).inputs["Normal"]) == nodes["normal_map"]
    assert "bump" not in nodes


def test_a_second_texture_replaces_exactly_our_own(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    tree = material.node_tree
    noise, voronoi = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeTexVoronoi")
    tree.links.new(noise.outputs["Fac"], principled(material).inputs["Alpha"])
    tree.links.new(voronoi.outputs["Color"], noise.inputs["Scale"])
    build(material, textures())
    theirs = {link for link in links(material) if noise.name in link}
    count, before = len(tree.nodes), links(material)
    second = textures()
    assert build(material, second) == []
    assert len(tree.nodes) == count
    assert links(material) == before
    assert {link for link in links(material) if noise.name in link} == theirs
    assert {name: own_nodes(material)[name].image for name in MAPS} == dict(second.images)


def test_maps_that_are_no_longer_made_leave_no_node(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    build(material, textures())
    build(material, textures(("basecolor", "roughness")))
    assert set(own_nodes(material)) == {"basecolor", "roughness", "mapping", "coordinates", "frame"}
    assert not principled(material).inputs["Normal"].is_linked


def test_a_node_between_ours_and_the_shader_stays_there(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    build(material, textures())
    tree, shader = material.node_tree, principled(material)
    curves = tree.nodes.new("ShaderNodeRGBCurve")
    tree.links.new(own_nodes(material)["basecolor"].outputs["Color"], curves.inputs["Color"])
    tree.links.new(curves.outputs["Color"], shader.inputs["Base Color"])
    second = textures()
    assert build(material, second) == []
    assert feeding(shader.inputs["Base Color"]) == curves
    assert feeding(curves.inputs["Color"]).image == second.images["basecolor"]


def test_a_socket_that_was_taken_is_named_and_its_node_kept(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    noise = material.node_tree.nodes.new("ShaderNodeTexNoise")
    noise.label = "My Dirt"
    material.node_tree.links.new(noise.outputs["Color"], principled(material).inputs["Base Color"])
    (sentence,) = build(material, textures())
    assert "Base Color" in sentence
    assert "My Dirt" in sentence
    assert noise.name in material.node_tree.nodes


def test_a_copy_of_our_node_belongs_to_the_artist(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    build(material, textures())
    original = own_nodes(material)["basecolor"]
    copied = material.node_tree.nodes.new("ShaderNodeTexImage")
    for key in ("dtex_role", "dtex_name"):  # as Shift D copies a node
        copied[key] = original[key]
    name = copied.name
    build(material, textures(("roughness",)))
    assert name in material.node_tree.nodes


def test_where_the_artist_moved_our_nodes_they_stay(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    build(material, textures(("basecolor",)))
    own_nodes(material)["basecolor"].location = (-1234.0, 567.0)
    build(material, textures())
    assert tuple(own_nodes(material)["basecolor"].location) == (-1234.0, 567.0)


def test_a_material_without_a_principled_shader_gets_one(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    tree = material.node_tree
    tree.nodes.remove(principled(material))
    glow = tree.nodes.new("ShaderNodeEmission")
    output = tree.get_output_node("ALL")
    tree.links.new(glow.outputs[0], output.inputs["Surface"])
    (sentence,) = build(material, textures())
    assert "Emission" in sentence
    assert feeding(output.inputs["Surface"]) == principled(material)
    assert glow.name in tree.nodes


def test_an_empty_tree_gets_all_it_needs(material: bpy.types.Material, textures: Any, build: Any) -> None:
    material.node_tree.nodes.clear()
    assert build(material, textures()) == []
    output = material.node_tree.get_output_node("ALL")
    assert feeding(output.inputs["Surface"]) == principled(material)


def test_the_shader_that_the_output_shows_is_the_one(
    material: bpy.types.Material, textures: Any, build: Any
) -> None:
    tree = material.node_tree
    spare, shown = principled(material), tree.nodes.new("ShaderNodeBsdfPrincipled")
    shown.name = "Наш шейдер"  # names may be anything in any language
    tree.links.new(shown.outputs[0], tree.get_output_node("ALL").inputs["Surface"])
    build(material, textures())
    assert feeding(shown.inputs["Base Color"]) == own_nodes(material)["basecolor"]
    assert not spare.inputs["Base Color"].is_linked
