# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet: many prompts, each with its pictures side by side and its words below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from generator.material import FloatArray
from generator.pixels import to_uint8

_THUMB, _GAP, _CAPTION = 256, 8, 20
_PAPER, _INK = (24, 25, 27), (200, 202, 206)


def contact_sheet(cells: Sequence[tuple[str, Sequence[FloatArray]]], columns: int = 8) -> Image.Image:
    """Prompts with as many pictures ``(H, W, 3)`` in [0, 1] each, so many pictures in a row; they are shown whole."""
    each = len(cells[0][1])
    across = max(1, columns // each)
    wide, tall = each * (_THUMB + 2) + _GAP, _THUMB + _CAPTION + _GAP
    rows = -(-len(cells) // across)
    sheet = Image.new("RGB", (across * wide + _GAP, rows * tall + _GAP), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (prompt, pictures) in enumerate(cells):
        left, top = _GAP + number % across * wide, _GAP + number // across * tall
        for place, shown in enumerate(pictures):
            small = Image.fromarray(np.ascontiguousarray(to_uint8(shown)))
            small = small.resize((_THUMB, _THUMB), Image.Resampling.LANCZOS)
            sheet.paste(small, (left + place * (_THUMB + 2), top))
        pen.text((left, top + _THUMB + 2), prompt[: 34 * each], _INK, font)
    return sheet
