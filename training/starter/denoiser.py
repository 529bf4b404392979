# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the denoiser on latents, periodic from the first step.

    python -m training.starter.denoiser --minutes 150

goes on where the last run in ``--out`` was stopped, keeps a log, its curve and a sheet of what it makes of held-out
prompts, and writes a diffusers folder ``model`` there at the end of every run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from generator.diffusion.latents import decoded
from generator.procedural.registry import family_info
from generator.torus import wrap
from training.commands import finished, trainer
from training.loop import Settings, train
from training.starter import autoencoder, words
from training.starter.captions import held_out_prompts
from training.starter.latents import LATENTS, Latents, fingerprint
from training.starter.machine import call, compiled, device, narrow, placed, put_into, seeded, weights_of
from training.starter.noise import Noising, sample, times
from training.starter.tokens import numbered

OUT = Path("training/out/starter/denoiser")
STEPS, BATCH = 15_000, 64
RATE, MATRIX_RATE = 1e-3, 8e-3
WIDTHS, LAYERS = (32, 64, 128, 256), 1

NATIVE = 512
"""Pixels a side of what the model is meant to make, whatever it is trained on."""

UNTOLD = 0.12
"""How often the words are left out, so that there is something to be guided away from."""

USUAL = 128
"""Pixels a side of the tori that most steps are made with."""

SMALL_UNTIL = 800
"""The step until which every second batch is of the smallest tori, of materials without a layout: their words, colours
and grain are learnt from those four times as fast. A layout has no room there and would be another one."""

LARGE_FROM = 2_000
"""The step from which every fourth batch is of the largest tori, for what is larger than the usual ones."""

BESIDE = "trained_beside.txt"
"""Which autoencoder and text encoder a denoiser was trained beside."""

STRUCTURED = 3.0
"""How often a layout of pieces is shown for each other picture: courses are harder to learn than moss."""


def unet_of(
    channels: int, width: int, widths: tuple[int, ...] = WIDTHS, layers: int = LAYERS
) -> UNet2DConditionModel:
    """A denoiser without weights to speak of.

    Words reach every level through the embedding of the time, since they say the same of every place of a texture;
    the two coarsest levels attend to them as well. Only the coarsest attends to itself: what is learnt on small tori
    has to hold on large ones.
    """
    outer, inner = max(1, len(widths) - 2), len(widths) - 1
    by_level: dict[str, Any] = {
        "only_cross_attention": (*(True,) * inner, False),
        "attention_head_dim": tuple(
            max(1, w // 64) for w in widths
        ),  # diffusers' name for the number of heads
    }
    unet = UNet2DConditionModel(
        sample_size=NATIVE // autoencoder.STRIDE,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=widths,
        layers_per_block=layers,
        down_block_types=("DownBlock2D",) * outer + ("CrossAttnDownBlock2D",) * (inner + 1 - outer),
        up_block_types=("CrossAttnUpBlock2D",) * (inner + 1 - outer) + ("UpBlock2D",) * outer,
        **by_level,
        cross_attention_dim=width,
        addition_embed_type="text",
        addition_embed_type_num_heads=max(1, width // 48),
        resnet_time_scale_shift="scale_shift",
        norm_num_groups=min(32, widths[0] // 4),
        use_linear_projection=True,
    )
    _begin(unet)
    return unet


@torch.no_grad()
def _begin(unet: UNet2DConditionModel) -> None:
    """Start as a network that does nothing (ADM, arXiv 2105.05233), and lets the time be heard beside the words.

    The words' embedding ends in a norm and would be ten times as loud as what tells one time from another.
    """
    nothing: list[Any] = [unet.conv_out]
    for module in unet.modules():
        if isinstance(module, ResnetBlock2D):
            nothing.append(module.conv2)
        elif isinstance(module, Transformer2DModel):
            nothing.append(module.proj_out)
    for layer in nothing:
        layer.weight.zero_()
        layer.bias.zero_()
    parts: Any = unet
    parts.add_embedding.norm2.weight.mul_(0.3)
    parts.time_embedding.linear_2.weight.mul_(4)


@dataclass(frozen=True)
class Parts:
    """What the denoiser is trained beside: neither changes any more."""

    codec: AutoencoderTiny
    text: CLIPTextModel
    tokenizer: CLIPTokenizer

    def encoded(self, tokens: Tensor) -> Tensor:
        """The words ``(B, L, D)`` of tokens ``(B, L)``."""
        with torch.no_grad():
            return self.text(tokens).last_hidden_state

    def said(self, prompts: list[str]) -> Tensor:
        """The same for plain prompts."""
        return self.encoded(torch.from_numpy(numbered(self.tokenizer, prompts)).to(self.text.device))


def read_parts(codec: Path, reader: Path, on: torch.device) -> Parts:
    """The autoencoder and the text encoder from their folders."""
    return Parts(
        placed(AutoencoderTiny.from_pretrained(codec, local_files_only=True), on)
        .eval()
        .requires_grad_(False),
        placed(CLIPTextModel.from_pretrained(reader / "text_encoder", local_files_only=True), on)
        .eval()
        .requires_grad_(False),
        CLIPTokenizer.from_pretrained(reader / "tokenizer", local_files_only=True),
    )


class Losses:
    """The loss at a step; step ``n`` depends on ``n`` and the seed alone."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        parts: Parts,
        latents: list[Latents],
        batch: int,
        seed: int,
        on: torch.device,
    ) -> None:
        self._unet, self._parts, self._latents, self._batch = unet, parts, latents, batch
        self._seed, self._on = seed, on
        self._usual = max((turn for turn, some in enumerate(latents) if some.size <= USUAL), default=0)
        self._noising, self._nothing = Noising(on), parts.said([""])
        layouts = [[family_info(scene.family).layout for scene in some.scenes] for some in latents]
        self._shares = [
            torch.where(torch.tensor(layout), STRUCTURED if turn >= self._usual else 0.0, 1.0)
            for turn, layout in enumerate(layouts)
        ]
        self._velocity = compiled(self.velocity, on)

    def _turn(self, step: int) -> int:
        """Which latents a step is made with."""
        if step % 4 == 0 and step >= LARGE_FROM:
            return len(self._latents) - 1
        return 0 if step % 2 and step < SMALL_UNTIL else self._usual

    def velocity(self, weights: Mapping[str, Tensor], latents: Tensor, time: Tensor, words: Tensor) -> Tensor:
        """What the denoiser tells with these weights."""
        return call(self._unet, weights, latents, time, words, return_dict=False)[0]

    def __call__(self, weights: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        random = seeded(self._seed, step)
        turn = self._turn(step)
        usual, size = self._latents[self._usual].size, self._latents[turn].size
        # As much work for each size, and for small tori half of it: more steps are worth more there.
        count = max(1, self._batch * usual // size if size < usual else self._batch * usual**2 // size**2)
        chosen = torch.multinomial(self._shares[turn], count, replacement=True, generator=random)
        clean, tokens = self._latents[turn].drawn(chosen, random)
        time = times(count, random).to(self._on)
        noise = torch.randn(clean.shape, generator=random).to(self._on)
        untold = (torch.rand(count, generator=random) < UNTOLD).to(self._on)
        with narrow(self._on):
            told = torch.where(untold[:, None, None], self._nothing, self._parts.encoded(tokens))
            noisy, true = self._noising(clean, noise, time)
            found = self._velocity(weights, noisy, time, told)
        apart = (found.float() - true).square().mean((1, 2, 3))
        return {"velocity": (apart * self._noising.weight(time)).mean()}


def settings(steps: int, rate: float = RATE, matrix_rate: float | None = MATRIX_RATE) -> Settings:
    """How the denoiser is trained in so many steps; its averages look back further than others'.

    The rates fall over the last fifth alone, so that a copy of the folder can be brought to an end at any time, and the
    folder itself be trained on.
    """
    return Settings(
        steps,
        rate,
        matrix_rate,
        least=0.02,
        warm_up=100,
        decay=1e-3,
        average=0.9995,
        linear=True,
        falling=0.2,
    )


def run(
    data: list[Path],
    out: Path,
    codec: Path,
    reader: Path,
    how: Settings,
    minutes: float = math.inf,
    batch: int = BATCH,
    widths: tuple[int, ...] = WIDTHS,
    layers: int = LAYERS,
    seed: int = 0,
    checkpoint_minutes: float = 10.0,
) -> Path:
    """Train for so many minutes, and give the folder of the denoiser as diffusers reads it.

    ``data`` are folders of latents, the smallest tori first. Raises ``ValueError`` for latents of another autoencoder
    or tokenizer.
    """
    on = device()
    latents = [Latents(folder, on) for folder in data]
    made_by = fingerprint(codec, reader / "tokenizer")
    if any(some.made_by != made_by for some in latents):
        raise ValueError("The latents are not those of this autoencoder and tokenizer; make them again.")
    _belongs(out, fingerprint(codec, reader))
    parts = read_parts(codec, reader, on)
    side, channels = latents[-1].tori.fields.shape[1], latents[0].tori.fields.shape[-1]
    torch.manual_seed(seed)
    unet = unet_of(channels, parts.text.config.hidden_size, widths, layers)
    unet = placed(unet, on).to(memory_format=torch.channels_last)
    losses = Losses(unet, parts, latents, batch, seed, on)
    asked = [prompt for prompt, _, _ in held_out_prompts(16, seed)]

    def look(weights: Mapping[str, Tensor], step: int) -> None:
        noise = torch.randn((len(asked), channels, side, side), generator=seeded(seed, 2**31)).to(on)
        with narrow(on), wrap(parts.codec):
            made = sample(
                lambda *given: losses.velocity(weights, *given), parts.said(asked), parts.said([""]), noise
            )
            pixels = decoded(parts.codec, made / parts.codec.config["scaling_factor"])
        autoencoder.save_grid(out / "sheet.jpg", pixels, 8)
        (out / "sheet.txt").write_text("\n".join(asked) + "\n", encoding="utf-8")
        print(f"step {step}: {out / 'sheet.jpg'}", flush=True)

    with wrap(unet):
        weights, step, seconds = train(
            weights_of(unet, on), losses, how, out, minutes, checkpoint_minutes, look
        )
    put_into(unet, weights)
    placed(unet, "cpu").save_pretrained(out / "model")
    count = sum(parameter.numel() for parameter in unet.parameters())
    print(f"step {step}, {seconds / 3600:.2f} hours, {count / 1e6:.1f} million parameters")
    return out / "model"


def _belongs(out: Path, parts: str) -> None:
    """Raises ``ValueError`` where what lies in ``out`` was trained beside another autoencoder or text encoder."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / BESIDE
    if not path.is_file():
        path.write_text(parts, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != parts:
        raise ValueError(
            f"{out} was trained beside another autoencoder or text encoder; choose another folder."
        )


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the data or the folders will not do."""
    name = "training.starter.denoiser"
    parser = trainer(name, "Train the denoiser.", OUT, STEPS, RATE, MATRIX_RATE, BATCH)
    folders = [LATENTS / f"train-{size}" for size in (64, 128, 256)]
    parser.add_argument(
        "--data", type=Path, nargs="+", default=folders, help="folders of latents, the smallest tori first"
    )
    parser.add_argument("--autoencoder", type=Path, default=autoencoder.OUT / "model")
    parser.add_argument("--words", type=Path, default=words.OUT / "model")
    parser.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS), help="channels of each level")
    parser.add_argument("--layers", type=int, default=LAYERS, help="blocks of each level")
    told = parser.parse_args(arguments)
    how = settings(told.steps, told.rate, told.matrix_rate or None)
    return finished(
        lambda: run(
            told.data, told.out, told.autoencoder, told.words, how, told.minutes,
            told.batch, tuple(told.widths), told.layers, told.seed,
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
