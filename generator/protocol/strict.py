# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON from a stranger: no names given twice, no numbers that are none, and short words about what is wrong."""

from __future__ import annotations

import json
import math
import reprlib
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError for anything that JSON (RFC 8259) leaves to chance.

    Refused are names that occur twice in an object, NaN, infinities (``1e999`` among them), and nesting that is
    deeper than Python's own limit.
    """
    try:
        return json.loads(
            text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_doubles
        )
    except RecursionError as error:
        raise ValueError("It is nested too deeply.") from error


def short(value: object) -> str:
    """A value as it may appear in a sentence, however long or deep it is."""
    return _SHORT.repr(value)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{short(digits)} is too large a number.")
    return number


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("A name occurs twice.")
    return values
