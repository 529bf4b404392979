# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model was made for, as far as the running generator has said; nothing is asked or read for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

UNKNOWN = "As the model was made for"
WITH_LORAS = "As the model and its LoRAs were made for"


def automatic(models: Iterable[Any], folder: str, with_loras: bool) -> str:
    """What *Automatic* means for the model in ``folder``, or of that name: its numbers, or words for them.

    ``models`` are those of a `Hello`; what they hold comes from another program and is taken as it is. A LoRA may
    change the numbers, and which it is only the generator can see.
    """
    if with_loras:
        return WITH_LORAS
    told = (model.get("numbers") for model in _called(models, folder))
    return next((numbers for numbers in told if isinstance(numbers, str) and numbers), UNKNOWN)


def native_size(models: Iterable[Any], folder: str) -> int:
    """The side in pixels of what the model in ``folder`` was made for; 0 where that is not known."""
    told = (model.get("native_size") for model in _called(models, folder))
    return next((size for size in told if type(size) is int and size > 0), 0)


def _called(models: Iterable[Any], folder: str) -> Iterator[dict[str, Any]]:
    wanted = _key(folder)
    for model in models if wanted else ():
        if isinstance(model, dict) and wanted in (_key(model.get("folder")), _key(model.get("name"))):
            yield model


def _key(path: object) -> str:
    return os.path.normcase(os.path.normpath(path)) if isinstance(path, str) and path else ""
