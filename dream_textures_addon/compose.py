# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist chose, as the request that is sent and the plan for what comes back."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from . import presets, schedulers, targets
from .delivery import Destination, MaterialDestination
from .images import read_source
from .materials import MaterialOptions
from .settings import MAX_SEED, DTEX_PG_settings
from .wire import protocol

_CHOSEN = {"steps": "num_inference_steps", "guidance": "guidance_scale", "guidance_end": "guidance_end"}
"""The settings that are the model's own unless somebody says otherwise, and the request's fields for them."""


class Wishes:
    """The panel's settings, with what a script gave to the operator in place of theirs."""

    def __init__(self, settings: DTEX_PG_settings, operator: bpy.types.Operator | None = None) -> None:
        self._settings = settings
        self._operator = operator

    def given(self, name: str) -> bool:
        """Whether the operator was called with this property."""
        operator = self._operator
        return (
            operator is not None
            and name in operator.properties.bl_rna.properties
            and operator.properties.is_property_set(name)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operator if self.given(name) else self._settings, name)

    @property
    def source_image(self) -> bpy.types.Image | None:
        """The image to start from. Raises `RequestError` where a script names one that is not open."""
        if not self.given("source"):
            return self._settings.source
        name = getattr(self._operator, "source", "")
        if name and name not in bpy.data.images:
            raise protocol.RequestError(f"No image named “{name}” is open.")
        return bpy.data.images.get(name)

    @property
    def model_name(self) -> str:
        """The model for the request. Raises `RequestError` where no folder is chosen."""
        if self.given("model"):
            return str(getattr(self._operator, "model", ""))
        if not self._settings.model_name:
            raise protocol.RequestError("Choose the folder of a model, or a built-in one.")
        return self._settings.model_name

    def model_settings(self) -> dict[str, Any]:
        """What the request says of how the model is run; what is left to the model is left out.

        Raises `RequestError` where no folder is chosen, and for a LoRA without a file.
        """
        chosen: dict[str, Any] = {"model": self.model_name, "scheduler": schedulers.requested(self.scheduler)}
        if chosen["model"] == protocol.DEFAULT_MODEL:
            return chosen
        if chosen["model"] != protocol.STARTER:  # LoRAs are made for other models
            chosen["loras"] = tuple(
                protocol.Lora(bpy.path.abspath(lora.file), round(lora.weight, 4))
                for lora in self._settings.loras
            )
        for name, field in _CHOSEN.items():
            if self.given(name) or not self._settings.automatic:
                chosen[field] = getattr(self, name)
        return chosen

    def pixels(self) -> tuple[int, int]:
        """Width and height; a script that gives one of them gets a square."""
        if self.given("width") or self.given("height"):
            width = self.width if self.given("width") else self.height
            return width, self.height if self.given("height") else width
        return self._settings.pixels

    def draw_seed(self) -> int:
        """The seed for this job; a random one is shown in the panel, so that it can be kept."""
        if self._settings.random_seed and not self.given("seed"):
            self._settings.seed = random.randint(0, MAX_SEED)
        return int(self.seed)


@dataclass(frozen=True)
class Order:
    """A request, the pixels of its source, and where the result goes."""

    request: protocol.Request
    source: protocol.Array | None
    destination: Destination


def sent_prompts(wishes: Wishes) -> tuple[str, str]:
    """The prompt and the negative prompt that the generator will get."""
    builtin = wishes.model in ("builtin", "starter") or str(wishes.model).startswith("builtin:")
    return presets.apply(presets.find(wishes.preset), wishes.prompt, wishes.negative_prompt, builtin=builtin)


def compose_texture(context: bpy.types.Context, wishes: Wishes) -> Order:
    """A new texture. Raises `RequestError`, `ImageError` and `TargetError` with a sentence."""
    prompt, negative = sent_prompts(wishes)
    image = wishes.source_image
    if image is None and not prompt:
        # Before a seed is drawn and before any pixel is read.
        raise protocol.RequestError("Type what the texture should be, such as: mossy red brick wall.")
    chosen = wishes.model_settings()  # nor for a model that is not there
    pixels, reference = (None, None) if image is None else read_source(image)
    width, height = wishes.pixels()
    request = protocol.Request(
        prompt=prompt,
        negative_prompt=negative,
        width=width,
        height=height,
        seed=wishes.draw_seed(),
        count=wishes.count,
        seamless=wishes.seamless,
        maps=tuple(wishes.maps),
        maps_from=wishes.maps_from,
        source=reference,
        strength=wishes.strength,
        **chosen,
    )
    return Order(request, pixels, _destination(context, wishes, _words(wishes.prompt, image)))


def compose_maps(context: bpy.types.Context, wishes: Wishes) -> Order:
    """The maps of the source as it is. Raises `RequestError`, `ImageError` and `TargetError` with a sentence."""
    image = wishes.source_image
    if image is None:
        raise protocol.RequestError("Choose the image that the maps are to be made from.")
    pixels, reference = read_source(image)
    request = protocol.Request(
        task="maps",
        width=max(reference.width, protocol.MIN_SIZE),
        height=max(reference.height, protocol.MIN_SIZE),
        seamless="auto",
        maps=tuple(wishes.maps),
        maps_from=wishes.maps_from,
        source=reference,
    )
    return Order(request, pixels, _destination(context, wishes, _words("", image)))


def _destination(context: bpy.types.Context, wishes: Wishes, words: str) -> MaterialDestination:
    """Where the result goes. Raises `TargetError` where that may not be changed."""
    return MaterialDestination(
        words=words,
        target=targets.choose(context, wishes.target == "new"),
        options=material_options(wishes),
        pack=wishes.store == "pack",
    )


def material_options(wishes: Wishes | DTEX_PG_settings) -> MaterialOptions:
    """How the node tree is to be built."""
    return MaterialOptions(wishes.mapping_scale, wishes.use_ao, wishes.displacement)


def _words(prompt: str, image: bpy.types.Image | None) -> str:
    words = prompt.strip()
    return words or ("texture" if image is None else Path(image.name).stem)
