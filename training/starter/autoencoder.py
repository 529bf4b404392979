# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the autoencoder: four pixels a side become one latent of four channels.

    python -m training.starter.autoencoder

It sees no farther than some dozen pixels, and learns most of small tori, of which there can be many. The command
goes on where the last run in ``--out`` was stopped, keeps a log, its curve and a sheet of pictures beside their copies,
and writes a diffusers folder ``model`` there at the end of every run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from PIL import Image
from torch import Tensor, nn

from generator.diffusion.latents import decoded, encoded
from generator.torus import wrap
from training.commands import finished, trainer
from training.loop import Settings, train
from training.starter.data import DATA, Pictures
from training.starter.grain import Critic, bands_apart, critic_loss, grain_apart, likeness_loss
from training.starter.machine import (
    beginning_with,
    call,
    compiled,
    device,
    narrow,
    placed,
    put_into,
    seeded,
    weights_of,
)
from training.starter.rolls import Tori, to_bytes, to_pixels

OUT = Path("training/out/starter/autoencoder")
STEPS, BATCH, RATE, MATRIX_RATE = 2_000, 16, 6e-4, 6e-3

STRIDE = 4
"""Pixels a side to one latent. With 8, as in Stable Diffusion, a decoder of this size blurs all grain."""

CHANNELS, WIDTH = 4, 32
"""Of the latents, and of everything between them and the pixels. Four latents, since diffusers' pipelines that
start from a picture take no others for Stable Diffusion."""

NOISE = 0.2
"""The largest deviation of the noise that the decoder learns to overlook, where latents deviate by 1: as much as a
small denoiser is wrong by."""

WEIGHTS = {"bands": 1.0, "grain": 0.5, "latents": 0.05, "likeness": 0.25, "doubt": 0.03, "critic": 0.3}
"""The parts of the loss. The critic's own is weighted as well, since one optimiser moves both."""

CRITIC_FROM = 0.4
"""The share of the steps after which the critic is listened to; it learns from the beginning."""


class Pair(nn.Module):
    """The autoencoder and its critic, as one set of weights."""

    def __init__(self, width: int = WIDTH, channels: int = CHANNELS) -> None:
        super().__init__()
        self.codec = codec_of(width, channels)
        self.critic = Critic()


def codec_of(width: int, channels: int) -> AutoencoderTiny:
    """An autoencoder without weights to speak of. At full size it has one block, which makes up grain."""
    return AutoencoderTiny(
        latent_channels=channels,
        encoder_block_out_channels=(width,) * 3,
        decoder_block_out_channels=(width,) * 3,
        num_encoder_blocks=(0, 1, 3),
        num_decoder_blocks=(3, 1, 1),
    )


def off_standard(latents: Tensor) -> Tensor:
    """How far the channels of ``(B, C, h, w)`` are from mean 0 and deviation 1, which diffusion counts on."""
    mean, variance = latents.mean((0, 2, 3)), latents.var((0, 2, 3), correction=0)
    return mean.square().mean() + (variance + 1e-4).log().square().mean()


class Losses:
    """The parts of the loss at a step; step ``n`` depends on ``n`` and the seed alone."""

    def __init__(self, pair: Pair, tori: Tori, batch: int, steps: int, seed: int, on: torch.device) -> None:
        self._pair, self._tori, self._batch, self._seed, self._on = pair, tori, batch, seed, on
        self._critic_from = CRITIC_FROM * steps
        self._copy, self._look = compiled(self._copied, on), compiled(self._looked, on)

    def __call__(self, weights: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        random = seeded(self._seed, step)
        chosen = torch.randint(len(self._tori), (self._batch,), generator=random)
        true = to_pixels(self._tori.drawn(chosen, random))
        side = true.shape[-1] // STRIDE
        shape = (self._batch, self._pair.codec.config["latent_channels"], side, side)
        loud = NOISE * torch.rand((self._batch, 1, 1, 1), generator=random)
        noise = loud * torch.randn(shape, generator=random)
        codec, critic = (beginning_with(weights, name) for name in ("codec.", "critic."))
        with narrow(self._on):
            made, latents = self._copy(codec, true, noise.to(self._on))
        made, latents = made.float(), latents.float()
        parts = {
            "bands": bands_apart(made, true),
            "grain": grain_apart(made, true),
            "latents": off_standard(latents),
        }
        with narrow(self._on):
            real_verdict, real_seen = self._look(critic, true)
            parts["critic"] = critic_loss(real_verdict.float(), self._look(critic, made.detach())[0].float())
            if step >= self._critic_from:
                fixed = {name: value.detach() for name, value in critic.items()}
                verdict, seen = self._look(fixed, made)
                parts["likeness"] = likeness_loss(real_seen, seen)
                parts["doubt"] = -verdict.float().mean().clamp(max=1.0)
        return {name: WEIGHTS[name] * part for name, part in parts.items()}

    def _copied(self, codec: Mapping[str, Tensor], true: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        encoder, decoder = self._pair.codec.encoder, self._pair.codec.decoder
        latents = call(encoder, beginning_with(codec, "encoder."), true)
        return call(decoder, beginning_with(codec, "decoder."), latents + noise), latents

    def _looked(self, critic: Mapping[str, Tensor], pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        return call(self._pair.critic, critic, pixels)


def settings(steps: int = STEPS, rate: float = RATE, matrix_rate: float | None = MATRIX_RATE) -> Settings:
    """How it is trained. AdamW alone is unstable at a rate at which it gets anywhere: nothing here is normalised."""
    return Settings(steps=steps, rate=rate, matrix_rate=matrix_rate, average=0.999)


def run(
    data: Path,
    out: Path,
    how: Settings,
    minutes: float = math.inf,
    width: int = WIDTH,
    batch: int = BATCH,
    seed: int = 0,
    checkpoint_minutes: float = 5.0,
) -> Path:
    """Train for so many minutes, and give the folder of the autoencoder as diffusers reads it."""
    on, pictures = device(), Pictures(data)
    tori = Tori(torch.from_numpy(pictures.all()).to(on), pictures.scenes)
    torch.manual_seed(seed)
    pair = placed(Pair(width), on).to(memory_format=torch.channels_last)
    losses = Losses(pair, tori, batch, how.steps, seed, on)

    def look(weights: Mapping[str, Tensor], step: int) -> None:
        put_into(pair, weights)
        shown = torch.linspace(0, len(tori) - 1, min(8, len(tori))).long()
        true = to_pixels(tori.fields[shown.to(on)].permute(0, 3, 1, 2))
        rows = torch.cat([true, decoded(pair.codec, encoded(pair.codec, true))])
        save_grid(out / "sheet.jpg", rows, len(shown))
        print(f"step {step}: {out / 'sheet.jpg'}", flush=True)

    with wrap(pair):
        start = weights_of(pair, on)
        weights, step, seconds = train(start, losses, how, out, minutes, checkpoint_minutes, look)
        put_into(pair, weights)
        scale = 1 / deviation(pair.codec, tori, seed)
    pair.codec.register_to_config(scaling_factor=scale)
    pair.codec.scaling_factor = scale
    placed(pair.codec, "cpu").save_pretrained(out / "model")
    print(f"step {step}, {seconds / 3600:.2f} hours, scaling factor {scale:.3f}")
    return out / "model"


def deviation(codec: AutoencoderTiny, tori: Tori, seed: int) -> float:
    """The standard deviation of all latents of some pictures."""
    random = seeded(seed, 2**31)
    chosen = torch.randint(len(tori), (min(64, len(tori)),), generator=random)
    with torch.no_grad():
        return float(encoded(codec, to_pixels(tori.drawn(chosen, random))).std())


def save_grid(path: Path, pixels: Tensor, columns: int) -> None:
    """Pictures ``(B, 3, H, W)`` in [-1, 1] as one file, so many in a row."""
    stored = to_bytes(pixels)
    rows = [torch.cat(list(stored[place : place + columns]), 1) for place in range(0, len(stored), columns)]
    wide = max(row.shape[1] for row in rows)
    whole = torch.cat([nn.functional.pad(row, (0, 0, 0, wide - row.shape[1])) for row in rows])
    Image.fromarray(whole.numpy()).save(path, quality=90)


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the data or the folder will not do."""
    name = "training.starter.autoencoder"
    parser = trainer(name, "Train the autoencoder.", OUT, STEPS, RATE, MATRIX_RATE, BATCH)
    parser.add_argument("--data", type=Path, default=DATA / "train-64")
    parser.add_argument("--width", type=int, default=WIDTH, help="channels between pixels and latents")
    told = parser.parse_args(arguments)
    how = settings(told.steps, told.rate, told.matrix_rate or None)
    return finished(lambda: run(told.data, told.out, how, told.minutes, told.width, told.batch, told.seed))


if __name__ == "__main__":
    sys.exit(main())
