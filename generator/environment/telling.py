# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress as events: what is being done, how far it is, how fast, and for how much longer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .planning import folder_size

Show = Callable[[dict[str, Any]], None]
_WINDOW = 20.0
_EVERY = 0.5
_SHARE = 8
"""A folder is measured at most for one part of this many of the time, however many files are in it."""


class Teller:
    """Sends ``step`` events: at once when the step changes, else twice a second at most."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._what = ""
        self._sent = 0.0
        self._seen: deque[tuple[float, int]] = deque()

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        """``what`` is being done; ``done`` of ``total`` bytes of it, where these are known."""
        now = time.monotonic()
        if what != self._what:
            self._what = what
            self._seen.clear()
        elif now - self._sent < _EVERY:
            return
        self._sent = now
        fraction = speed = left = None
        if done is not None:
            speed = self._speed(now, done)
            if total:
                fraction = min(done / total, 1.0)
                left = round((total - done) / speed, 1) if speed and total >= done else None
        self._show(
            {
                "event": "step",
                "what": what,
                "fraction": fraction,
                "bytes": done,
                "total": total,
                "bytes_per_second": speed,
                "seconds_left": left,
            }
        )

    def _speed(self, now: float, done: int) -> int | None:
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        start, before = self._seen[0]
        return round((done - before) / (now - start)) if now - start > 1 and done >= before else None


class Growth:
    """How much of a download is there, by how much a folder has grown; uv itself does not say.

    With ``beside`` an environment that works, nobody knows how much of the new one is new: `total` is None then.
    """

    def __init__(self, folder: Path, unpacked: int, download: int, *, beside: bool) -> None:
        self._folder, self._unpacked, self._download = folder, max(unpacked, 1), download
        self._start = folder_size(folder) if beside else 0
        self.total = None if beside else download
        self._next = 0.0
        self._last = 0

    def measure(self) -> int:
        """Bytes of the download that are done, at most all of them."""
        now = time.monotonic()
        if now >= self._next:
            # Files on the disk are unpacked; the artist is told in the bytes that the network had to carry.
            share = min((folder_size(self._folder) - self._start) / self._unpacked, 1.0)
            self._last = max(self._last, round(share * self._download))
            self._next = now + max(_EVERY, _SHARE * (time.monotonic() - now))
        return self._last
