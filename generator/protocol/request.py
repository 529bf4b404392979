# SPDX-License-Identifier: GPL-3.0-or-later
"""The `Request`: one value that holds everything a result depends on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from .strict import short

REQUEST_VERSION = 1

MAPS = ("basecolor", "normal", "roughness", "height", "ao", "metallic")
TASKS = ("texture", "maps", "tile", "upscale")
SEAMLESS = ("both", "x", "y", "off", "auto")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
SCHEDULERS = (
    "ddim", "ddim_trailing", "ddpm", "deis", "dpm2", "dpm2_a", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde",
    "dpmpp_2m_sde_karras", "dpmpp_2s", "euler", "euler_a", "euler_a_trailing", "euler_karras", "euler_trailing", "heun",
    "lcm", "pndm", "tcd", "unipc",
)  # fmt: skip
"""Every scheduler that a request may name, beside the empty name for the model's own."""
MAKERS = ("auto", "network", "analysis")
DEFAULT_MODEL, STARTER = "builtin:procedural", "builtin:starter"
"""The models that are always there: words to a material without torch, and a small diffusion model."""

MIN_SIZE, MAX_SIZE = 16, 8192
MAX_SEED = 2**63 - 1
MAX_COUNT = 64
MAX_STEPS = 1000
MAX_TEXT = 10_000
MAX_RELIEF = 100.0
MAX_LORAS = 8
MAX_LORA_WEIGHT = 2.0
MIN_GUIDANCE_END = 0.01

FACTORS = (2, 4)
"""How many times as long the sides of an upscaled picture are."""
UPSCALER, LANCZOS = "builtin:upscaler", "builtin:lanczos"
"""The models for the task ``upscale`` beside files: our own networks, and the filter."""


class RequestError(ValueError):
    """A request that cannot be carried out; its text is a sentence for the artist."""


@dataclass(frozen=True)
class ImageRef:
    """Which source picture a request means: its size, the SHA-256 of its pixels, and a bare file name.

    The pixels travel beside the request as a ``uint8`` array ``(height, width, 3 or 4)``, sRGB, top row
    first, and for the tasks ``tile`` and ``upscale`` as ``uint16`` where the picture is that fine; for ``upscale``
    with one to eleven channels (see `layers.layout`). The checksum is taken over those bytes.
    ``name`` is where a recipe looks for the picture, in the recipe's own folder; it is never a path.
    """

    sha256: str
    width: int
    height: int
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.sha256, str) or not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise RequestError("The source image's checksum is not a SHA-256 in hexadecimal.")
        _whole("The source image's width", self.width, 1, MAX_SIZE)
        _whole("The source image's height", self.height, 1, MAX_SIZE)
        _text("The source image's name", self.name)
        if self.name and (re.search(r"[\\/:\x00]", self.name) or self.name in (".", "..")):
            raise RequestError("The source image's name must be a bare file name, without a folder.")


@dataclass(frozen=True)
class Lora:
    """A small file of weights that is laid over the model's own, ``weight`` in [-2, 2] times.

    ``file`` is the path of a ``.safetensors`` file on the generator's machine, or of the folder that holds it.
    """

    file: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        _text("The LoRA's file", self.file)
        if not self.file.strip() or "\x00" in self.file:
            raise RequestError("Choose the LoRA's file.")
        weight = _real("The LoRA's weight", self.weight, -MAX_LORA_WEIGHT, MAX_LORA_WEIGHT)
        object.__setattr__(self, "weight", weight)


@dataclass(frozen=True)
class Request:
    """Everything a result depends on. The same request gives the same bytes on the same machine.

    Raises `RequestError` with one sentence when a value is out of range. ``count`` images are made with the
    seeds ``seed``, ``seed + 1``, ...; ``strength`` in [0, 1] is how far a source may be changed. ``seamless`` of
    ``auto`` follows the source (the axes along which it tiles; both without a source); the generator settles it
    before it starts, so that a recipe never says ``auto``.

    ``maps_from`` says how maps are made of a picture: by the network or by image analysis. ``auto`` is the network
    where it is there; the generator settles this as well wherever maps are made so, and the recipe says which it was.

    ``num_inference_steps`` of 0 and ``guidance_scale`` of None mean what the model, with its ``loras``, was made for;
    the generator settles both, and a ``scheduler`` that is empty where only one will do, as soon as the model is
    there, so that a recipe says them.

    ``guidance_end`` in [0.01, 1] is the share of the steps that are guided; the others are computed in one pass.

    The task ``texture`` makes a material from words, ``maps`` one from a picture as it is, and ``tile`` makes the
    source itself tile along ``seamless``: one picture of the source's own size, called ``basecolor`` whatever it
    shows. There the default model means that the edges are joined without a model; any other draws the joint anew.

    The task ``upscale`` makes the source's ``maps`` larger: ``width`` and ``height`` are two or four times the
    source's. The model is `UPSCALER`, `LANCZOS` or the path of a model file; the default model means the best that
    is here, and the generator settles which that is, so that a recipe says it. ``relief`` is that of the source's
    height map, in [0, 100] (see `Result`).
    """

    prompt: str = ""
    negative_prompt: str = ""
    task: str = "texture"
    model: str = DEFAULT_MODEL
    width: int = 1024
    height: int = 1024
    seed: int = 0
    count: int = 1
    seamless: str = "both"
    maps: tuple[str, ...] = MAPS
    maps_from: str = "auto"
    source: ImageRef | None = None
    strength: float = 0.6
    num_inference_steps: int = 0
    guidance_scale: float | None = None
    guidance_end: float = 1.0
    scheduler: str = ""
    loras: tuple[Lora, ...] = ()
    precision: str = "auto"
    device: str = "auto"
    relief: float = 0.0

    def __post_init__(self) -> None:
        for name in ("prompt", "negative_prompt", "model", "scheduler", "device"):
            _text(f"The {name.replace('_', ' ')}", getattr(self, name))
        _choice("task", self.task, TASKS)
        _choice("seamless", self.seamless, SEAMLESS)
        _choice("precision", self.precision, PRECISIONS)
        _choice("maker of maps", self.maps_from, MAKERS)
        _whole("The width", self.width, MIN_SIZE, MAX_SIZE)
        _whole("The height", self.height, MIN_SIZE, MAX_SIZE)
        _whole("The seed", self.seed, 0, MAX_SEED)
        _whole("The number of images", self.count, 1, MAX_COUNT)
        _whole("The number of steps", self.num_inference_steps, 0, MAX_STEPS)
        # Stored as floats, so that a request that went through JSON equals the one that did not.
        object.__setattr__(self, "strength", _real("The strength", self.strength, 0.0, 1.0))
        if self.guidance_scale is not None:
            guidance = _real("The guidance scale", self.guidance_scale, 0.0, 100.0)
            object.__setattr__(self, "guidance_scale", guidance)
        end = _real("The end of the guidance", self.guidance_end, MIN_GUIDANCE_END, 1.0)
        object.__setattr__(self, "guidance_end", end)
        object.__setattr__(self, "relief", _real("The relief", self.relief, 0.0, MAX_RELIEF))
        if not isinstance(self.maps, (tuple, list)):
            raise RequestError("The maps must be a list of names.")
        for name in self.maps:
            _choice("map", name, MAPS)
        object.__setattr__(self, "maps", tuple(name for name in MAPS if name in self.maps))
        if not self.maps:
            raise RequestError("Ask for at least one map.")
        self._check_loras()
        if not self.model:
            raise RequestError("Choose a model.")
        if self.source is not None and not isinstance(self.source, ImageRef):
            raise RequestError("The source must name an image by its size and checksum.")
        if self.task == "maps" and self.source is None:
            raise RequestError("Choose the image that the maps are to be made from.")
        if self.task == "tile":
            self._check_tile()
        if self.task == "upscale":
            self._check_upscale()
        if self.task == "texture" and self.source is None and not self.prompt.strip():
            raise RequestError("Type what the texture should be, such as: mossy red brick wall.")

    def _check_loras(self) -> None:
        if not isinstance(self.loras, (tuple, list)) or any(
            not isinstance(item, Lora) for item in self.loras
        ):
            raise RequestError("The LoRAs must be a list of files and weights.")
        if len(self.loras) > MAX_LORAS:
            raise RequestError(f"A model takes at most {MAX_LORAS} LoRAs at once, not {len(self.loras)}.")
        object.__setattr__(self, "loras", tuple(self.loras))

    def _check_tile(self) -> None:
        if self.source is None:
            raise RequestError("Choose the image that is to be made to tile.")
        if self.seamless == "off":
            raise RequestError("Choose along which axes the image is to tile: both, x or y.")
        if self.maps != ("basecolor",):
            raise RequestError("Only the image itself is made to tile; ask for basecolor and no other map.")
        if self.count != 1:
            raise RequestError("One request makes one image tile.")

    def _check_upscale(self) -> None:
        if self.source is None:
            raise RequestError("Choose the image that is to be made larger.")
        if (self.width, self.height) not in [
            (self.source.width * factor, self.source.height * factor) for factor in FACTORS
        ]:
            raise RequestError(
                f"An image of {self.source.width} x {self.source.height} is made two or four times as large, not "
                f"{self.width} x {self.height}."
            )
        if self.count != 1:
            raise RequestError("One request makes one image larger.")

    @property
    def factor(self) -> int:
        """How many times as long the result's sides are as the source's, for the task ``upscale``."""
        return 1 if self.source is None else self.width // self.source.width

    @property
    def guidance(self) -> float:
        """The guidance scale as a number (None must have been settled before)."""
        assert self.guidance_scale is not None
        return self.guidance_scale

    def settled(self, steps: int, guidance: float, scheduler: str = "") -> Request:
        """The same, with these numbers and this scheduler in place of what was left to the model."""
        return replace(
            self,
            num_inference_steps=self.num_inference_steps or steps,
            guidance_scale=guidance if self.guidance_scale is None else self.guidance_scale,
            scheduler=self.scheduler or scheduler,
        )

    @property
    def tiles_x(self) -> bool:
        """Whether the left and right edges must meet (``auto`` must have been settled before)."""
        return self.seamless in ("both", "x")

    @property
    def tiles_y(self) -> bool:
        """Whether the top and bottom edges must meet (``auto`` must have been settled before)."""
        return self.seamless in ("both", "y")

    def image_seed(self, index: int) -> int:
        """The seed of the ``index``-th image of this request."""
        return (self.seed + index) % (MAX_SEED + 1)

    def for_image(self, index: int) -> Request:
        """The request that makes the ``index``-th image of this one alone: the image's own recipe."""
        return replace(self, seed=self.image_seed(index), count=1)

    def to_json(self) -> dict[str, Any]:
        """This request as plain JSON values, with its format version."""
        loras = [asdict(item) for item in self.loras]
        return {"version": REQUEST_VERSION, **asdict(self), "maps": list(self.maps), "loras": loras}

    @classmethod
    def from_json(cls, value: object) -> Request:
        """The request that `to_json` wrote. Raises `RequestError` on unknown versions, fields or values."""
        data = _object("The request", value)
        version = data.pop("version", None)
        if version != REQUEST_VERSION or isinstance(version, bool):
            raise RequestError(
                f"This request has format version {short(version)}; this program reads version {REQUEST_VERSION}."
            )
        _known("The request", data, cls)
        if data.get("source") is not None:
            source = _object("The source", data["source"])
            _known("The source", source, ImageRef)
            try:
                data["source"] = ImageRef(**source)
            except TypeError as error:
                raise RequestError("The source is incomplete: it needs a checksum and a size.") from error
        data["loras"] = _loras(data.get("loras", ()))
        try:
            return cls(**data)
        except TypeError as error:
            raise RequestError(f"The request is incomplete: {error}.") from error


def _loras(value: object) -> tuple[Lora, ...]:
    if not isinstance(value, (list, tuple)):
        raise RequestError("The LoRAs must be a list of files and weights.")
    found = []
    for item in value[: MAX_LORAS + 1]:
        data = _object("A LoRA", item)
        _known("A LoRA", data, Lora)
        if "file" not in data:
            raise RequestError("A LoRA is incomplete: it needs a file.")
        found.append(Lora(**data))
    return tuple(found)


def _object(what: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise RequestError(f"{what} must be a JSON object.")
    return dict(value)


def _known(what: str, data: Mapping[str, Any], kind: type) -> None:
    unknown = sorted(set(data) - {item.name for item in fields(kind)})
    if unknown:
        names = ", ".join(unknown)
        if len(names) > 200:
            names = f"{names[:200]}..."
        raise RequestError(f"{what} has fields that this version does not know: {names}.")


def _text(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise RequestError(f"{what} must be text.")
    if len(value) > MAX_TEXT:
        raise RequestError(f"{what} is longer than {MAX_TEXT} characters.")
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise RequestError(f"{what} holds characters that are not valid Unicode.")


def _choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise RequestError(f"There is no {what} {short(value)}; choose from: {', '.join(choices)}.")


def _whole(what: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RequestError(f"{what} must be a whole number from {low} to {high}, not {short(value)}.")


def _real(what: str, value: object, low: float, high: float) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return float(value)  # NaN and the infinities fail the comparison
    raise RequestError(f"{what} must be a number from {low:g} to {high:g}, not {short(value)}.")
