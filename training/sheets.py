# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets of every procedural material, and the page that shows them: what the networks learn from.

    python -m training.sheets --out docs/images/materials --page docs/materials.md

Each sheet shows four prompts of one family: lit, tiled twice each way, and the flat maps that the light was made of.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from generator import studio
from generator.material import FloatArray, Material
from generator.procedural import families, generate, parse
from generator.procedural.registry import FamilyInfo
from generator.render import linear_to_srgb, tone
from generator.resample import resize
from training.page import page
from training.sheet_prompts import prompts_of

LIT, THUMBNAIL, GAP, CAPTION, MARGIN = 248, 121, 6, 22, 12
LARGEST_FILE = 100_000
"""Bytes of one sheet, so that all of them stay small enough to keep beside the code."""

_PAPER, _INK, _FAINT = (24, 25, 27), (226, 227, 230), (140, 143, 150)


def sheet(info: FamilyInfo, size: int = 512) -> Image.Image:
    """The sheet of one family from materials of ``size`` pixels a side."""
    card_wide, card_tall = LIT + 2 * (GAP + THUMBNAIL), LIT + CAPTION
    wide, tall = 2 * card_wide + 3 * MARGIN, 2 * (card_tall + MARGIN) + MARGIN + 26
    out = Image.new("RGB", (wide, tall), _PAPER)
    ImageDraw.Draw(out).text((MARGIN, MARGIN - 4), info.name, _INK, _font(18))
    for number, (prompt, seed) in enumerate(prompts_of(info)):
        left = MARGIN + (number % 2) * (card_wide + MARGIN)
        top = MARGIN + 26 + (number // 2) * (card_tall + MARGIN)
        _lay_card(out, generate(parse(prompt), size, size, seed), prompt, left, top)
    return out


def _lay_card(out: Image.Image, material: Material, prompt: str, left: int, top: int) -> None:
    """One prompt: lit on the left; twice each way, base colour, height and roughness on the right."""
    wall = _display(studio.wall(material, 2 * LIT))
    out.paste(Image.fromarray(wall[:LIT, :LIT]), (left, top))
    thumbnails = (
        Image.fromarray(wall).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS),
        *(_thumbnail(getattr(material, name)) for name in ("basecolor", "height", "roughness")),
    )
    for number, picture in enumerate(thumbnails):
        x = left + LIT + GAP + (number % 2) * (THUMBNAIL + GAP)
        out.paste(picture, (x, top + (number // 2) * (THUMBNAIL + GAP)))
    ImageDraw.Draw(out).text((left, top + LIT + 4), prompt, _FAINT, _font(13))


def _display(linear: FloatArray) -> npt.NDArray[np.uint8]:
    return (np.clip(linear_to_srgb(tone(linear)), 0, 1) * 255 + 0.5).astype(np.uint8)


def _thumbnail(field: FloatArray) -> Image.Image:
    small = np.clip(resize(field, THUMBNAIL, THUMBNAIL), 0, 1)
    return Image.fromarray((small * 255 + 0.5).astype(np.uint8)).convert("RGB")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def encoded(picture: Image.Image, largest: int = LARGEST_FILE) -> bytes:
    """The picture as JPEG in the best quality that fits into so many bytes; grain may cost it some of its size."""
    for scale in (1.0, 0.86, 0.74):
        small = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
        )
        for quality in (88, 82, 76, 70, 64, 58, 52, 46):
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=quality, optimize=True)
            if buffer.tell() <= largest:
                return buffer.getvalue()
    raise ValueError(f"The sheet does not fit into {largest} bytes in any decent quality; make it smaller.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sheets that were asked for, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    parser.add_argument("--page", type=Path, help="Markdown page that shows them all")
    parser.add_argument("--only", action="append", help="a family to make again; all when left out")
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args(arguments)
    known = {info.name: info for info in families()}
    for name in options.only or ():
        if name not in known:
            parser.error(f"There is no family called {name}. There are: {', '.join(known)}.")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only or known:
        path = options.out / f"{name}.jpg"
        path.write_bytes(encoded(sheet(known[name], options.size)))
        print(f"{path}  {path.stat().st_size // 1000} kB", flush=True)
    if options.page:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(page(options.page, options.out), encoding="utf-8")


if __name__ == "__main__":
    main()
