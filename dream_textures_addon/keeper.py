# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the jobs on disk while they are open, on a thread of its own.

A disk that is full, slow or read-only costs the jobs this safety net and nothing else: they go on, and the artist
reads one sentence.
"""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from .spool import Leftovers, Spool, SpoolFullError, SpoolLimits
from .spool_entry import SpoolEntry, Stage
from .wire import protocol

CLOSE_SECONDS = 10.0
MAX_PENDING_BYTES = 1 << 30
"""So many bytes may wait for a slow disk; further results are not kept there."""
_ALL_THE_SAME = "They are made all the same."
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Task:
    work: Callable[[], Any]
    future: Future[Any]
    job: str = ""


class Keeper:
    """A spool that is never waited for. All methods are for Blender's main thread and return at once, but `close`.

    ``trouble`` is a sentence while jobs cannot be kept, else empty.
    """

    def __init__(self, root: Path, limits: SpoolLimits | None = None) -> None:
        self.trouble = ""
        self._spool = Spool(root, limits)
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._entries: dict[str, SpoolEntry] = {}
        # Each is counted by one thread alone: what was asked to be written, and what was.
        self._queued = self._written = 0

    @property
    def folder(self) -> Path:
        """Where the jobs lie."""
        return self._spool.root

    def entry(self, job: str) -> SpoolEntry | None:
        """What is known of a job that is kept, or is about to be."""
        return self._entries.get(job)

    def put(self, entry: SpoolEntry, source: protocol.Array | None = None) -> None:
        """Keep a job; one that is kept already only starts anew."""
        known = entry.id in self._entries
        self._entries[entry.id] = entry

        def keep() -> None:
            if known:
                self._spool.update(entry)
            else:
                self._spool.put(entry, source)
            self.trouble = ""

        self._try(entry.id, keep)

    def follow(self, event: protocol.Event, version: str = "unknown") -> None:
        """Keep what an event says about a job; ``version`` is the generator's that said it."""
        entry = self._entries.get(getattr(event, "job", ""))
        if entry is None:
            return
        match event:
            case protocol.Loading() | protocol.Step() if entry.stage is Stage.WAITING:
                self._note(replace(entry, stage=Stage.RUNNING, tries=entry.tries + 1, version=version))
            case protocol.Result():
                self._add_result(event)
            case protocol.Finished():
                self._note(replace(entry, stage=Stage.DONE, version=version))
            case protocol.Failed():
                self._note(entry.failed(event.message))
            case protocol.Cancelled():
                self.drop(entry.id)

    def drop(self, job: str) -> None:
        """Forget a job: it is placed, or nobody wants it."""
        if self._entries.pop(job, None) is not None:
            self._call(lambda: self._spool.drop(job))

    def look(self) -> Future[Leftovers]:
        """What dead Blenders left, from now on in this one's keeping. What is wrong raises no error but ``trouble``."""

        def adopt() -> Leftovers:
            try:
                left = self._spool.adopt()
            except OSError as error:
                self.trouble = _unkept(error)
                return Leftovers()
            self._entries.update({entry.id: entry for entry in left.entries})
            return left

        return self._call(adopt)

    def picture(self, entry: SpoolEntry, index: int) -> Future[protocol.Array | None]:
        """One image of a job, as it is kept; None where it cannot be read."""

        def read() -> protocol.Array | None:
            found = self._spool.results(entry, ("basecolor",))
            return next((result.image for result in found if result.index == index), None)

        return self._call(read)

    def source(self, entry: SpoolEntry) -> Future[protocol.Array | None]:
        """The pixels of a job's source. Its error is a `spool_entry.EntryError`."""
        return self._call(lambda: self._spool.source(entry))

    def results(
        self, entry: SpoolEntry, maps: tuple[str, ...] = protocol.MAPS
    ) -> Future[list[protocol.Result]]:
        """The results of a job that are kept; what cannot be read is left out."""
        return self._call(lambda: self._spool.results(entry, maps))

    def settle(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait until all that was asked for is written, for so many seconds at most."""
        if self._thread is not None:
            with contextlib.suppress(TimeoutError):
                self._call(lambda: None).result(seconds)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write what is still to be written, for so many seconds at most. What is kept is offered at the next start."""
        if self._thread is None:
            return
        atexit.unregister(self.close)
        self._call(self._spool.close)
        self._tasks.put(None)
        self._thread.join(seconds)
        self._thread = None
        self._entries.clear()

    def _add_result(self, result: protocol.Result) -> None:
        size = len(result.image.data)
        if self._queued - self._written + size > MAX_PENDING_BYTES:
            self.trouble = (
                f"Textures are not kept on disk until they are placed: the disk is too slow. {_ALL_THE_SAME}"
            )
            return
        self._queued += size

        def written() -> None:
            self._written += size

        self._try(result.job, lambda: self._spool.add_result(result))
        self._call(written)

    def _note(self, entry: SpoolEntry) -> None:
        self._entries[entry.id] = entry
        self._try(entry.id, lambda: self._spool.update(entry))

    def _try(self, job: str, work: Callable[[], None]) -> None:
        """Do something for a job that may fail without harm, unless the job is dropped before its turn comes."""

        def attempt() -> None:
            if job not in self._entries:
                return
            try:
                work()
            except SpoolFullError as error:
                self.trouble = str(error)
            except OSError as error:
                self.trouble = _unkept(error)
            except protocol.ProtocolError as error:
                self.trouble = f"A texture is not kept on disk until it is placed: {error}"

        self._call(attempt)

    def _call(self, work: Callable[[], _T]) -> Future[_T]:
        future: Future[_T] = Future()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="dream-textures-keeper", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        self._tasks.put(_Task(work, future))
        return future

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task.future.set_result(task.work())
            except BaseException as error:
                task.future.set_exception(error)


def _unkept(error: OSError) -> str:
    return f"Textures are not kept on disk until they are placed: {error.strerror or error}. {_ALL_THE_SAME}"
