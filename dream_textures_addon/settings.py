# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist sets in the panel, kept with the scene at ``scene.dtex``."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .presets import PRESETS
from .schedulers import SCHEDULER_ITEMS
from .wire import protocol

MAX_SEED = 2**31 - 1
"""Blender's integer properties have 32 bits; the generator takes 63."""

PRESET_ITEMS = [(preset.id, preset.label, preset.description) for preset in PRESETS]

SEAMLESS_ITEMS = [
    ("both", "Both", "The texture repeats sideways and upwards"),
    ("x", "X", "The texture repeats sideways"),
    ("y", "Y", "The texture repeats upwards"),
    ("off", "Off", "The texture does not repeat"),
]

SIZES = (256, 512, 1024, 2048, 4096)
SIZE_ITEMS = [
    *((str(size), f"{size} × {size}", f"A square of {size} pixels a side") for size in SIZES),
    ("custom", "Custom", "A width and a height of your own"),
]

# The numbers are what files hold: they stay with their items.
MODEL_ITEMS = [
    ("builtin", "Built-in", "Plain words to a material with exact maps; needs no download and no GPU", 0),
    (
        "starter",
        "Starter",
        "A small diffusion model of materials that came with the add-on; needs PyTorch",
        2,
    ),
    ("folder", "Folder", "A diffusion model from a folder on this computer; needs PyTorch", 1),
]

MAP_ITEMS = [
    ("basecolor", "Base Color", "The colour of the surface, without light or shadow", 1),
    ("normal", "Normal", "Small relief for shading, as tangent-space normals", 2),
    ("roughness", "Roughness", "Where the surface is matt and where it shines", 4),
    ("height", "Height", "The relief itself in 16 bits, for displacement and bump", 8),
    ("ao", "Ambient Occlusion", "How much the relief shades itself", 16),
    ("metallic", "Metallic", "Where the surface is bare metal", 32),
]

MAKER_ITEMS = [
    ("auto", "Automatic", "The network, or image analysis where there is none"),
    ("network", "Network", "A trained network sees the maps and takes the light out of the base colour"),
    (
        "analysis",
        "Image Analysis",
        "Brightness and grain are measured, and the base colour is the image itself",
    ),
]

TARGET_ITEMS = [
    ("active", "Active Material", "Write into the active object's material; nodes of your own stay"),
    ("new", "New Material", "Make a new material and put it into the active slot"),
]

DISPLACEMENT_ITEMS = [
    ("bump", "Bump", "The relief is shaded, and the shape stays as it is"),
    ("displacement", "Displacement", "The height moves the surface; the mesh needs enough subdivision"),
    ("both", "Both", "The height moves the surface, and relief finer than the mesh is shaded"),
    ("none", "None", "The height is loaded and left unconnected"),
]

STORE_ITEMS = [
    (
        "beside",
        "Beside the File",
        "Save into “textures” beside the .blend; an unsaved file packs them instead",
    ),
    ("pack", "Packed", "Keep the images inside the .blend"),
]


_RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""For paths: Blender 4.2 takes those that begin with // without being told."""


def is_picture(_settings: DTEX_PG_settings | None, image: bpy.types.Image) -> bool:
    return image.source in {"FILE", "GENERATED"} and image.type not in {"RENDER_RESULT", "COMPOSITING"}


class DTEX_PG_lora(bpy.types.PropertyGroup):
    """One LoRA that is laid over the model."""

    file: StringProperty(
        name="LoRA",
        description="The file of a LoRA that fits the model: .safetensors",
        subtype="FILE_PATH",
        options=_RELATIVE,
    )
    weight: FloatProperty(
        name="Weight",
        description="How strongly it is laid over the model; below 0 it does the opposite",
        default=1.0,
        min=-protocol.MAX_LORA_WEIGHT,
        max=protocol.MAX_LORA_WEIGHT,
        soft_min=0.0,
        soft_max=1.0,
        step=5,
    )


class DTEX_PG_settings(bpy.types.PropertyGroup):
    """The settings of the next texture."""

    prompt: StringProperty(
        name="Prompt",
        description="What the surface is, in plain words",
        maxlen=1024,
        options={"TEXTEDIT_UPDATE"},
    )
    preset: EnumProperty(
        name="Style",
        description="Words put around the prompt, so that it need not be crafted",
        items=PRESET_ITEMS,
        default="none",
    )
    negative_prompt: StringProperty(
        name="Negative", description="What the surface should not show", maxlen=1024
    )
    source: PointerProperty(
        name="Source",
        description="An image to start from; it is made to tile and changed as far as Strength says",
        type=bpy.types.Image,
        poll=is_picture,
    )
    strength: FloatProperty(
        name="Strength",
        description="How far the source may be changed",
        default=0.6,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    seamless: EnumProperty(
        name="Seamless",
        description="Along which axes the texture repeats",
        items=SEAMLESS_ITEMS,
        default="both",
    )
    size: EnumProperty(name="Size", description="How many pixels", items=SIZE_ITEMS, default="1024")
    width: IntProperty(
        name="Width",
        description="Pixels sideways",
        default=1024,
        min=protocol.MIN_SIZE,
        max=protocol.MAX_SIZE,
        step=64,
        subtype="PIXEL",
    )
    height: IntProperty(
        name="Height",
        description="Pixels upwards",
        default=1024,
        min=protocol.MIN_SIZE,
        max=protocol.MAX_SIZE,
        step=64,
        subtype="PIXEL",
    )
    seed: IntProperty(
        name="Seed", description="The same seed makes the same texture again", min=0, max=MAX_SEED
    )
    random_seed: BoolProperty(
        name="Random",
        description="Draw a new seed each time; it is then shown, so that you can keep it",
        default=True,
    )
    count: IntProperty(
        name="Variations",
        description="How many textures, each with the next seed",
        default=1,
        min=1,
        max=protocol.MAX_COUNT,
        soft_max=8,
    )
    model: EnumProperty(
        name="Model", description="What makes the texture", items=MODEL_ITEMS, default="builtin"
    )
    model_folder: StringProperty(
        name="Folder",
        description="The folder of a diffusers model: it holds model_index.json",
        subtype="DIR_PATH",
        options=_RELATIVE,
    )
    loras: CollectionProperty(name="LoRAs", description="What is laid over the model", type=DTEX_PG_lora)
    upscaler: StringProperty(
        name="Upscaler",
        description="A model file that makes images larger (.safetensors, .pth); without one, what is built in",
        subtype="FILE_PATH",
        options=_RELATIVE,
    )
    automatic: BoolProperty(
        name="Automatic",
        description="As many steps and as much guidance as the model, with its LoRAs, was made for",
        default=True,
    )
    steps: IntProperty(
        name="Steps",
        description="More steps take longer and refine the picture",
        default=25,
        min=1,
        max=protocol.MAX_STEPS,
        soft_max=100,
    )
    guidance: FloatProperty(
        name="Guidance",
        description="How closely the picture follows the prompt",
        default=7.5,
        min=0.0,
        max=100.0,
        soft_max=20.0,
    )
    guidance_end: FloatProperty(
        name="Guide Until",
        description="The share of the steps that are guided. Each of the others takes about half the time and follows "
        "the prompt less closely",
        subtype="FACTOR",
        default=1.0,
        min=protocol.MIN_GUIDANCE_END,
        max=1.0,
    )
    scheduler: EnumProperty(
        name="Scheduler", description="How the steps are taken", items=SCHEDULER_ITEMS, default="default"
    )
    maps: EnumProperty(
        name="Maps",
        description="Which images to make",
        items=MAP_ITEMS,
        options={"ENUM_FLAG"},
        default=set(protocol.MAPS),
    )
    maps_from: EnumProperty(
        name="Maps By",
        description="What makes the maps of an image, or of what a diffusion model drew",
        items=MAKER_ITEMS,
        default="auto",
    )
    target: EnumProperty(
        name="Material", description="Where the texture goes", items=TARGET_ITEMS, default="active"
    )
    mapping_scale: FloatProperty(
        name="Repeat",
        description="How often the texture repeats over one UV tile, or over one unit without UVs",
        default=1.0,
        min=0.001,
        soft_max=20.0,
    )
    use_ao: BoolProperty(
        name="Multiply Ambient Occlusion",
        description="Darken the base colour by the ambient occlusion; otherwise it is loaded and left unconnected",
    )
    displacement: EnumProperty(
        name="Height", description="What the height map does", items=DISPLACEMENT_ITEMS, default="bump"
    )
    store: EnumProperty(
        name="Images", description="Where the images are kept", items=STORE_ITEMS, default="beside"
    )

    @property
    def pixels(self) -> tuple[int, int]:
        """The width and height that are asked for."""
        return (self.width, self.height) if self.size == "custom" else (int(self.size), int(self.size))

    @property
    def model_name(self) -> str:
        """What a request calls the chosen model; an empty text where the folder is still to be chosen."""
        if self.model != "folder":
            return protocol.STARTER if self.model == "starter" else protocol.DEFAULT_MODEL
        return str(Path(bpy.path.abspath(self.model_folder))) if self.model_folder else ""

    @property
    def uses_diffusion(self) -> bool:
        """Whether a diffusion model is chosen, with steps and a guidance."""
        return self.model != "builtin"


_CLASSES = (DTEX_PG_lora, DTEX_PG_settings)


@bpy.app.handlers.persistent
def keep_numbers(*_arguments: object) -> None:
    """Let files from before there was *Automatic* go on with the steps and the guidance that were chosen in them."""
    for scene in bpy.data.scenes:
        settings = scene.dtex  # type: ignore[attr-defined]
        chosen = settings.is_property_set("steps") or settings.is_property_set("guidance")
        if chosen and not settings.is_property_set("automatic"):
            settings.automatic = False


def register() -> None:
    """Add ``scene.dtex``."""
    for kind in _CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.dtex = PointerProperty(type=DTEX_PG_settings)  # type: ignore[attr-defined]
    bpy.app.handlers.load_post.append(keep_numbers)


def unregister() -> None:
    """Take ``scene.dtex`` away; what is stored in files stays there."""
    bpy.app.handlers.load_post.remove(keep_numbers)
    del bpy.types.Scene.dtex  # type: ignore[attr-defined]
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)
