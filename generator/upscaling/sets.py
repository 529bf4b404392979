# SPDX-License-Identifier: GPL-3.0-or-later
"""Every map of a set by the way that suits it: colours as colours, data channel by channel, normals as directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from generator.material import FloatArray
from generator.pixels import Pixels, from_levels, to_levels
from generator.progress import Progress
from generator.protocol import Request, RequestError, layers
from generator.upscaling.methods import Enlarger, Method, Tick
from generator.upscaling.pieces import Axes

_STEPS = 20
_SPELLED = {
    "basecolor": "base colour",
    "normal": "normal",
    "roughness": "roughness",
    "height": "height",
    "ao": "occlusion",
    "metallic": "metallic",
}
_EIGHT_BITS = 257  # 65535 / 255: what 8 bits can hold is a multiple of this in 16.


@dataclass(frozen=True)
class Enlarged:
    """One map as it is stored: ``(H, W)`` or ``(H, W, 3 or 4)``, in 16 bits where it was that fine."""

    name: str
    pixels: Pixels


def shown(pixels: Pixels, request: Request) -> Pixels:
    """What the eye would judge the set by, ``(H, W, 3 or 4)``: its base colour, else its first map."""
    first, end = _layout(pixels, request)[request.maps[0]]
    part: Pixels = pixels[..., first:end]  # type: ignore[assignment]
    return part if part.shape[2] > 2 else np.repeat(part[..., :1], 3, axis=2)  # type: ignore[return-value]


def enlarge(pixels: Pixels, request: Request, method: Method, progress: Progress) -> Iterator[Enlarged]:
    """The request's maps in their order, each as soon as it is made, with its progress in steps."""
    places = _layout(pixels, request)
    wraps = (request.tiles_x, request.tiles_y)
    done, whole = 0, sum(end - first for first, end in places.values())
    progress.step(0, 0, _STEPS)
    for name, (first, end) in places.items():
        levels = pixels[..., first:end]
        width = end - first

        def tick(share: float, done: int = done, width: int = width) -> None:
            progress.step(0, int(_STEPS * (done + share * width) / whole), _STEPS)

        made = _one(name, from_levels(levels), method, request.factor, wraps, tick)
        fine = (name == "height" and width == 1) or (
            levels.dtype == np.uint16 and bool((levels % _EIGHT_BITS).any())
        )
        stored = to_levels(made, np.uint16 if fine else np.uint8)
        yield Enlarged(name, stored[..., 0] if stored.shape[2] == 1 else stored)
        done += width
    progress.step(0, _STEPS, _STEPS)


def told(method: Method, request: Request) -> str:
    """Which of the maps were made by what, as a sentence."""
    makers: dict[str, list[str]] = {}
    for name in request.maps:
        maker = method.colour if name == "basecolor" else method.data
        makers.setdefault(maker.name, []).append(_SPELLED[name])
    if len(makers) == 1:
        return f"Made larger by {next(iter(makers))}."
    parts = [f"{_listed(maps)} by {maker}" for maker, maps in makers.items()]
    sentence = f"{', '.join(parts)}."
    return f"Made larger: {sentence}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _layout(pixels: Pixels, request: Request) -> dict[str, tuple[int, int]]:
    places = layers.layout(request.maps, pixels.shape[2])
    if places is None:
        raise RequestError(f"A set of these maps does not have {pixels.shape[2]} channels.")
    return places


def _one(name: str, picture: FloatArray, method: Method, factor: int, wraps: Axes, tick: Tick) -> FloatArray:
    """One map, ``(H, W, C)`` in [0, 1]."""
    channels = picture.shape[2]
    if name == "basecolor" and channels >= 3:
        rest = channels - 3
        colour = _varied(method.colour, picture[..., :3], factor, wraps, _share(tick, 0, 3 / channels))
        if not rest:
            return colour
        alpha = _varied(method.data, picture[..., 3:], factor, wraps, _share(tick, 3 / channels, 1.0))
        return np.concatenate((colour, alpha), axis=2)
    if name == "normal" and channels >= 3:
        return _normal(picture, method.data, factor, wraps, tick)
    return _varied(method.data, picture, factor, wraps, tick)


def _normal(picture: FloatArray, enlarger: Enlarger, factor: int, wraps: Axes, tick: Tick) -> FloatArray:
    """Directions: the two that lie in the surface are made larger, and the third makes the length 1 again."""
    kept = [0, 1, 3] if picture.shape[2] == 4 else [0, 1]
    made = _varied(enlarger, picture[..., kept], factor, wraps, tick)
    aside = made[..., :2] * np.float32(2) - np.float32(1)
    square = np.sum(aside * aside, axis=2, keepdims=True)
    # Steeper than a wall is no direction of a surface: such a one is laid down to a wall.
    aside /= np.sqrt(np.maximum(square, 1))
    out = np.sqrt(np.maximum(1 - square, 0))
    normal = np.concatenate((aside, out), axis=2) * np.float32(0.5) + np.float32(0.5)
    return np.concatenate((normal, made[..., 2:]), axis=2)


def _varied(enlarger: Enlarger, picture: FloatArray, factor: int, wraps: Axes, tick: Tick) -> FloatArray:
    """What holds one value everywhere, as metalness mostly does, keeps it exactly and costs nothing."""
    first = picture[:1, :1]
    if bool((picture == first).all()):
        tick(0.0)
        rows, columns = picture.shape[:2]
        return np.broadcast_to(first, (rows * factor, columns * factor, picture.shape[2]))
    return enlarger(np.ascontiguousarray(picture), factor, wraps, tick)


def _share(tick: Tick, start: float, end: float) -> Tick:
    return lambda inner: tick(start + (end - start) * inner)
