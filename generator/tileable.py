# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a photograph tile, keeping its size and as much of its looks as can be kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from generator import seams
from generator.material import FloatArray
from generator.resample import resize
from generator.tiling import light, straight, ways
from generator.tiling.likeness import Judge, Likeness
from generator.tiling.patches import Wraps
from generator.tiling.ways import Method, Task, Way

_AREA = 224 * 224  # Pixels of the copy on which all ways are tried.
_TRIES = 3  # So many of the best ways are carried out in full, at most, until one of them tiles.
_SEAM_PRICE, _BEAT_PRICE, _ZOOM_PRICE, _STRETCH_PRICE = 0.3, 0.8, 0.25, 0.3
_VEIL_PRICE = 2.0
_TIES = {"none": 0.0, "evened": 0.0, "patched": 0.005, "cut": 0.01, "cut and patched": 0.01}
"""Where two ways look equally good, the one that leaves more of the picture alone is taken."""
_SMALLEST = 8  # Pixels: smaller pictures can be evened alone.


@dataclass(frozen=True)
class Score:
    """What tells against a result; 0 is perfect, and ``total`` is what ways are compared by.

    ``seams`` counts the axes on which a seam is still to be seen; ``likeness`` says how much the result looks like
    the photograph; ``off_beat`` how far a regular pattern is broken, 0 to 1; ``zoom`` and ``stretch`` are logarithms
    of how much the picture was enlarged, and of how much more one axis was than the other; ``veil`` is how much
    evening changed the colours along the border; ``tie`` decides between ways that look equally good.
    """

    seams: int
    likeness: Likeness
    off_beat: float
    zoom: float
    stretch: float
    veil: float
    tie: float

    @property
    def total(self) -> float:
        """All in one figure."""
        return (
            _SEAM_PRICE * self.seams
            + self.likeness.total
            + _BEAT_PRICE * self.off_beat
            + _ZOOM_PRICE * self.zoom
            + _STRETCH_PRICE * self.stretch
            + _VEIL_PRICE * self.veil
            + self.tie
        )


_UNTOUCHED = Score(0, Likeness(0.0, 0.0, 0.0), 0.0, zoom=0.0, stretch=0.0, veil=0.0, tie=0.0)


@dataclass(frozen=True)
class Tiled:
    """A picture that tiles, how it was made to, how well that went, and the same in a sentence for the artist."""

    picture: FloatArray
    method: Method
    score: Score
    sentence: str


def make_tileable(image: FloatArray, x: bool = True, y: bool = True) -> FloatArray:
    """The picture of `tile`, without the report."""
    return tile(image, x, y).picture


def tile(image: FloatArray, x: bool = True, y: bool = True, check: Callable[[], None] | None = None) -> Tiled:
    """A picture ``(H, W, 3 or 4)``, float in [0, 1], made to tile along the axes that are asked for; size kept.

    Axes that tile already are left alone; when all do, the picture itself comes back. A wall that was photographed
    askew is straightened first, and light that falls off is evened out. Then several ways are tried on a small copy
    (`generator.tiling.ways`): taking away what keeps the ends from meeting, laying pieces of the picture over its
    borders, cropping it to whole repeats of its pattern. They are judged by whether a seam is seen and by how much
    the result looks like the photograph; the best is done in full, and the next best one where that shows a seam.
    The result depends on the pixels alone.

    ``check`` is called every now and then, and may raise to end the work. Raises ``ValueError`` for other shapes.
    """
    if image.ndim != 3 or image.shape[2] not in (3, 4) or image.size == 0:
        raise ValueError(f"A picture of shape (H, W, 3) or (H, W, 4) is needed, not {image.shape}.")
    check = check or (lambda: None)
    picture = _opaque(np.clip(np.nan_to_num(np.asarray(image, np.float32)), 0, 1))
    check()
    report = seams.measure(picture, guess=True)
    open_x, open_y = (_is_open(picture, report, axis) for axis in ("x", "y"))
    task = Task(asked=Wraps(x and open_x, y and open_y), kept=Wraps(not open_x, not open_y))
    if not (task.asked.x or task.asked.y):
        untouched = image if np.isfinite(image).all() else _transparent(picture, image.shape[2])
        return Tiled(untouched, "none", _UNTOUCHED, _nothing_done(x, y))
    quad = None if task.kept.x or task.kept.y else straight.find_quad(picture)
    if quad is not None:
        picture = straight.straighten(picture, quad)
        check()
    gain = light.fall_off(picture, task.asked.x, task.asked.y) if _is_opaque(picture) else None
    photo = picture if gain is None else np.clip(picture * gain, 0, 1)
    way, result, score = _best(photo, task, check)
    before = [
        "The photo was straightened first." if quad else "",
        "Uneven light was evened out first." if gain is not None else "",
    ]
    return Tiled(_transparent(result, image.shape[2]), way.method, score, _sentence(way, score, before))


def _best(photo: FloatArray, task: Task, check: Callable[[], None]) -> tuple[Way, FloatArray, Score]:
    rows, columns = photo.shape[:2]
    factor = min(1.0, (_AREA / (rows * columns)) ** 0.5)
    width, height = (max(min(16, size), round(size * factor)) for size in (columns, rows))
    small = resize(photo, width, height, task.kept.x, task.kept.y)
    judge = Judge(small, task.asked.x, task.asked.y) if min(width, height) >= _SMALLEST else None
    found = []
    for way, tried in ways.find(photo, small, task, check):
        check()
        found.append((_score(way, small, tried, task, judge), way, tried))
    found.sort(key=lambda entry: entry[0].total)
    done: list[tuple[Way, FloatArray, Score]] = []
    for score, way, tried in found[:_TRIES]:
        check()
        result = tried if photo.shape == small.shape else ways.carry_out(way, photo, task, check)
        check()
        done.append((way, result, replace(score, seams=_seams(result, task))))
        if done[-1][2].seams == 0:
            break
    return min(done, key=lambda entry: entry[2].total)


def _score(way: Way, photo: FloatArray, result: FloatArray, task: Task, judge: Judge | None) -> Score:
    in_x, in_y = np.log(way.stretch)
    return Score(
        seams=_seams(result, task),
        likeness=judge.compare(result) if judge else Likeness(0.0, 0.0, 0.0),
        off_beat=way.off_beat,
        zoom=float(max(in_x, in_y)),
        stretch=float(abs(in_x - in_y)),
        veil=_veil(photo, result) if way.method == "evened" else 0.0,
        tie=_TIES[way.method],
    )


def _seams(result: FloatArray, task: Task) -> int:
    report = seams.measure(result, guess=True)
    return int(task.asked.x and report.x.tiles is False) + int(task.asked.y and report.y.tiles is False)


def _veil(photo: FloatArray, result: FloatArray) -> float:
    """What evening laid over the picture along its borders: the shadows of what lies at the other end."""
    change = np.abs(result - photo).mean(axis=2)
    width = max(1, min(change.shape) // 16)
    return float(np.concatenate((change[:width].ravel(), change[:, :width].ravel())).mean())


def _is_open(picture: FloatArray, report: seams.SeamReport, axis: str) -> bool:
    """Whether an axis does not tile; where the picture is too small for a verdict, its border's jump decides."""
    verdict: bool | None = getattr(report, axis).tiles
    along = 1 if axis == "x" else 0
    if verdict is not None or picture.shape[along] >= 32:
        return verdict is False
    jumps = np.abs(picture - np.roll(picture, 1, axis=along)).mean(axis=(1 - along, 2))
    return jumps.size > 1 and float(jumps[0]) > 1.5 * float(jumps[1:].mean()) + 1e-3


def _opaque(image: FloatArray) -> FloatArray:
    """Colours times alpha, so that what cannot be seen is not compared, and is not mixed with what can."""
    return (
        image
        if image.shape[2] == 3
        else np.concatenate((image[..., :3] * image[..., 3:], image[..., 3:]), axis=2)
    )


def _is_opaque(picture: FloatArray) -> bool:
    return picture.shape[2] == 3 or bool((picture[..., 3] >= 1).all())


def _transparent(picture: FloatArray, channels: int) -> FloatArray:
    if channels == 3:
        return picture
    alpha = picture[..., 3:]
    weight = max(float(alpha.sum()), 1e-6)
    mean = picture[..., :3].sum(axis=(0, 1), dtype=np.float64) / weight
    colours = np.where(alpha > 1e-3, picture[..., :3] / np.maximum(alpha, 1e-3), mean.astype(np.float32))
    return np.concatenate((np.clip(colours, 0, 1), alpha), axis=2).astype(np.float32)


def _nothing_done(x: bool, y: bool) -> str:
    if not (x or y):
        return "No axis was asked for, so the picture was left as it is."
    return "The picture tiles already and was left as it is."


def _sentence(way: Way, score: Score, before: list[str]) -> str:
    stretched = [
        f"{100 * (factor - 1):.0f} % in {axis}"
        for factor, axis in zip(way.stretch, "XY", strict=True)
        if factor >= 1.005
    ]
    by = f", and it was stretched by {' and '.join(stretched)}" if stretched else ""
    first = {
        "none": "Nothing was done.",
        "evened": "The edges were made to meet by evening out the picture; no detail moved.",
        "patched": "Pieces of the picture were laid over its edges along the least visible lines.",
        "cut": f"The picture was cropped, its edges were joined along the least visible line{by}.",
        "cut and patched": "The picture was cropped to whole repeats of its pattern, pieces of it were laid over its "
        f"edges{by}.",
    }[way.method]
    parts = [*filter(None, before), first]
    if score.seams:
        parts.append(
            "A seam can still be seen: try another part of the photo, or one that was taken straight on."
        )
    return " ".join(parts)
