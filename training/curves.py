# SPDX-License-Identifier: GPL-3.0-or-later
"""A training's log as a picture: every part of its loss over the steps, on logarithmic axes."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from PIL import Image, ImageDraw

from training.checkpoints import read_log

_SIZE = (900, 560)
_MARGIN = (64, 16, 150, 36)  # left, top, right, bottom
_COLOURS = (
    "#1b6ca8", "#d1495b", "#2e933c", "#8e5bb5", "#c9790f", "#3aa6a6", "#6b6b6b", "#b8429a", "#7a5c3e",
)  # fmt: skip


def draw(log: Path, picture: Path) -> None:
    """Draw the curves of a log, smoothed to a hundred points or so; nothing where it has no lines yet."""
    lines = read_log(log)
    if not lines:
        return
    names = [name for name in lines[-1] if name not in ("step", "seconds")]
    bunch = max(1, len(lines) // 120)
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for first in range(0, len(lines), bunch):
        some = lines[first : first + bunch]
        for name in names:
            values = [line[name] for line in some if line.get(name, 0) > 0]
            if values:
                points[name].append((some[-1]["step"], sum(values) / len(values)))
    drawn = [point for curve in points.values() for point in curve]
    if not drawn:
        return
    image = Image.new("RGB", _SIZE, "white")
    pen = ImageDraw.Draw(image)
    frame = _Frame(drawn)
    frame.axes(pen, lines[-1])
    for number, (name, curve) in enumerate(points.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        pen.line([frame.at(*point) for point in curve], fill=colour, width=2)
        value = curve[-1][1] if curve else math.nan
        pen.text((_SIZE[0] - _MARGIN[2] + 12, _MARGIN[1] + 18 * number), f"{name}  {value:.4g}", fill=colour)
    image.save(picture)


class _Frame:
    """Where a step and a value lie on the picture."""

    def __init__(self, points: list[tuple[float, float]]) -> None:
        steps, values = zip(*points, strict=True)
        self._steps = math.log(max(1, min(steps))), math.log(max(steps) + 1)
        self._values = math.log(min(values)) - 0.05, math.log(max(values)) + 0.05

    def at(self, step: float, value: float) -> tuple[float, float]:
        left, top, right, bottom = _MARGIN
        low, high = self._steps
        x = left + (math.log(max(1, step)) - low) / max(high - low, 1e-6) * (_SIZE[0] - left - right)
        low, high = self._values
        y = _SIZE[1] - bottom - (math.log(value) - low) / (high - low) * (_SIZE[1] - top - bottom)
        return x, y

    def axes(self, pen: ImageDraw.ImageDraw, last: dict[str, float]) -> None:
        left, top, right, bottom = _MARGIN
        pen.rectangle((left, top, _SIZE[0] - right, _SIZE[1] - bottom), outline="#b0b0b0")
        for power in range(-6, 4):
            for digit in (1, 2, 5):
                value = digit * 10.0**power
                if self._values[0] <= math.log(value) <= self._values[1]:
                    y = self.at(1, value)[1]
                    pen.line((left, y, _SIZE[0] - right, y), fill="#e4e4e4")
                    pen.text((6, y - 6), f"{value:g}", fill="black")
        for power in range(7):
            if self._steps[0] <= math.log(10**power) <= self._steps[1]:
                x = self.at(10**power, math.exp(self._values[0]))[0]
                pen.line((x, top, x, _SIZE[1] - bottom), fill="#e4e4e4")
                pen.text((x - 10, _SIZE[1] - bottom + 6), f"{10**power}", fill="black")
        hours = last["seconds"] / 3600
        pen.text((left, _SIZE[1] - 16), f"steps; {int(last['step'])} done in {hours:.1f} hours", fill="black")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
