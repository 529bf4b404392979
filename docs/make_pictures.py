# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the pictures in ``docs/images`` with Cycles, with materials that the built extension makes from words.

    python docs/make_pictures.py [wall] [materials] [--out DIR] [--draft]

Needs the ``bpy`` package of PyPI (4.2 or later) and nothing else; the extension is built, and installed into a
folder that is thrown away. ``--draft`` renders small and rough pictures, to try a change.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="dream-textures-pictures-")

import bpy  # noqa: E402  (it reads the variable above when it is imported)
from mathutils import Vector  # noqa: E402

SUN = (math.radians(36.0), math.radians(-116.0))
"""The sun's height above the horizon and its direction: low and from the side, so that relief shows."""


@dataclass(frozen=True)
class Quality:
    """Pixels, samples per pixel, the side of the textures, and how finely displaced meshes are cut."""

    width: int
    height: int
    samples: int
    texture: int
    cuts: int


@dataclass(frozen=True)
class Surface:
    """What a material is made from; ``tile`` is the length of one repeat in metres."""

    prompt: str
    seed: int
    tile: float


WALL = Surface("mossy red brick wall", 8, 2.0)
GROUND = Surface("wet cobblestone", 3, 1.6)
ROW = (
    Surface("cracked blue hexagonal tiles", 4, 1.5),
    Surface("rusty metal plate", 2, 1.5),
    Surface("mossy flagstone", 5, 1.5),
    Surface("weathered turquoise planks", 1, 1.5),
    Surface("white marble", 8, 1.5),
    Surface("red woven fabric", 3, 1.0),
)


def main() -> int:
    """Render what is asked for; both pictures without arguments."""
    parser = argparse.ArgumentParser(description="Render the pictures in docs/images.")
    parser.add_argument("pictures", nargs="*", help="wall, materials")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--draft", action="store_true", help="small and rough, to try a change")
    options = parser.parse_args()
    install()
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.pictures or "wall" in options.pictures:
        quality = Quality(600, 300, 16, 1024, 384) if options.draft else Quality(900, 450, 80, 2048, 640)
        wall(quality)
        render(quality, options.out / "cycles_mossy_red_brick_wall.png")
    if not options.pictures or "materials" in options.pictures:
        quality = Quality(600, 150, 16, 512, 256) if options.draft else Quality(1200, 300, 48, 1024, 384)
        materials(quality)
        render(quality, options.out / "materials.png")
    return 0


def install() -> None:
    """Build the extension and enable it."""
    folder = tempfile.mkdtemp(prefix="dream-textures-zip-")
    subprocess.run([sys.executable, str(ROOT / "build_addon.py"), "--out", folder], check=True)
    (built,) = Path(folder).glob("*.zip")
    bpy.ops.extensions.package_install_files(filepath=str(built), repo="user_default", enable_on_install=True)


def wall(quality: Quality) -> None:
    """A brick wall in raking light, a ball of the same bricks before it, on cobblestones."""
    fresh_scene()
    back = grid("Wall", 9.0, 4.5, WALL.tile, quality.cuts)
    back.rotation_euler = (math.radians(90.0), 0.0, 0.0)
    back.location = (0.0, 1.3, 2.2)
    dress(back, WALL, quality)
    floor = grid("Ground", 9.0, 4.5, GROUND.tile, quality.cuts)
    floor.location = (0.0, -0.75, 0.0)
    dress(floor, GROUND, quality)
    globe = ball("Ball", 0.72, WALL.tile, quality.cuts)
    globe.location = (0.55, 0.1, 0.76)
    globe.rotation_euler = (0.0, 0.0, math.radians(35.0))
    globe.data.materials.append(back.active_material)
    sky()
    camera((-0.7, -5.0, 1.15), (0.2, 0.4, 0.92), 44.0)


def materials(quality: Quality) -> None:
    """Six balls of six materials in a row."""
    fresh_scene()
    backdrop().data.materials.append(plain("Studio", (0.16, 0.155, 0.15)))
    for number, surface in enumerate(ROW):
        globe = ball(surface.prompt, 0.62, surface.tile, quality.cuts)
        globe.location = ((number - (len(ROW) - 1) / 2) * 1.34, 0.0, 0.62)
        dress(globe, surface, quality)
    sky()
    camera((0.0, -13.0, 2.2), (0.0, 0.0, 0.6), 57.0)


def fresh_scene() -> None:
    """An empty scene with a camera-like view of colours."""
    bpy.ops.wm.read_homefile(use_empty=True)
    view = bpy.context.scene.view_settings
    view.view_transform = "AgX"
    view.look = "AgX - Medium High Contrast"


def grid(name: str, width: float, height: float, tile: float, cuts: int) -> bpy.types.Object:
    """A flat mesh whose UVs repeat every ``tile`` metres."""
    mesh = bpy.data.meshes.new(name)
    across, up = max(1, cuts), max(1, round(cuts * height / width))
    vertices = [
        ((i / across - 0.5) * width, (j / up - 0.5) * height, 0.0)
        for j in range(up + 1)
        for i in range(across + 1)
    ]
    stride = across + 1
    faces = [
        (j * stride + i, j * stride + i + 1, (j + 1) * stride + i + 1, (j + 1) * stride + i)
        for j in range(up)
        for i in range(across)
    ]
    mesh.from_pydata(vertices, [], faces)
    uvs = [
        value / tile
        for loop in mesh.loops
        for value in (vertices[loop.vertex_index][0], vertices[loop.vertex_index][1])
    ]
    return finished(mesh, uvs)


def backdrop() -> bpy.types.Object:
    """A floor that bends up into a wall without an edge, as in a photographer's studio."""
    bend, steps = 3.0, 32
    arc = [math.pi / 2 * step / steps for step in range(steps + 1)]
    profile = [
        (-30.0, 0.0),
        *((3.0 + bend * math.sin(a), bend * (1 - math.cos(a))) for a in arc),
        (6.0, 30.0),
    ]
    vertices = [(x, y, z) for y, z in profile for x in (-30.0, 30.0)]
    mesh = bpy.data.meshes.new("Backdrop")
    mesh.from_pydata(vertices, [], [(i, i + 1, i + 3, i + 2) for i in range(0, len(vertices) - 2, 2)])
    return finished(mesh, [0.0] * (2 * len(mesh.loops)))


def ball(name: str, radius: float, tile: float, cuts: int) -> bpy.types.Object:
    """A ball, with a whole number of repeats around it and half as many from pole to pole."""
    around = max(2, round(2 * math.pi * radius / tile / 2) * 2)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=cuts, ring_count=cuts // 2, radius=radius)
    mesh = bpy.context.object.data
    bpy.data.objects.remove(bpy.context.object)
    mesh.name = name
    uvs = [
        value * factor
        for item in mesh.uv_layers[0].uv
        for value, factor in zip(item.vector, (around, around / 2), strict=True)
    ]
    mesh.uv_layers.remove(mesh.uv_layers[0])
    return finished(mesh, uvs)


def finished(mesh: bpy.types.Mesh, uvs: list[float]) -> bpy.types.Object:
    """The mesh with these UVs and smooth faces, as the active object of the scene."""
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", uvs)
    mesh.shade_smooth()
    thing = bpy.data.objects.new(mesh.name, mesh)
    bpy.context.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    return thing


def dress(thing: bpy.types.Object, surface: Surface, quality: Quality) -> None:
    """Make the object's material from words, as a script or a farm would."""
    bpy.context.view_layer.objects.active = thing
    bpy.ops.dtex.generate(
        prompt=surface.prompt,
        seed=surface.seed,
        width=quality.texture,
        displacement="both",
        use_ao=True,
        store="pack",
    )


def plain(name: str, color: tuple[float, float, float]) -> bpy.types.Material:
    """A matt material of one colour, linear RGB."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):  # later ones always use nodes
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*color, 1.0)
    shader.inputs["Roughness"].default_value = 0.85
    return material


def sky() -> None:
    """A clear sky with its sun, and a sun lamp of the same direction for shadows that are not too hard."""
    world = bpy.data.worlds.new("Sky")
    bpy.context.scene.world = world
    if bpy.app.version < (5, 0, 0):  # later ones always use nodes
        world.use_nodes = True
    nodes = world.node_tree.nodes
    texture = nodes.new("ShaderNodeTexSky")
    texture.sky_type = "MULTIPLE_SCATTERING" if bpy.app.version >= (5, 0, 0) else "NISHITA"
    texture.sun_disc = False
    texture.sun_elevation, texture.sun_rotation = SUN
    background = next(node for node in nodes if node.type == "BACKGROUND")
    background.inputs["Strength"].default_value = 0.15
    world.node_tree.links.new(texture.outputs["Color"], background.inputs["Color"])
    lamp = bpy.data.lights.new("Sun", "SUN")
    lamp.energy, lamp.angle, lamp.color = 10.0, math.radians(1.5), (1.0, 0.9, 0.76)
    thing = bpy.data.objects.new("Sun", lamp)
    bpy.context.collection.objects.link(thing)
    height, turn = SUN
    towards = Vector((math.sin(turn) * math.cos(height), math.cos(turn) * math.cos(height), math.sin(height)))
    thing.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()


def camera(place: tuple[float, float, float], at: tuple[float, float, float], lens: float) -> None:
    """The camera at a place, looking at another."""
    data = bpy.data.cameras.new("Camera")
    data.lens = lens
    thing = bpy.data.objects.new("Camera", data)
    bpy.context.collection.objects.link(thing)
    thing.location = place
    thing.rotation_euler = (Vector(at) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.camera = thing


def render(quality: Quality, path: Path) -> None:
    """Render the scene into a PNG file."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = quality.samples
    scene.cycles.use_denoising = True
    scene.render.resolution_x, scene.render.resolution_y = quality.width, quality.height
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    scene.render.image_settings.compression = 100
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    sys.exit(main())
