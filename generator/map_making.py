# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of a picture for a request: whoever makes them is settled first, so that the recipe says it."""

from __future__ import annotations

from dataclasses import replace

from generator import maps
from generator.material import FloatArray, Material
from generator.networks import WeightsError
from generator.progress import GenerationError, Progress
from generator.protocol import DEFAULT_MODEL, Request

FALLEN_BACK = "The maps are made by image analysis, since the network cannot be used. {}"


def settle_maker(request: Request, progress: Progress) -> Request:
    """The request with ``maps_from`` settled, where maps are going to be made of a picture.

    A damaged network costs a notice; only a request that names the network fails, with a `GenerationError`.
    """
    if not _needs_maps(request):
        return request
    wanted = request.maps_from
    if wanted == "auto" and request.task == "texture" and request.maps == ("basecolor",):
        wanted = "analysis"  # which leaves the picture as the model drew it
    settled = maps.settle(wanted)
    if settled == "network":
        try:
            maps.open_network()
        except WeightsError as error:
            if wanted == "network":
                advice = "Install Dream Textures again, or ask for image analysis."
                raise GenerationError("no_network", str(error), advice) from error
            progress.notice(FALLEN_BACK.format(error))
            settled = "analysis"
    return replace(request, maps_from=settled)


def maps_of(picture: FloatArray, request: Request, progress: Progress) -> Material:
    """The material that ``picture`` ``(H, W, 3)``, sRGB in [0, 1], shows, by the maker that the request names."""
    progress.loading("Maps from the image")
    axes = (request.tiles_x, request.tiles_y)
    return maps.estimate(picture, axes, request.maps_from, progress.check)


def _needs_maps(request: Request) -> bool:
    """Words alone make a procedural material, whose maps are its own."""
    if request.task == "texture":
        return request.model != DEFAULT_MODEL or request.source is not None
    return request.task == "maps"
