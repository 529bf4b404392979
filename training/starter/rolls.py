# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of tori, each rolled, mirrored and turned by chance: all of these are the same material."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from generator.procedural.registry import family_info
from training.starter.data import Scene

TURNED = frozenset((
    "asphalt", "concrete", "cork", "dryearth", "granite", "gravel", "ice", "lava", "leaves", "marble", "moss", "mud",
    "paper", "pebbles", "plaster", "plastic", "rock", "snow", "terrazzo",
))  # fmt: skip
"""Families that look alike from every side. Others have courses or fibres, which artists expect to lie as they lie."""


class Tori:
    """Square tori ``(N, H, W, C)`` on some device, and which of them may stand on their head or be turned."""

    def __init__(self, fields: Tensor, scenes: Sequence[Scene]) -> None:
        self.fields = fields
        # What runs down a wall does not run up.
        self._inverted = torch.tensor([not family_info(scene.family).upright for scene in scenes])
        self._turned = torch.tensor([scene.family in TURNED for scene in scenes])

    def __len__(self) -> int:
        return len(self.fields)

    def drawn(self, chosen: Tensor, random: torch.Generator, mirrored: bool = True) -> Tensor:
        """Those chosen ``(B,)``, moved by chance: ``(B, C, H, W)``, channels_last, as they are stored.

        Latents are rolled and no more (``mirrored`` is false): a roll by one of them is exact, a mirror is not.
        """
        side, count = self.fields.shape[1], len(chosen)
        places = torch.arange(side).expand(2, count, side) + torch.randint(
            side, (2, count, 1), generator=random
        )
        places = places.remainder(side)
        chances = torch.rand((3, count), generator=random) < 0.5
        if mirrored:
            inverted = (chances[0] & self._inverted[chosen])[:, None]
            rows = torch.where(inverted, places[0].flip(1), places[0])
            columns = torch.where(chances[1][:, None], places[1].flip(1), places[1])
        else:
            rows, columns = places
        on = self.fields.device
        rows, columns = rows.to(on), columns.to(on)
        made = self.fields[chosen.to(on)[:, None, None], rows[:, :, None], columns[:, None, :]]
        if mirrored:
            turned = (chances[2] & self._turned[chosen]).to(on)[:, None, None, None]
            made = torch.where(turned, made.transpose(1, 2), made)
        return made.permute(0, 3, 1, 2)


def to_pixels(stored: Tensor) -> Tensor:
    """Bytes as float32 in [-1, 1]."""
    return stored.float() / 127.5 - 1


def to_bytes(pixels: Tensor) -> Tensor:
    """Pixels ``(B, 3, H, W)`` in [-1, 1] as bytes ``(B, H, W, 3)`` on the processor."""
    return ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).contiguous().cpu()
