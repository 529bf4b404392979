# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of a session in the order in which they are to be done, and how often each was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .wire import protocol

MAX_DEATHS = 2
"""A job under which the generator died this often is set aside."""
MAX_REPLAYS = 2
"""A job is tried again this often, whoever was to blame."""


@dataclass
class Pending:
    """A job that is not over: whether the generator has it, and what became of earlier tries."""

    message: protocol.Generate
    sent: bool = False
    deaths: int = 0
    replays: int = 0
    cancel_by: float | None = None

    @property
    def exhausted(self) -> bool:
        """Whether it was tried often enough."""
        return self.deaths >= MAX_DEATHS or self.replays > MAX_REPLAYS


class Line:
    """Jobs by id, in order. At most one of them is with the generator."""

    def __init__(self) -> None:
        self._jobs: dict[str, Pending] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._jobs))

    def add(self, message: protocol.Generate) -> None:
        """Put a job at the end."""
        self._jobs[message.job] = Pending(message)

    def get(self, job: str) -> Pending | None:
        """The job of this id."""
        return self._jobs.get(job)

    def remove(self, job: str) -> Pending | None:
        """Take a job out; None where it was not there."""
        return self._jobs.pop(job, None)

    @property
    def running(self) -> Pending | None:
        """The job that the generator has."""
        return next((pending for pending in self._jobs.values() if pending.sent), None)

    @property
    def next(self) -> Pending | None:
        """The first job that the generator does not have."""
        return next((pending for pending in self._jobs.values() if not pending.sent), None)

    @property
    def cancelled(self) -> list[str]:
        """The jobs whose end was asked for."""
        return [job for job, pending in self._jobs.items() if pending.cancel_by is not None]

    def reorder(self, jobs: Sequence[str]) -> None:
        """Do these jobs in this order, before the others; the running one stays first. Unknown ids are ignored."""
        running = [job for job, pending in self._jobs.items() if pending.sent]
        order = dict.fromkeys([*running, *(job for job in jobs if job in self._jobs), *self._jobs])
        self._jobs = {job: self._jobs[job] for job in order}

    def take_back(self) -> Pending | None:
        """The generator is gone: the job that it had, to be sent again."""
        running = self.running
        if running is not None:
            running.sent = False
        return running
