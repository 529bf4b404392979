# SPDX-License-Identifier: GPL-3.0-or-later
"""The sheet: one picture that shows a material at a glance, on a wall, on a ball, and map by map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from generator import studio
from generator.material import MAPS, FloatArray, Material
from generator.render import linear_to_srgb, tone
from generator.resample import resize

if TYPE_CHECKING:
    from PIL import Image

_WIDTH, _HEIGHT = 1600, 900
_MARGIN = 36
_WALL = 680
_BALL = 620
_THUMBNAIL = 104
_GAP = 18
_ENOUGH = 1024  # Shorter side of what is shown; nothing on the sheet is larger.
_BACKGROUND = (0.012, 0.085)  # Linear light in the corners and behind the ball.
_LABELS = {
    "basecolor": "Base colour",
    "normal": "Normal",
    "roughness": "Roughness",
    "height": "Height",
    "ao": "Occlusion",
    "metallic": "Metallic",
}


def render_sheet(material: Material, title: str = "") -> npt.NDArray[np.uint8]:
    """A ``(900, 1600, 3)`` sRGB picture: the material twice each way on a wall, on a ball, and its six maps.

    Needs Pillow, for the lettering alone.
    """
    from PIL import Image

    rows, columns = material.height.shape
    if min(rows, columns) > _ENOUGH:  # Once to a handy size, instead of every time from the full one.
        factor = _ENOUGH / min(rows, columns)
        material = studio.scaled(material, round(columns * factor), round(rows * factor))
    centre = (_WALL + 2 * _MARGIN + (_WIDTH - _WALL - 2 * _MARGIN) // 2, _MARGIN + _WALL // 2 - 8)
    scene = _backdrop(centre)
    light, coverage = studio.ball(material, _BALL)
    top, left = centre[1] - _BALL // 2, centre[0] - _BALL // 2
    behind = scene[top : top + _BALL, left : left + _BALL]
    behind[...] = behind * (1 - coverage[..., None]) + light
    sheet = Image.fromarray(_display(scene))
    _paste(sheet, _display(studio.wall(material, _WALL)), _MARGIN, _MARGIN, radius=10)
    _lay_out_maps(sheet, material)
    _write_title(sheet, f"{columns} x {rows}   ·   relief {material.relief * 100:.1f} %", title)
    return np.asarray(sheet).copy()


def _display(linear: FloatArray) -> npt.NDArray[np.uint8]:
    return (np.clip(linear_to_srgb(tone(linear)), 0, 1) * 255 + 0.5).astype(np.uint8)


def _backdrop(centre: tuple[int, int]) -> FloatArray:
    """A dark room with a glow behind the ball and the ball's soft shadow beneath it, linear."""
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
    across, down = (x - centre[0]) / _BALL, (y - centre[1]) / _BALL
    corner, glow = _BACKGROUND
    room = corner + (glow - corner) * np.exp(-1.6 * ((across + 0.1) ** 2 + (down + 0.05) ** 2))
    table = 1 / (1 + np.exp(-(down - 0.46) * 28)) * np.exp(-2.5 * across**2)
    room = room + 0.035 * table * np.exp(-6 * (down - 0.46).clip(0))
    below = down - 0.5
    contact = np.exp(-((across - 0.02) ** 2) / 0.025 - below**2 / 0.0009)
    soft = np.exp(-((across - 0.08) ** 2) / 0.11 - below**2 / 0.006)
    room = room * (1 - 0.85 * np.clip(0.75 * contact + 0.6 * soft, 0, 1))
    return room[..., None] * np.array([0.98, 1.0, 1.06], np.float32)


def _paste(sheet: Image.Image, pixels: npt.NDArray[np.uint8], left: int, top: int, radius: int) -> None:
    """Lays pixels on the sheet with rounded corners."""
    from PIL import Image, ImageDraw

    height, width = pixels.shape[:2]
    mask = Image.new("L", (width * 4, height * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), radius * 4, fill=255)
    sheet.paste(Image.fromarray(pixels), (left, top), mask.resize((width, height), Image.Resampling.BOX))


def _lay_out_maps(sheet: Image.Image, material: Material) -> None:
    from PIL import ImageDraw

    size = _thumbnail_size(material)
    draw = ImageDraw.Draw(sheet)
    top = _HEIGHT - _MARGIN - _THUMBNAIL - 22
    for index, name in enumerate(MAPS):
        field: FloatArray = resize(getattr(material, name), *size)
        if name == "normal":
            field = field * np.float32(0.5) + np.float32(0.5)
        if field.ndim == 2:
            field = np.repeat(field[..., None], 3, axis=2)
        shown = field[:_THUMBNAIL, :_THUMBNAIL]
        left = _MARGIN + index * (_THUMBNAIL + _GAP)
        _paste(sheet, (np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8), left, top, radius=6)
        draw.text(
            (left + _THUMBNAIL / 2, top + _THUMBNAIL + 8),
            _LABELS[name],
            (168, 171, 178),
            _font(14),
            anchor="ma",
        )


def _thumbnail_size(material: Material) -> tuple[int, int]:
    """Width and height that just cover a thumbnail."""
    rows, columns = material.height.shape
    factor = _THUMBNAIL / min(rows, columns)
    return max(_THUMBNAIL, round(columns * factor)), max(_THUMBNAIL, round(rows * factor))


def _write_title(sheet: Image.Image, facts: str, title: str) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(sheet)
    right = _WIDTH - _MARGIN
    room = right - (_MARGIN + len(MAPS) * (_THUMBNAIL + _GAP) + 12)
    font = _font(30)
    shown = title
    while shown and draw.textlength(shown, font) > room:
        shown = shown[:-2].rstrip(" ,…") + "…" if len(shown) > 2 else ""
    base = _HEIGHT - _MARGIN - 40
    draw.text((right, base), shown, (235, 236, 238), font, anchor="rs")
    note = f"{facts}   ·   seamless PBR material"
    draw.text((right, base + 26), note, (140, 143, 150), _font(15), anchor="rs")


def _font(size: int):  # noqa: ANN202 - Pillow has two classes of fonts and no common base.
    from PIL import ImageFont

    return ImageFont.load_default(size)
