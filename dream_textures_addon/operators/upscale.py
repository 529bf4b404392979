# SPDX-License-Identifier: GPL-3.0-or-later
"""Upscale: a material's images, or the one that the Image Editor shows, two or four times as large."""

# pyright: reportInvalidTypeForm=false
from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import upscale_order
from ..compose import Order, Wishes
from ..images import ImageError
from ..settings import STORE_ITEMS
from ..submission import submit
from ..wire import protocol

_ONCE = {"SKIP_SAVE"}
FACTOR_ITEMS = [
    (str(factor), f"{factor}×", f"{factor} times as many pixels each way") for factor in protocol.FACTORS
]


class DTEX_OT_upscale(bpy.types.Operator):
    """Make the images of this material, or this image, larger, so that they still tile"""

    bl_idname = "dtex.upscale"
    bl_label = "Upscale"
    bl_options = {"REGISTER"}

    factor: EnumProperty(name="Factor", items=FACTOR_ITEMS, options=_ONCE)
    image: StringProperty(
        name="Image",
        description="The name of an open image; in the Image Editor, without it, the one that is shown",
        options=_ONCE,
    )
    material: StringProperty(
        name="Material",
        description="The name of a material whose images are to be replaced; elsewhere, without it, the active one",
        options=_ONCE,
    )
    # For scripts: each one that is given is used in place of the panel's setting.
    upscaler: StringProperty(name="Upscaler", description="The path of a model file", options=_ONCE)
    store: EnumProperty(name="Images", items=STORE_ITEMS, options=_ONCE)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Queue the images; in background mode, wait for them."""
        return submit(self, context, self._compose)

    def _compose(self, context: bpy.types.Context, wishes: Wishes) -> Order:
        factor = int(self.factor)
        image = self._image(context)
        if image is not None:
            return upscale_order.compose_image(context, wishes, image, factor)
        material = upscale_order.chosen_material(context, self.material)
        return upscale_order.compose_material(wishes, material, factor)

    def _image(self, context: bpy.types.Context) -> bpy.types.Image | None:
        """The image that is meant, or None where a material is."""
        if self.image:
            if self.image not in bpy.data.images:
                raise ImageError(f"No image named “{self.image}” is open.")
            return bpy.data.images[self.image]
        space = context.space_data
        if self.material or not isinstance(space, bpy.types.SpaceImageEditor):
            return None
        if space.image is None:
            raise ImageError("Choose the image that is to be made larger.")
        return space.image


def register() -> None:
    """Add the operator."""
    bpy.utils.register_class(DTEX_OT_upscale)


def unregister() -> None:
    """Remove the operator."""
    bpy.utils.unregister_class(DTEX_OT_upscale)
