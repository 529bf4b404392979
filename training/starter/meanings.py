# SPDX-License-Identifier: GPL-3.0-or-later
"""What a prompt means, as numbers that a text encoder learns to tell: everything that the picture depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generator import procedural
from generator.procedural import lexicon, registry
from generator.procedural.colours import COLOURS, METALS
from training.captions import family_names

FAMILIES = family_names()
_METALS, _COLOURS, _STRUCTURES = tuple(METALS), tuple(COLOURS), tuple(lexicon.STRUCTURE)
_LAYERS = tuple(info.name for info in registry.layers())

SIZES = {
    "family": len(FAMILIES), "inlay": len(FAMILIES) + 1, "metal": len(_METALS) + 1, "first": len(_COLOURS) + 1,
    "colours": len(_COLOURS), "structure": len(_STRUCTURES), "layers": len(_LAYERS),
}  # fmt: skip
"""How many numbers each part of a meaning takes; the first four are one choice each; ``first`` is the colour
that was named first, which is the material's own."""

CHOICES = ("family", "inlay", "metal", "first")


def meanings(texts: Sequence[str]) -> dict[str, Tensor]:
    """What the procedural model understands: choices ``(N,)``, and ``(N, n)`` of what is named and how strongly."""
    choices: dict[str, list[int]] = {"family": [], "inlay": [], "metal": [], "first": []}
    amounts = {
        name: np.zeros((len(texts), SIZES[name]), np.float32) for name in ("colours", "structure", "layers")
    }
    for row, text in enumerate(texts):
        read = procedural.parse(text)
        choices["family"].append(FAMILIES.index(read.family))
        choices["inlay"].append(FAMILIES.index(read.inlay) + 1 if read.inlay else 0)
        choices["metal"].append(_METALS.index(read.metal) + 1 if read.metal else 0)
        choices["first"].append(_COLOURS.index(read.colours[0]) + 1 if read.colours else 0)
        amounts["colours"][row, [_COLOURS.index(colour) for colour in read.colours]] = 1
        amounts["structure"][
            row, [_STRUCTURES.index(word) for word in read.structure if word in _STRUCTURES]
        ] = 1
        for name, strength in read.modifiers:
            if name in _LAYERS:
                amounts["layers"][row, _LAYERS.index(name)] = strength
    return {
        **{name: torch.tensor(numbers) for name, numbers in choices.items()},
        **{name: torch.from_numpy(values) for name, values in amounts.items()},
    }


class Heads(nn.Module):
    """Reads a meaning off the text encoder's summary of a prompt; thrown away afterwards."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({name: nn.Linear(width, size) for name, size in SIZES.items()})

    def forward(self, summary: Tensor) -> dict[str, Tensor]:
        return {name: head(summary) for name, head in self.parts.items()}


def misread(told: Mapping[str, Tensor], meant: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parts of the loss."""
    parts = {name: F.cross_entropy(told[name].float(), meant[name]) for name in CHOICES}
    for name in ("colours", "structure"):
        parts[name] = 10 * F.binary_cross_entropy_with_logits(told[name].float(), meant[name])
    parts["layers"] = 10 * F.smooth_l1_loss(told["layers"].float(), meant["layers"])
    return parts


def read_right(told: Mapping[str, Tensor], meant: Mapping[str, Tensor]) -> dict[str, float]:
    """The share of prompts whose family, whose colours and whose structure are read without a mistake."""
    family = told["family"].argmax(1) == meant["family"]
    sets = {name: ((told[name] > 0) == (meant[name] > 0.5)).all(1) for name in ("colours", "structure")}
    return {"family": float(family.float().mean())} | {k: float(v.float().mean()) for k, v in sets.items()}
