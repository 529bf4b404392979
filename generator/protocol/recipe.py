# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe that travels inside each picture: how to make it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .request import MAPS, Request, RequestError
from .strict import parse_json

RECIPE_KEYWORD = "dream_textures"
"""The keyword of the PNG text chunk that holds the recipe."""

RECIPE_FORMAT = 1
PICTURES = (*MAPS, "sheet")
"""What a picture with a recipe can be: a map, or the sheet that shows them all."""

MAX_RECIPE = 1 << 20
_MAX_RELIEF = 100.0
_FIELDS = {"format", "version", "map", "relief", "seams", "request"}


class RecipeError(RequestError):
    """A picture's recipe cannot be used; the text is a sentence for the artist."""


@dataclass(frozen=True)
class Recipe:
    """``request`` makes this picture again; the rest says what it is.

    ``version`` is the version of Dream Textures that made it, ``map`` which of `PICTURES` it is, ``relief`` the
    height's full range as a fraction of the shorter side, ``seams`` the seam report as it was measured.
    """

    request: Request
    map: str
    version: str
    relief: float
    seams: dict[str, Any]


def recipe_text(
    request: Request | Mapping[str, Any],
    *,
    map_name: str,
    version: str,
    relief: float,
    seams: Mapping[str, Any],
) -> str:
    """The recipe as one line of ASCII JSON. ``request`` may be the `Result.recipe` as it came over the wire."""
    return json.dumps(
        {
            "format": RECIPE_FORMAT,
            "version": version,
            "map": map_name,
            "relief": relief,
            "seams": dict(seams),
            "request": request.to_json() if isinstance(request, Request) else dict(request),
        },
        allow_nan=False,
    )


def parse_recipe(text: str) -> Recipe:
    """The recipe that `recipe_text` wrote. Raises `RecipeError` for anything else, with a sentence."""
    if len(text) > MAX_RECIPE:
        raise RecipeError("This picture's recipe is too long to be one of ours.")
    try:
        data = parse_json(text)
    except ValueError as error:
        raise RecipeError("This picture's recipe is damaged.") from error
    if not isinstance(data, dict):
        raise RecipeError("This picture's recipe is damaged.")
    if data.get("format") != RECIPE_FORMAT or isinstance(data.get("format"), bool):
        raise RecipeError("This picture's recipe was written by another version of Dream Textures.")
    if set(data) != _FIELDS:
        raise RecipeError(
            "This picture's recipe is incomplete, or has parts that this version does not know."
        )
    version, relief, seams = data["version"], data["relief"], data["seams"]
    if (
        not isinstance(version, str)
        or data["map"] not in PICTURES
        or isinstance(relief, bool)
        or not isinstance(relief, (int, float))
        or not 0 <= relief <= _MAX_RELIEF
        or not isinstance(seams, dict)
    ):
        raise RecipeError("This picture's recipe is damaged.")
    try:
        request = Request.from_json(data["request"])
    except RequestError as error:
        raise RecipeError(f"This picture's recipe cannot be used: {error}") from error
    return Recipe(request, data["map"], version, float(relief), seams)
