# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet of pictures, what the network sees in them, and what is true, to look at while it trains."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from training.lighting import Surfaces, to_srgb
from training.maps.losses import surfaces_of

_THUMB = 128


def draw_sheet(path: Path, picture: Tensor, raw: Tensor, truth: Surfaces) -> None:
    """One row a picture: it, then pairs of (seen, true) for base colour, normal, height, roughness, metallic, AO."""
    seen, _ = surfaces_of(raw, picture)
    columns = [picture]
    for show in (
        lambda s: to_srgb(s.colour),
        lambda s: s.normal * 0.5 + 0.5,
        lambda s: 0.5 + s.height / (0.08 * s.height.shape[-1]),
        lambda s: s.roughness,
        lambda s: s.metallic,
        lambda s: s.ao,
    ):
        columns += [show(seen), show(truth)]
    shown = [torch.nn.functional.interpolate(c.expand(-1, 3, -1, -1), size=_THUMB) for c in columns]
    rows = torch.cat([torch.cat(list(column), dim=1) for column in shown], dim=2)
    pixels = (rows.clamp(0, 1) * 255).byte().permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(pixels).save(path, quality=88)
