# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each request: the events of the generator, folded into something a panel can draw."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from .wire import protocol


class JobState(enum.Enum):
    """Where a job is; the last three are final."""

    QUEUED = "queued"
    LOADING = "loading"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_OVER = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass
class Job:
    """One request and everything the generator has said about it.

    ``progress`` is a fraction in [0, 1] of the whole job, ``what`` a few words to show beside it. ``results``
    hold one entry for each image and map. ``failure``, ``advice`` and ``traceback`` are set when it failed.
    ``target`` belongs to whoever added the job: where the result is to go.
    """

    id: str
    request: protocol.Request
    target: object = None
    state: JobState = JobState.QUEUED
    progress: float = 0.0
    what: str = "Waiting"
    preview: protocol.Array | None = None
    results: list[protocol.Result] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    kind: str = ""
    failure: str = ""
    advice: str = ""
    traceback: str = ""
    seconds: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in _OVER

    def image(self, index: int) -> dict[str, protocol.Result]:
        """The maps of the ``index``-th image that have arrived, by map name."""
        return {result.map: result for result in self.results if result.index == index}

    @property
    def indices(self) -> list[int]:
        """The images of which at least one map has arrived, in order."""
        return sorted({result.index for result in self.results})


class JobBoard:
    """All jobs in the order in which they were added."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def __iter__(self):  # noqa: ANN204
        raise NotImplementedError

    def add(self, job: str, request: protocol.Request, target: object = None) -> Job:
        """Note a job that was submitted under this id."""
        raise NotImplementedError

    def get(self, job: str) -> Job | None:
        """The job of this id, if it is on the board."""
        raise NotImplementedError

    def apply(self, event: protocol.Event) -> Job | None:
        """Fold one event in; the job that it changed, or None where it concerns no job on the board."""
        raise NotImplementedError

    @property
    def active(self) -> Job | None:
        """The oldest job that is not over."""
        raise NotImplementedError

    @property
    def latest(self) -> Job | None:
        """The job that was added last."""
        raise NotImplementedError

    def clear_finished(self) -> None:
        """Forget the jobs that are over, and with them their pixels."""
        raise NotImplementedError
