# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Seamless: any open image becomes a new one that tiles."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from .. import seamless
from ..compose import Order, Wishes
from ..images import ImageError
from ..settings import MAX_SEED, SEAMLESS_ITEMS, STORE_ITEMS
from ..submission import submit
from ..wire import protocol

_ONCE = {"SKIP_SAVE"}


class DTEX_OT_make_seamless(bpy.types.Operator):
    """Make a copy of this image whose edges meet, so that it repeats without a seam"""

    bl_idname = "dtex.make_seamless"
    bl_label = "Make Seamless"
    bl_options = {"REGISTER"}

    image: StringProperty(
        name="Image",
        description="The name of an open image; without it, the one that the editor shows, or the source",
        options=_ONCE,
    )
    use_model: BoolProperty(
        name="Use the Model",
        description="Draw the joint anew with the model that the panel names, from the panel's prompt",
        options=_ONCE,
    )
    # For scripts: each one that is given is used in place of the panel's setting.
    seamless: EnumProperty(name="Seamless", items=SEAMLESS_ITEMS[:3], options=_ONCE)
    prompt: StringProperty(name="Prompt", options=_ONCE)
    model: StringProperty(
        name="Model", description="builtin:starter, or the path of a model folder", options=_ONCE
    )
    strength: FloatProperty(name="Strength", default=0.6, min=0.0, max=1.0, options=_ONCE)
    seed: IntProperty(name="Seed", min=0, max=MAX_SEED, options=_ONCE)
    steps: IntProperty(name="Steps", default=25, min=1, max=protocol.MAX_STEPS, options=_ONCE)
    guidance: FloatProperty(name="Guidance", default=7.5, min=0.0, max=100.0, options=_ONCE)
    guidance_end: FloatProperty(
        name="Guide Until", default=1.0, min=protocol.MIN_GUIDANCE_END, max=1.0, options=_ONCE
    )
    store: EnumProperty(name="Images", items=STORE_ITEMS, options=_ONCE)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the image; in background mode, wait for it."""
        return submit(self, context, self._compose)

    def _compose(self, context: bpy.types.Context, wishes: Wishes) -> Order:
        source = context.scene.dtex.source  # type: ignore[attr-defined]
        image = self._image(context) or source
        if image is None:
            raise ImageError("Choose the image that is to be made seamless.")
        use_model = self.use_model or wishes.given("model")
        return seamless.compose(context, wishes, image, use_model, from_source=image == source)

    def _image(self, context: bpy.types.Context) -> bpy.types.Image | None:
        if not self.image:
            space = context.space_data
            return space.image if isinstance(space, bpy.types.SpaceImageEditor) else None
        if self.image not in bpy.data.images:
            raise ImageError(f"No image named “{self.image}” is open.")
        return bpy.data.images[self.image]


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_make_seamless)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_make_seamless)
