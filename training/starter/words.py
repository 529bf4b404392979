# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the text encoder: to read captions as the procedural model does, in any order and among strangers.

    python -m training.starter.words

goes on where it was stopped, and writes ``model/tokenizer`` and ``model/text_encoder`` to ``--out``. It needs no
pictures: a picture depends on its caption through what the caption means, so that whoever tells the meaning knows all
that a denoiser can ask for.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from training.checkpoints import refuse_finished
from training.commands import finished, trainer
from training.loop import Settings, train
from training.starter.captions import compose, held_out_prompts, varied
from training.starter.machine import call, compiled, device, narrow, placed, put_into, seeded, weights_of
from training.starter.meanings import FAMILIES, Heads, meanings, misread, read_right
from training.starter.tokens import LENGTH, make_tokenizer, numbered

OUT = Path("training/out/starter/words")
STEPS, BATCH, RATE, CORPUS = 1_500, 64, 1e-3, 30_000
WIDTH, LAYERS = 192, 3

SAID = 4
"""In how many ways each caption is said."""


class Reading(nn.Module):
    """The text encoder, and what its summary is asked for."""

    def __init__(self, tokenizer: Any, width: int = WIDTH, layers: int = LAYERS) -> None:
        super().__init__()
        self.text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=width,
                intermediate_size=3 * width,
                num_hidden_layers=layers,
                num_attention_heads=max(1, width // 48),
                max_position_embeddings=LENGTH,
                projection_dim=width,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.eos_token_id,
                attention_dropout=0.0,
            )
        )
        self.heads = Heads(width)

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        """What is read off the first mark of the end and, in the second half of a batch, off the mean of all places:
        a denoiser attends to each of them."""
        read = self.text(tokens)
        half = (len(tokens) + 1) // 2
        mean = read.last_hidden_state[half:].mean(1)
        return self.heads(torch.cat([read.pooler_output[:half], mean]))


def corpus(path: Path, tokenizer: Any, count: int, seed: int) -> dict[str, Tensor]:
    """Captions without what is held out, families in turns: what they mean, and ``tokens`` ``(N, SAID, LENGTH)``.

    They are kept at ``path``, since saying them otherwise takes a minute.
    """
    about = {"captions": str(count), "seed": str(seed), "said": str(SAID), "vocabulary": str(len(tokenizer))}
    if path.is_file():
        with safe_open(path, framework="pt") as file:
            if file.metadata() == about:
                return load_file(path)
    rngs = [np.random.default_rng([seed, 60, k]) for k in range(count)]
    texts = [compose(FAMILIES[k % len(FAMILIES)], rng) for k, rng in enumerate(rngs)]
    said = [
        text if n == 0 else varied(text, rng)
        for text, rng in zip(texts, rngs, strict=True)
        for n in range(SAID)
    ]
    tokens = torch.from_numpy(numbered(tokenizer, said).reshape(count, SAID, LENGTH))
    made = {"tokens": tokens, **meanings(texts)}
    save_file(made, path, about)
    return made


def settings(steps: int = STEPS, rate: float = RATE) -> Settings:
    """How the text encoder is trained in so many steps."""
    return Settings(steps=steps, rate=rate, average=0.998, decay=0.01)


def run(
    out: Path,
    how: Settings,
    minutes: float = math.inf,
    batch: int = BATCH,
    captions: int = CORPUS,
    width: int = WIDTH,
    layers: int = LAYERS,
    seed: int = 0,
    checkpoint_minutes: float = 3.0,
) -> Path:
    """Train for so many minutes, and give the folder with both parts as transformers reads them.

    Raises ``ValueError`` where ``out`` is finished.
    """
    refuse_finished(out)
    on = device()
    tokenizer = make_tokenizer(out / "model" / "tokenizer")
    torch.manual_seed(seed)
    reading = Reading(tokenizer, width, layers).to(on)
    known = {
        name: values.to(on)
        for name, values in corpus(out / "corpus.safetensors", tokenizer, captions, seed).items()
    }
    tokens = known.pop("tokens")

    def told_by(weights: Mapping[str, Tensor], tokens: Tensor) -> dict[str, Tensor]:
        return call(reading, weights, tokens)

    read = compiled(told_by, on)

    def losses(weights: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        random = seeded(seed, 62, step)
        chosen = torch.randint(len(tokens), (batch,), generator=random).to(on)
        ways = torch.randint(SAID, (batch,), generator=random).to(on)
        with narrow(on):
            told = read(weights, tokens[chosen, ways])
        return misread(told, {name: values[chosen] for name, values in known.items()})

    weights, step, seconds = train(weights_of(reading, on), losses, how, out, minutes, checkpoint_minutes)
    put_into(reading, weights)
    asked = [prompt for prompt, _, _ in held_out_prompts(256, seed + 1)]
    with torch.no_grad():
        told = reading(torch.from_numpy(numbered(tokenizer, asked)).to(on))
    found = read_right({name: values.cpu() for name, values in told.items()}, meanings(asked))
    figures = ", ".join(f"{name} {share:.1%}" for name, share in found.items())
    print(
        f"step {step}, {seconds / 60:.0f} minutes; of held-out combinations read right: {figures}", flush=True
    )
    placed(reading.text, "cpu").save_pretrained(out / "model" / "text_encoder")
    return out / "model"


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the folder will not do."""
    parser = trainer("training.starter.words", "Train the text encoder.", OUT, STEPS, RATE, batch=BATCH)
    parser.add_argument("--captions", type=int, default=CORPUS, help="how many to learn from")
    told = parser.parse_args(arguments)
    how = settings(told.steps, told.rate)
    return finished(lambda: run(told.out, how, told.minutes, told.batch, told.captions, seed=told.seed))


if __name__ == "__main__":
    sys.exit(main())
