# SPDX-License-Identifier: GPL-3.0-or-later
"""The task ``tile``: one picture, of any content and with or without transparency, made to tile at its own size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from generator import seams
from generator.material import FloatArray
from generator.models import Model, settle_unasked
from generator.pixels import Pixels, from_levels, to_levels
from generator.procedural_model import ProceduralModel
from generator.progress import Progress
from generator.protocol import DEFAULT_MODEL, Request
from generator.protocol.seam_words import axes_of, spoken

TRANSPARENT = (
    "The image's transparency does not tile, and models cannot draw transparency, so the edges of both were joined "
    "without the model."
)


def repair(
    pixels: Pixels, request: Request, load: Callable[[], Model], progress: Progress
) -> tuple[Pixels, seams.SeamReport, Request]:
    """The picture ``(H, W, 3 or 4)`` made to tile along the request's axes, and the report on it as it was.

    The request comes back as whoever did it settled it (see `Model.settle`).

    Size, type and number of channels stay; a picture that tiles already comes back as it is, and no model is
    loaded for it. ``load`` gives the request's model. Transparency is a fourth channel: without a model it is
    joined along with the colours, so that both stay in register; a model redraws the colours, and then it is kept.
    Raises what the model raises.
    """
    picture = from_levels(pixels)
    before = measure(picture, guess=True)
    axes = axes_of(request.seamless)
    verdicts = [getattr(before, axis).tiles for axis in axes]
    if all(verdicts):
        progress.notice(f"The image tiles already in {spoken(axes)} and was left as it is.")
        return pixels, before, settle_unasked(request)
    made, request = _repaired(picture, before, request, load, progress)
    return (pixels if made is picture else to_levels(made, pixels.dtype)), before, request


def measure(picture: FloatArray, guess: bool = False) -> seams.SeamReport:
    """The report on ``(H, W, 3 or 4)``. Colours count as far as they are seen; where there are none, alpha counts.

    ``guess`` as in `seams.measure`.
    """
    if picture.shape[2] == 4:
        picture = np.concatenate((picture[..., :3] * picture[..., 3:], picture[..., 3:]), axis=2)
    return seams.measure(picture, guess)


def _broken(report: seams.SeamReport, request: Request) -> bool:
    return (request.tiles_x and report.x.tiles is False) or (request.tiles_y and report.y.tiles is False)


def _repaired(
    picture: FloatArray,
    before: seams.SeamReport,
    request: Request,
    load: Callable[[], Model],
    progress: Progress,
) -> tuple[FloatArray, Request]:
    def joined(by: Model, part: FloatArray) -> tuple[FloatArray, Request]:
        settled = by.settle(request)
        return by.make_seamless(settled, part, progress), settled

    if not _broken(before, request):
        # Nothing to see for a model, though a small picture may still have a jump that can be taken away.
        return joined(ProceduralModel(), picture)
    if request.model == DEFAULT_MODEL or picture.shape[2] == 3:
        return joined(load(), picture)
    colours, alpha = picture[..., :3], picture[..., 3:]
    if _broken(seams.measure(alpha, guess=True), request):
        progress.notice(TRANSPARENT)
        return joined(ProceduralModel(), picture)
    painted, settled = joined(load(), colours)
    return np.concatenate((painted, alpha), axis=2), settled
