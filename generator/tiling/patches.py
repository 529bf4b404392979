# SPDX-License-Identifier: GPL-3.0-or-later
"""Covers a picture's borders with round pieces of the picture itself, each where it continues what is there.

Image quilting (Efros and Freeman 2001) around the seam alone: for each place along it the piece is sought, anywhere
in the picture, whose rim agrees best with what surrounds the place, and it is laid in along the closed line of least
difference. Nothing is stretched, nothing is blurred, and most of the picture stays untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.material import FloatArray
from generator.resample import blur, resize
from generator.tiling.cuts import Loop

_CORE = 0.5  # The inner radius of the rim in which a line may run, as a share of the outer one.
_SPACING = (
    1.4  # Inner radii from one piece to the next: discs of this radius then overlap along the whole seam.
)
_TRIED = 24  # Pieces whose lines are compared, of all that were looked at.
_FEATHER = 1.0  # Pixels.
_MOST_LIGHT = np.float32(0.05)  # More than this is another colour, not another light.
_APART = 2.2  # Radii between a piece and its origin, lest both be seen as the same thing twice.
_REUSED = 0.6  # How much worse a piece counts that has been laid elsewhere already ...
_STRIKING = 0.25  # ... or whose colour or contrast is one deviation further from the usual than one.
_COARSE = 24  # Pixels of a radius that are enough to tell light from things.
_COMPARED = 10_000

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Wraps:
    """Along which axes something wraps."""

    x: bool
    y: bool


@dataclass(frozen=True)
class Piece:
    """Where a piece of ``radius`` pixels goes, and where it comes from: ``(row, column)`` of either centre."""

    target: tuple[int, int]
    origin: tuple[int, int]
    radius: int


class Canvas:
    """A picture on the torus under repair: its pixels, and which of them still touch the seam.

    ``source`` is ``(H, W, C)`` and stays as it is; ``sound`` says along which axes it wraps already, and ``wraps``
    along which the result does.
    """

    def __init__(self, source: FloatArray, sound: Wraps, wraps: Wraps) -> None:
        self.source, self.sound, self.wraps = source, sound, wraps
        self.picture = source.copy()
        self.open: Mask = np.zeros(source.shape[:2], np.bool_)
        if wraps.x and not sound.x:
            self.open[:, [0, -1]] = True
        if wraps.y and not sound.y:
            self.open[[0, -1], :] = True

    def around(self, centre: tuple[int, int], radius: int) -> tuple[FloatArray, FloatArray]:
        """The window about a place, ``(S, S, C)``, and how much each pixel of it is to be trusted, ``(S, S)``."""
        rows, columns, there = self.indices(centre, radius, self.wraps)
        trust = there & ~self.open[np.ix_(rows, columns)]
        return self.picture[np.ix_(rows, columns)], trust.astype(np.float32)

    def origin(self, centre: tuple[int, int], radius: int) -> FloatArray:
        rows, columns, _ = self.indices(centre, radius, self.sound)
        return self.source[np.ix_(rows, columns)]

    def is_sound(self, origin: tuple[int, int], target: tuple[int, int], radius: int) -> bool:
        """Whether all of the window about ``origin`` that ``target`` needs lies in the source."""
        for size, place, other, sound, wraps in zip(
            self.source.shape[:2],
            origin,
            target,
            (self.sound.y, self.sound.x),
            (self.wraps.y, self.wraps.x),
            strict=True,
        ):
            low, high = (radius, radius) if wraps else (min(radius, other), min(radius, size - 1 - other))
            if not sound and not low <= place < size - high:
                return False
        return True

    def indices(
        self, centre: tuple[int, int], radius: int, wraps: Wraps
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Mask]:
        """Rows and columns of a window, and which of its pixels exist."""
        height, width = self.source.shape[:2]
        reach = np.arange(-radius, radius + 1)
        rows, columns = centre[0] + reach, centre[1] + reach
        there = np.ones((reach.size, reach.size), np.bool_)
        if not wraps.y:
            there &= ((rows >= 0) & (rows < height))[:, None]
        if not wraps.x:
            there &= ((columns >= 0) & (columns < width))[None, :]
        return rows % height, columns % width, there

    def lay(self, piece: Piece, loop: Loop, radii: npt.NDArray[np.intp]) -> None:
        """Copies a piece in, along the line that was found; a difference in light fades towards its middle."""
        here, trust = self.around(piece.target, piece.radius)
        there = self.origin(piece.origin, piece.radius)
        rim = trust * ((loop.distance >= loop.inner) & (loop.distance <= loop.outer))
        share = loop.inside(radii, _FEATHER)[..., None]
        new = np.clip(there + _light_between(here, there, rim, piece.radius), 0, 1)
        rows, columns, exists = self.indices(piece.target, piece.radius, self.wraps)
        merged = here + (new - here) * share
        where = np.nonzero(exists & (share[..., 0] > 0))
        self.picture[rows[where[0]], columns[where[1]]] = merged[where]
        closed = np.nonzero(exists & (share[..., 0] >= 1))
        self.open[rows[closed[0]], columns[closed[1]]] = False


def places(shape: tuple[int, int], radius: int, sound: Wraps, wraps: Wraps) -> list[tuple[int, int]]:
    """Centres of the pieces that cover all seams, the crossing first."""
    height, width = shape
    step = _SPACING * _CORE * radius
    along_y = wraps.x and not sound.x  # The seam in X is a line from top to bottom.
    along_x = wraps.y and not sound.y
    centres: list[tuple[int, int]] = []
    if along_y:
        count = int(np.ceil(height / step))
        offset = 0.0 if wraps.y else 0.5
        centres += [(int((k + offset) * height / count), 0) for k in range(count)]
    if along_x:
        count = int(np.ceil(width / step))
        offset = 0.0 if wraps.x else 0.5
        centres += [(0, int((k + offset) * width / count)) for k in range(1 if along_y else 0, count)]
    return centres


def cover(
    source: FloatArray, sound: Wraps, wraps: Wraps, radius: int, check: Callable[[], None]
) -> tuple[FloatArray, list[Piece]] | None:
    """Seeks and lays all pieces: the picture and the pieces; None where there is no room to take pieces from."""
    canvas = Canvas(source, sound, wraps)
    search = _Search(canvas, radius)
    loop = Loop(max(1, round(_CORE * radius)), radius)
    pieces: list[Piece] = []
    for target in places(source.shape[:2], radius, sound, wraps):
        check()
        candidates = search.best(target, loop)
        if not candidates:
            return None
        here, trust = canvas.around(target, radius)
        windows = np.stack([canvas.origin(origin, radius) for origin in candidates])
        chosen, radii = loop.cheapest(line_costs(here, windows, trust))
        piece = Piece(target, candidates[chosen], radius)
        canvas.lay(piece, loop, radii)
        search.use(piece)
        pieces.append(piece)
    return canvas.picture, pieces


def cover_large(
    source: FloatArray,
    sound: Wraps,
    wraps: Wraps,
    pieces: Sequence[Piece],
    scale: tuple[float, float],
    check: Callable[[], None],
) -> FloatArray:
    """Lays pieces that were found on a copy reduced by ``scale`` (rows, columns), each moved to where it fits best."""
    canvas = Canvas(source, sound, wraps)
    mean = float(np.sqrt(scale[0] * scale[1]))
    loop: Loop | None = None
    for small in pieces:
        check()
        radius = round(small.radius * mean)
        if loop is None or loop.outer != radius:
            loop = Loop(max(1, round(_CORE * radius)), radius)
        target = (round(small.target[0] * scale[0]), round(small.target[1] * scale[1]))
        guess = (round(small.origin[0] * scale[0]), round(small.origin[1] * scale[1]))
        origin = _refined(canvas, target, guess, loop, mean)
        here, trust = canvas.around(target, radius)
        _, radii = loop.cheapest(line_costs(here, canvas.origin(origin, radius)[None], trust))
        canvas.lay(Piece(target, origin, radius), loop, radii)
    return canvas.picture


def _refined(
    canvas: Canvas, target: tuple[int, int], guess: tuple[int, int], loop: Loop, scale: float
) -> tuple[int, int]:
    """The origin near ``guess`` whose rim agrees best, sought in steps that are halved down to a pixel."""
    radius = loop.outer
    here, trust = canvas.around(target, radius)
    weight = (trust * (loop.distance >= loop.inner) * (loop.distance <= loop.outer))[..., None]
    step = 1 << max(0, int(np.ceil(np.log2(max(scale, 1)))) - 1)
    best = guess
    while step >= 1:
        # Offsets by whole boxes are shifts of one picture of boxes; some ten thousand of them say enough.
        trusted = _boxes(weight, step)
        wanted = _boxes(here * weight, step) / (trusted + np.float32(1e-6))
        around = _boxes(canvas.origin(best, radius + 2 * step), step, count=len(trusted) + 4)
        stride = max(1, int((trusted.size / _COMPARED) ** 0.5))
        wanted, trusted, count = wanted[::stride, ::stride], trusted[::stride, ::stride], len(trusted)
        errors: dict[tuple[int, int], float] = {}
        for down in range(5):
            for right in range(5):
                place = (best[0] + (down - 2) * step, best[1] + (right - 2) * step)
                if canvas.is_sound(place, target, radius):
                    there = around[down : down + count : stride, right : right + count : stride]
                    errors[place] = float((((wanted - there) ** 2) * trusted).sum())
        if errors:
            best = min(errors, key=lambda place: errors[place])
        step //= 2
    return best


def _boxes(window: FloatArray, side: int, count: int = 0) -> FloatArray:
    """Means over squares of ``side`` pixels, a power of two: ``count`` along each axis, or all that are whole."""
    count = min(count or len(window), len(window) // side)
    part = window[: count * side, : count * side]
    while side > 1:  # NumPy is slow at means over axes as short as these.
        part = part[::2] + part[1::2]
        part = np.float32(0.25) * (part[:, ::2] + part[:, 1::2])
        side //= 2
    return part


def line_costs(here: FloatArray, windows: FloatArray, trust: FloatArray) -> npt.NDArray[np.float32]:
    """What it costs to cut through each pixel: ``(S, S, C)`` and ``(N, S, S, C)`` to ``(N, S, S)``."""
    difference = np.abs(windows - here)
    total = sum((difference[..., c] for c in range(1, here.shape[2])), difference[..., 0])
    return (total * (trust / np.float32(here.shape[2])) + np.float32(1e-4)).astype(np.float32)


def _light_between(here: FloatArray, there: FloatArray, rim: FloatArray, radius: int) -> FloatArray:
    """The broad difference between both along the rim, carried on into the middle; found on a reduced copy."""
    side = 1 << int(np.log2(max(1, radius / _COARSE)))
    weight = _boxes(rim[..., None], side)
    difference = _boxes((here - there) * rim[..., None], side)
    sigma = radius / side / 3
    weight = blur(weight, sigma, wrap_x=False, wrap_y=False) + np.float32(1e-3)
    light = blur(difference, sigma, wrap_x=False, wrap_y=False) / weight
    light = np.clip(light, -_MOST_LIGHT, _MOST_LIGHT)
    return light if side == 1 else resize(light, len(rim), len(rim), False, False, "linear")


def _striking(source: FloatArray, radius: int) -> FloatArray:
    """How far each place stands out by its mean colour or its contrast, ``(H, W)`` in deviations above the first."""
    mean = blur(source, radius / 2, wrap_x=False, wrap_y=False)
    spread = blur(((source - mean) ** 2).sum(axis=2), radius / 2, wrap_x=False, wrap_y=False)
    contrast = np.log(np.sqrt(np.maximum(spread, 0)) + np.float32(0.005))
    usual = np.median(mean, axis=(0, 1))
    colour = np.abs(mean - usual).mean(axis=2)
    colour = colour / (np.float32(1.5) * np.median(colour) + np.float32(0.01))
    depth = np.abs(contrast - np.median(contrast))
    depth = depth / (np.float32(1.5) * np.median(depth) + np.float32(0.05))
    return np.clip(np.maximum(colour, depth) - 1, 0, 4)


class _Search:
    """Compares the rim about a place with all places of the source at once, by fast Fourier transforms."""

    def __init__(self, canvas: Canvas, radius: int) -> None:
        self.canvas, self.radius = canvas, radius
        planes = np.moveaxis(canvas.source, 2, 0)
        self.shape = canvas.source.shape[:2]
        self.spectra = np.fft.rfft2(planes)
        self.squares = np.fft.rfft2((planes**2).sum(axis=0))
        self.handicap = 1 + np.float32(_STRIKING) * _striking(canvas.source, radius)

    def best(self, target: tuple[int, int], loop: Loop) -> list[tuple[int, int]]:
        canvas, radius = self.canvas, self.radius
        height, width = self.shape
        here, trust = canvas.around(target, radius)
        weight = trust * ((loop.distance >= loop.inner) & (loop.distance <= loop.outer))
        side = 2 * radius + 1
        placed = np.zeros((here.shape[2] + 1, height, width), np.float32)
        placed[:-1, :side, :side] = np.moveaxis(here * weight[..., None], 2, 0)
        placed[-1, :side, :side] = weight
        spectra = np.conj(np.fft.rfft2(placed))
        product = (self.spectra * spectra[:-1]).sum(axis=0)
        error = np.fft.irfft2(self.squares * spectra[-1] - 2 * product, self.shape)
        error = np.roll(error, (radius, radius), axis=(0, 1))  # now by the window's centre
        error += float((here**2 * weight[..., None]).sum())
        error = np.maximum(error, 0) * self.handicap
        error[~self._allowed(target)] = np.inf
        result = []
        for _ in range(_TRIED):
            row, column = divmod(int(error.argmin()), width)
            if not np.isfinite(error[row, column]):
                break
            result.append((row, column))
            error[row, column] = np.inf
        return result

    def use(self, piece: Piece) -> None:
        """Makes it less likely that the same piece is taken again: seen twice, it is seen."""
        rows, columns = (
            np.arange(size) - place for size, place in zip(self.shape, piece.origin, strict=True)
        )
        near = np.exp(-(rows[:, None] ** 2 + columns[None, :] ** 2) / np.float32(2 * self.radius**2))
        self.handicap += np.float32(_REUSED) * near.astype(np.float32)

    def _allowed(self, target: tuple[int, int]) -> Mask:
        """Origins whose windows are sound, and far enough from the place they would fill."""
        canvas, radius = self.canvas, self.radius
        ranges, gaps = [], []
        for size, place, sound, wraps in zip(
            self.shape,
            target,
            (canvas.sound.y, canvas.sound.x),
            (canvas.wraps.y, canvas.wraps.x),
            strict=True,
        ):
            index = np.arange(size)
            low, high = radius, radius
            if not wraps:  # what of the window lies outside the picture need not exist in the origin either
                low, high = min(radius, place), min(radius, size - 1 - place)
            ranges.append(np.ones(size, np.bool_) if sound else (index >= low) & (index < size - high))
            gap = np.abs(index - place)
            gaps.append(np.minimum(gap, size - gap) if wraps else gap)
        near = np.hypot(gaps[0][:, None], gaps[1][None, :]) < _APART * radius
        return ranges[0][:, None] & ranges[1][None, :] & ~near
