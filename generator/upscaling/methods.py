# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a picture larger: our networks, a model file of the artist's, or the Lanczos filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from generator.material import FloatArray
from generator.networks import Weights, WeightsError, best_operations, read_weights, shipped_weights
from generator.progress import GenerationError, Progress
from generator.protocol import DEFAULT_MODEL, FACTORS, LANCZOS, UPSCALER, Request
from generator.resample import resize
from generator.upscaling import compact
from generator.upscaling.pieces import Axes, in_pieces

COLOUR, DATA = "colour", "data"
_BY_FILTER = "the Lanczos filter"
_FILTER = 3
"""Pixels of the source, at most, that the filter sees to each side when it reduces what a network has made."""

Tick = Callable[[float], None]
"""Told the share of the work that is done, in [0, 1]; raises where the job was cancelled."""


class Enlarger(Protocol):
    """Something that makes ``(H, W, C)``, float32 in [0, 1], ``factor`` times as large."""

    name: str
    """What sentences call it, such as "the Lanczos filter"."""

    def __call__(self, picture: FloatArray, factor: int, wraps: Axes, tick: Tick) -> FloatArray:
        """``(factor * H, factor * W, C)`` in [0, 1]."""
        ...


class Lanczos:
    """The filter: it knows nothing of textures, and never fails."""

    name = _BY_FILTER

    def __call__(self, picture: FloatArray, factor: int, wraps: Axes, tick: Tick) -> FloatArray:
        tick(0.0)
        rows, columns = picture.shape[:2]
        made = resize(picture, columns * factor, rows * factor, *wraps)
        return np.clip(made, 0, 1)


class CompactNetwork:
    """A network of the kind that we train, run by torch or by NumPy; see `compact`.

    A network for one channel is given every channel by itself, so that it cannot mix them.
    """

    def __init__(self, weights: Weights, name: str, check: Callable[[], None]) -> None:
        self.name = name
        self.shape = compact.read_shape(weights.tensors)
        if self.shape.scale < 2:
            raise WeightsError(f"{name} does not make pictures larger.")
        self._operations = best_operations(check)
        self._weights = self._operations.prepare(weights.tensors)

    @property
    def channels(self) -> int:
        """How many channels it takes: 1 or 3."""
        return self.shape.channels

    def __call__(self, picture: FloatArray, factor: int, wraps: Axes, tick: Tick) -> FloatArray:
        # What is made too large is reduced piece by piece, or it would have to be held as a whole.
        reached = min(factor, self.shape.scale)

        def once(picture: FloatArray, wraps: Axes, tick: Tick) -> FloatArray:
            return self._once(picture, reached, wraps, tick)

        return repeated(once, reached, picture, factor, wraps, tick)

    def _once(self, picture: FloatArray, factor: int, wraps: Axes, tick: Tick) -> FloatArray:
        planes = np.moveaxis(picture, 2, 0)
        stack = planes[:, None] if self.channels == 1 else planes[None]

        def reduced(piece: FloatArray) -> FloatArray:
            rows, columns = (factor * side for side in piece.shape[-2:])
            made = np.clip(self._run(piece), 0, 1)
            flat = np.moveaxis(made.reshape(-1, *made.shape[-2:]), 0, 2)
            small = resize(flat, columns, rows, False, False, bounded=False)
            return np.moveaxis(small, 2, 0).reshape(*made.shape[:2], rows, columns)

        if factor < self.shape.scale:
            made = in_pieces(reduced, stack, factor, self.shape.halo + _FILTER, wraps, tick)
        else:
            made = in_pieces(self._run, stack, factor, self.shape.halo, wraps, tick)
        np.clip(made, 0, 1, out=made)
        return np.moveaxis(made.reshape(-1, *made.shape[-2:]), 0, 2)

    def _run(self, planes: FloatArray) -> FloatArray:
        operations = self._operations
        made = [
            operations.to_array(
                compact.apply(operations, self._weights, self.shape, operations.to_field(plane[None]))
            )
            for plane in planes
        ]
        return np.concatenate(made)


def repeated(
    once: Callable[[FloatArray, Axes, Tick], FloatArray],
    scale: int,
    picture: FloatArray,
    factor: int,
    wraps: Axes,
    tick: Tick,
) -> FloatArray:
    """A model that makes pictures ``scale`` times as large, as often as ``factor`` needs; what is more is reduced."""
    rows, columns = picture.shape[:2]
    passes, reached = 1, scale
    while reached < factor:
        passes, reached = passes + 1, reached * scale
    areas = [scale ** (2 * number) for number in range(passes)]
    done = 0.0
    for area in areas:
        share = area / sum(areas)
        begun = done

        def part(inner: float, begun: float = begun, share: float = share) -> None:
            tick(begun + share * inner)

        picture = once(picture, wraps, part)
        done += share
    if reached != factor:
        picture = np.clip(resize(picture, columns * factor, rows * factor, *wraps), 0, 1)
    return picture


@dataclass(frozen=True)
class Method:
    """``colour`` for base colours, ``data`` for every other map. ``model`` is what a recipe says of them."""

    colour: Enlarger
    data: Enlarger
    model: str


def shipped(kind: str, factor: int) -> Path | None:
    """The best network of ours for `COLOUR` or `DATA`: for the factor itself, else for another one."""
    others = sorted(set(FACTORS) - {factor})
    found = (shipped_weights(f"upscaler-{kind}-x{scale}") for scale in (factor, *others))
    return next((path for path in found if path is not None), None)


def choose(request: Request, progress: Progress) -> Method:
    """What the request's model means here. Raises `GenerationError` where a named one cannot be had."""
    if request.model == LANCZOS:
        return Method(Lanczos(), Lanczos(), LANCZOS)
    if request.model in (DEFAULT_MODEL, UPSCALER):
        return _own(request, progress)
    if request.model.startswith("builtin:"):
        raise GenerationError(
            "no_such_model",
            f"There is no built-in upscaler {request.model!r}.",
            f"Use {UPSCALER}, {LANCZOS} or the path of a model file.",
        )
    return _from_file(Path(request.model).expanduser(), request, progress)


def _own(request: Request, progress: Progress) -> Method:
    networks: dict[str, Enlarger] = {}
    for kind in (COLOUR, DATA):
        path = shipped(kind, request.factor)
        try:
            if path is not None:
                networks[kind] = CompactNetwork(read_weights(path), "the built-in network", progress.check)
        except WeightsError as error:
            if request.model == UPSCALER:
                raise GenerationError("bad_weights", str(error), "Install Dream Textures again.") from error
            progress.notice(f"{error} Install Dream Textures again; the Lanczos filter is used meanwhile.")
    if not networks and request.model == UPSCALER:
        raise GenerationError(
            "no_such_model",
            "This copy of Dream Textures has no network that makes pictures larger.",
            f"Use the filter ({LANCZOS}), or name a model file.",
        )
    model = UPSCALER if networks else LANCZOS
    return Method(networks.get(COLOUR, Lanczos()), networks.get(DATA, Lanczos()), model)


def _from_file(path: Path, request: Request, progress: Progress) -> Method:
    """A model for three channels takes the base colour's place, one for a single channel that of the data."""
    from generator.upscaling import foreign

    own = _own(replace(request, model=DEFAULT_MODEL), progress)
    loaded = foreign.load(path, request.device, progress)
    if loaded.channels == 1:
        return Method(own.colour, loaded, request.model)
    return Method(loaded, own.data, request.model)
