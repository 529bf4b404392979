# SPDX-License-Identifier: GPL-3.0-or-later
"""What one call of a real denoiser takes besides its weights, counted, against what the generator estimates.

    python benchmarks/memory_estimate.py [--sizes 512 1024] [--markdown FILE]

The architectures have their published sizes and no weights at all: torch's fake tensors say what every operation would
allocate, and nothing is computed, so that this takes seconds on any machine. Attention is the fused kernel's. Of the
transformers three layers are enough, since each gives its memory back to the next.
"""

from __future__ import annotations

import argparse
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from generator.diffusion.estimate import Job, working
from generator.diffusion.families import TRANSFORMERS, UNET, Family
from generator.diffusion.ladder import Plan
from generator.torus import wrap

diffusers: Any = import_module("diffusers")  # type checkers cannot see what it loads when asked
HALF = torch.float16
KL = {"latent_channels": 4, "block_out_channels": (128, 256, 512, 512)}
DEEP = {"encoder_block_out_channels": (128, 256, 512, 512, 1024, 1024), "latent_channels": 32}
XL: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}


@dataclass(frozen=True)
class Case:
    """A family, how its denoiser is made, and one guided step of it at a side of so many pixels."""

    name: str
    family: Family
    vae: dict[str, Any]
    make: Callable[[], nn.Module]
    step: Callable[[Any, int], Any]


class Counter(TorchDispatchMode):
    """Counts the bytes of all live storages but the weights'; ``peak`` is the most there were at once."""

    def __init__(self, weights: nn.Module) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        for tensor in (*weights.parameters(), *weights.buffers()):
            self._known[tensor.untyped_storage()] = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            storage = tensor.untyped_storage() if isinstance(tensor, Tensor) else None
            if storage is not None and storage not in self._known:
                self._known[storage] = size = storage.nbytes()
                self.live += size
                self.peak = max(self.peak, self.live)
                weakref.finalize(storage, self._drop, size)
        return made

    def _drop(self, size: int) -> None:
        self.live -= size


def empty(*shape: int, dtype: torch.dtype = HALF) -> Tensor:
    return torch.empty(*shape, dtype=dtype)


def _unet_step(words: int, added: bool = False) -> Callable[[Any, int], Any]:
    def step(model: Any, side: int) -> Any:
        more = {"text_embeds": empty(2, 1280), "time_ids": empty(2, 6)} if added else None
        latents = empty(2, 4, side // 8, side // 8)
        return model(latents, torch.tensor(5), empty(2, 77, words), added_cond_kwargs=more)

    return step


def _sd3_step(model: Any, side: int) -> Any:
    return model(empty(2, 16, side // 8, side // 8), empty(2, 333, 4096), empty(2, 2048), empty(2))


def _flux_step(model: Any, side: int) -> Any:
    tokens = (side // 16) ** 2
    ids = empty(tokens, 3), empty(512, 3)
    return model(empty(1, tokens, 64), empty(1, 512, 4096), empty(1, 768), empty(1), *ids, empty(1))


def _z_image_step(model: Any, side: int) -> Any:
    images = [empty(16, 1, side // 8, side // 8) for _ in range(2)]
    return model(images, empty(2), [empty(64, 2560) for _ in range(2)])


def _pixart_step(model: Any, side: int) -> Any:
    more = {"resolution": None, "aspect_ratio": None}
    latents, words = empty(2, 4, side // 8, side // 8), empty(2, 300, 4096)
    when = empty(2, dtype=torch.long)
    return model(latents, words, when, encoder_attention_mask=empty(2, 300), added_cond_kwargs=more)


def _sana_step(model: Any, side: int) -> Any:
    latents, words = empty(2, 32, side // 32, side // 32), empty(2, 300, 2304)
    return model(latents, words, empty(2, dtype=torch.long), encoder_attention_mask=empty(2, 300))


SD2 = {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True}
SD3 = {
    "sample_size": 128, "num_layers": 3, "num_attention_heads": 24, "caption_projection_dim": 1536,
    "pooled_projection_dim": 2048, "out_channels": 16, "pos_embed_max_size": 192,
}  # fmt: skip
DEEP_KL = {**KL, "latent_channels": 16}
FLUX = {"num_layers": 2, "num_single_layers": 2, "guidance_embeds": True}
PIXART = {"num_layers": 3, "caption_channels": 4096, "sample_size": 128, "use_additional_conditions": False}
SD1 = {"cross_attention_dim": 768, "attention_head_dim": 8}


def _case(
    name: str, pipeline: str, vae: dict[str, Any], network: str, settings: dict[str, Any], step: Any
) -> Case:
    family = TRANSFORMERS.get(pipeline, UNET)
    return Case(name, family, vae, lambda: getattr(diffusers, network)(**settings), step)


CASES = (
    _case("SD 1.x", "", KL, "UNet2DConditionModel", SD1, _unet_step(768)),
    _case("SD 2.x", "", KL, "UNet2DConditionModel", SD2, _unet_step(1024)),
    _case("SDXL", "", KL, "UNet2DConditionModel", XL, _unet_step(2048, added=True)),
    _case("SD 3", "StableDiffusion3Pipeline", DEEP_KL, "SD3Transformer2DModel", SD3, _sd3_step),
    _case("Flux", "FluxPipeline", DEEP_KL, "FluxTransformer2DModel", FLUX, _flux_step),
    _case("Z-Image", "ZImagePipeline", DEEP_KL, "ZImageTransformer2DModel", {"n_layers": 2}, _z_image_step),
    _case("PixArt", "PixArtSigmaPipeline", KL, "PixArtTransformer2DModel", PIXART, _pixart_step),
    _case("Sana", "SanaPipeline", DEEP, "SanaTransformer2DModel", {"num_layers": 3}, _sana_step),
)


def counted(case: Case, side: int) -> tuple[int, int]:
    """The bytes of one guided step: counted, and estimated."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        torch.set_default_dtype(HALF)
        try:
            model = case.make().eval()
        finally:
            torch.set_default_dtype(torch.float32)
        with wrap(model), Counter(model) as counter:
            case.step(model, side)
    parts = {case.family.denoiser: model, "vae": SimpleNamespace(config=case.vae, dtype=HALF)}
    plan = Plan(torch.device("cpu"), HALF)
    work = working(SimpleNamespace(**parts), case.family, plan, Job(side, side))
    return counter.peak, work["denoise"]


def main() -> None:
    """Prints the table, and writes it with a heading."""
    parser = argparse.ArgumentParser(description="Memory of one step of every family, counted and estimated.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = ["| model | pixels | counted | estimated |", "|---|---|---|---|"]
    for case in CASES:
        for side in options.sizes:
            found, guessed = counted(case, side)
            rows.append(
                f"| {case.name} | {side} x {side} | {found / 1e6:,.0f} MB | {guessed / 1e6:,.0f} MB |"
            )
    print("\n".join(rows))
    if options.markdown:
        options.markdown.write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
