# SPDX-License-Identifier: GPL-3.0-or-later
"""What worked for a model on a device, kept in one small file of the user: losing it costs an attempt, no more."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.places import state_folder, write_whole

from .folder import ModelFolder
from .ladder import Measure

FILE = "memory.json"
LIMIT = 300  # entries; the oldest are forgotten
_VERSION = 1


@dataclass(frozen=True)
class Worked:
    """What an image was made with: measures, ``on_cpu`` in place of the device asked for, and ``free``: the bytes
    that were available before it. ``batch`` images at a time worked where more did not; 0 where none were too many."""

    measures: tuple[Measure, ...]
    on_cpu: bool
    free: int
    batch: int = 0


def identity(folder: ModelFolder) -> str:
    """The model, wherever its folder lies: its name, its pipeline, and the names and sizes of its weights."""
    files = sorted({file for found in folder.weights.values() for some in found.values() for file in some})
    told = [
        folder.name,
        folder.pipeline,
        *(f"{file.parent.name}/{file.name} {file.stat().st_size}" for file in files),
    ]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


class Experience:
    """The entries for one model on one device in one precision. ``key`` is what tells it from others."""

    def __init__(self, *key: str) -> None:
        self._key = "|".join(key)

    def worked(self, width: int, height: int) -> Worked | None:
        """What worked for images of about this size, or None."""
        found = _read().get(self._sized(width, height), {})
        try:
            measures = tuple(Measure(name) for name in found["measures"])
            batch = int(found.get("batch", 0))
            return Worked(measures, bool(found["on_cpu"]), int(found["free"]), max(0, batch))
        except (KeyError, TypeError, ValueError):
            return None

    def learn(self, width: int, height: int, worked: Worked | None) -> None:
        """Keep what worked; None forgets it, since nothing special was needed."""
        entry = worked and {
            "measures": [measure.value for measure in worked.measures],
            "on_cpu": worked.on_cpu,
            "free": worked.free,
            "batch": worked.batch,
        }
        self._keep(self._sized(width, height), entry)

    @property
    def dtype(self) -> str:
        """The number format that images were sound in after they had come out spoilt; empty if they never did."""
        found = _read().get(self._key, {}).get("dtype")
        return found if isinstance(found, str) else ""

    @property
    def without_fp8(self) -> bool:
        """Whether images came out spoilt with weights in 8 bits."""
        return _read().get(self._key, {}).get("without_fp8") is True

    def learn_dtype(self, dtype: str) -> None:
        """Images are sound in this number format, and were spoilt in those before."""
        self._keep(self._key, {**_read().get(self._key, {}), "dtype": dtype})

    def learn_without_fp8(self) -> None:
        """Images are spoilt with weights in 8 bits."""
        self._keep(self._key, {**_read().get(self._key, {}), "without_fp8": True})

    def _sized(self, width: int, height: int) -> str:
        # Two sizes share what worked where one has less than 1.4 times the other's pixels.
        return f"{self._key}|{math.ceil(2 * math.log2(width * height))}"

    def _keep(self, key: str, entry: Mapping[str, Any] | None) -> None:
        entries = _read()
        known = entries.pop(key, None)
        if entry is None and known is None:
            return
        if entry is not None:
            entries[key] = dict(entry)
        latest = dict(list(entries.items())[-LIMIT:])
        # A disk that is full or read-only shall not cost an image: it is found out again another time.
        with contextlib.suppress(OSError):
            write_whole(_path(), json.dumps({"version": _VERSION, "entries": latest}, indent=1))


def _path() -> Path:
    return state_folder() / FILE


def _read() -> dict[str, dict[str, Any]]:
    """All entries; none where the file is missing, broken or of another version."""
    try:
        kept = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if (
        not isinstance(kept, dict)
        or kept.get("version") != _VERSION
        or not isinstance(kept.get("entries"), dict)
    ):
        return {}
    return {key: entry for key, entry in kept["entries"].items() if isinstance(entry, dict)}
