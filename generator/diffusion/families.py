# SPDX-License-Identifier: GPL-3.0-or-later
"""The families of models: what each pipeline wants to be told, and how its latents lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from .latents import channels, pixels_per_latent

Task = Literal["text", "image", "inpaint"]


@dataclass(frozen=True)
class Family:
    """How one kind of pipeline differs from the others.

    ``denoiser`` is the part that denoises; ``packed``: it sees a sequence of squares of 2 x 2 latents; ``guidance``
    names the setting for the guidance scale; ``negative`` whether a negative prompt can work at all; ``fixed`` are
    settings for every call. ``own_image_to_image`` is false where diffusers has no such pipeline: the text pipeline
    is then started on a noised source. ``cuts_between`` says how these pipelines count the steps of a strength.
    Up to a guidance scale of ``nil`` a pass without words has no weight.
    """

    denoiser: str = "transformer"
    packed: bool = False
    guidance: str = "guidance_scale"
    negative: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    own_image_to_image: bool = True
    cuts_between: bool = True
    float32_latents: bool = False
    nil: float = 1.0

    @property
    def paired(self) -> bool:
        """Whether a guided step's passes, with and without words, are one batch."""
        return not self.packed


_NO_BINS = {"clean_caption": False, "use_resolution_binning": False}
UNET = Family(denoiser="unet", cuts_between=False)
TRANSFORMERS = {
    "StableDiffusion3Pipeline": Family(),
    "FluxPipeline": Family(packed=True, negative=False),
    "QwenImagePipeline": Family(packed=True, guidance="true_cfg_scale"),
    "ZImagePipeline": Family(float32_latents=True, nil=0.0),
    "PixArtAlphaPipeline": Family(own_image_to_image=False, fixed=_NO_BINS),
    "PixArtSigmaPipeline": Family(own_image_to_image=False, fixed=_NO_BINS),
    "SanaPipeline": Family(own_image_to_image=False, fixed=_NO_BINS),
}
"""By the class of the pipeline: a class of the same denoiser may want other inputs (an image to edit, a depth)."""

TITLES = "Stable Diffusion 1.x, 2.x, XL or 3, Flux, Qwen-Image, Z-Image, PixArt or Sana"


def family_of(pipeline: Any) -> Family | None:
    """The family of a loaded pipeline; None where it is none that is known here."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    if isinstance(getattr(pipeline, "unet", None), UNet2DConditionModel):
        return UNET
    return TRANSFORMERS.get(type(pipeline).__name__)


def task_of(pipeline: Any) -> Task:
    """What a pipeline was made for, by its class: a refiner's folder wants an image, an inpainting one a mask."""
    name = type(pipeline).__name__
    return "inpaint" if "Inpaint" in name else "image" if "Img2Img" in name else "text"


def stride(pipeline: Any, family: Family) -> int:
    """Sizes in pixels must be multiples of this, or a downsampling or a patch would not come out even."""
    latent = pixels_per_latent(pipeline.vae)
    config = getattr(pipeline, family.denoiser).config
    if family.denoiser == "unet":
        return latent * 2 ** (len(config["block_out_channels"]) - 1)
    patch = config.get("patch_size") or (config.get("all_patch_size") or (1,))[0]
    return latent * (2 if family.packed else int(patch))


def largest_side(pipeline: Any, family: Family) -> int | None:
    """The longest side in pixels that the model has positions for; None where there is no such end."""
    config = getattr(pipeline, family.denoiser).config
    table = config.get("pos_embed_max_size")
    return int(table) * stride(pipeline, family) if table else None


def denoiser(pipeline: Any, family: Family) -> Any:
    """The part that denoises, a ``ModelMixin``."""
    return getattr(pipeline, family.denoiser)


def takes_negative(pipeline: Any, family: Family) -> bool:
    """Whether a second pass, without words or with those of the negative prompt, can guide it.

    Full latent consistency models are told the guidance scale instead, in their only pass.
    """
    return family.negative and denoiser(pipeline, family).config.get("time_cond_proj_dim") is None


def is_guided(pipeline: Any, family: Family, scale: float) -> bool:
    """Whether a step at this guidance scale takes two passes."""
    return scale > family.nil and takes_negative(pipeline, family)


def latent_shape(pipeline: Any, width: int, height: int) -> tuple[int, int, int, int]:
    """``(1, C, h, w)`` for a picture of ``width`` x ``height`` pixels."""
    side = pixels_per_latent(pipeline.vae)
    return 1, channels(pipeline.vae), height // side, width // side


def packed(latents: Tensor, family: Family) -> Tensor:
    """Latents ``(B, C, h, w)`` as the pipeline takes them; packed, ``(B, h w / 4, 4 C)``."""
    if not family.packed:
        return latents
    count, depth, rows, columns = latents.shape
    squares = latents.reshape(count, depth, rows // 2, 2, columns // 2, 2)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(count, rows * columns // 4, 4 * depth)


def unpacked(latents: Tensor, family: Family, shape: tuple[int, int, int, int]) -> Tensor:
    """The way back to ``shape``; also drops the time axis that some pipelines keep."""
    if not family.packed:
        return latents.reshape(-1, *shape[1:])
    _, depth, rows, columns = shape
    squares = latents.reshape(-1, rows // 2, columns // 2, depth, 2, 2)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(-1, depth, rows, columns)
