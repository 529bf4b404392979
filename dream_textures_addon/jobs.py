# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each request: the events of the generator, folded into something a panel can draw."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from .spool_entry import title_of
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
MAX_NOT_MADE = 8
"""How many jobs that failed or were cancelled are kept to be tried again, the latest of them."""
MAX_SOURCE_BYTES = 512 << 20
"""How many bytes their sources may take together."""


@dataclass
class Job:
    """One request and everything the generator has said about it.

    ``progress`` is a fraction in [0, 1] of the whole job, and while it loads of that; ``what`` a few words to show
    beside it. ``results`` hold one entry for each image and map. ``kind``, ``failure``, ``advice`` and ``traceback``
    are set when it failed, ``stopping`` once its end was asked for, ``begun`` once the generator works on it.
    ``source`` are the pixels that went along with the request. ``target`` belongs to whoever added the job: where the
    result is to go.
    """

    id: str
    request: protocol.Request
    target: object = None
    source: protocol.Array | None = None
    state: JobState = JobState.QUEUED
    progress: float = 0.0
    what: str = "Waiting for the generator"
    preview: protocol.Array | None = None
    results: list[protocol.Result] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    kind: str = ""
    failure: str = ""
    advice: str = ""
    traceback: str = ""
    seconds: float = 0.0
    stopping: bool = False
    begun: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in _OVER

    @property
    def title(self) -> str:
        """A few words to tell it from others."""
        return title_of(self.request)

    @property
    def not_made(self) -> bool:
        """Whether it ended without what it was for."""
        return self.state in (JobState.FAILED, JobState.CANCELLED)

    @property
    def indices(self) -> list[int]:
        """The images of which at least one map has arrived, in order."""
        return sorted({result.index for result in self.results})

    def image(self, index: int) -> dict[str, protocol.Result]:
        """The maps of the ``index``-th image that have arrived, by name."""
        return {result.map: result for result in self.results if result.index == index}

    def let_go(self) -> None:
        """Forget the pixels of a job that is over, but for those that it would be made from again."""
        self.results, self.preview = [], None

    def apply(self, event: protocol.Event) -> None:
        """Fold in one event of this job. A job that is over stays as it is."""
        if self.over:
            return
        match event:
            case protocol.Accepted(ahead=ahead):
                self.state, self.progress, self.begun = JobState.QUEUED, 0.0, ahead == 0
                self.what = f"Waiting for {ahead} other{'s' if ahead > 1 else ''}" if ahead else "Starting"
            case protocol.Loading(what=what, fraction=fraction):
                self.state, self.begun = JobState.LOADING, True
                self.what = what if fraction is None else f"{what} ({fraction:.0%})"
                self.progress = min(max(fraction or 0.0, 0.0), 1.0)
            case protocol.Step():
                self._step(event)
            case protocol.Result():
                self._result(event)
            case protocol.Notice(message=message):
                self.notices.append(message)
            case protocol.Finished(seconds=seconds):
                self.state, self.progress = JobState.DONE, 1.0
                self.what, self.seconds = f"Done in {seconds:.1f} s", seconds
            case protocol.Failed():
                self.state, self.what = JobState.FAILED, "Failed"
                self.kind, self.failure = event.kind, event.message
                self.advice, self.traceback = event.advice, event.traceback
            case protocol.Cancelled():
                self.state, self.what = JobState.CANCELLED, "Cancelled"

    def _step(self, step: protocol.Step) -> None:
        self.state, self.begun = JobState.RUNNING, True
        count = self.request.count
        together = min(max(step.together, 1), count)
        first, last = step.index + 1, step.index + together
        which = f"Images {first} to {last}" if together > 1 else f"Image {first}"
        image = f"{which} of {count}, step" if count > 1 else "Step"
        self.what = f"{image} {step.step} of {step.steps}"
        done = (step.index + together * step.step / max(step.steps, 1)) / count
        self.progress = min(max(done, 0.0), 1.0)
        if step.preview is not None:
            self.preview = step.preview

    def _result(self, result: protocol.Result) -> None:
        # A replayed job sends again what it had sent before the generator died.
        same = [(item.index, item.map) for item in self.results]
        if (result.index, result.map) in same:
            self.results[same.index((result.index, result.map))] = result
        else:
            self.results.append(result)


class JobBoard:
    """All jobs in the order in which they were added."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def __len__(self) -> int:
        return len(self._jobs)

    def add(
        self,
        job: str,
        request: protocol.Request,
        target: object = None,
        source: protocol.Array | None = None,
    ) -> Job:
        """Note a job that was submitted under this id."""
        self._jobs[job] = Job(job, request, target, source)
        return self._jobs[job]

    def get(self, job: str) -> Job | None:
        """The job of this id, if it is on the board."""
        return self._jobs.get(job)

    def remove(self, job: str) -> None:
        """Forget one job, and with it its pixels."""
        self._jobs.pop(job, None)

    def apply(self, event: protocol.Event) -> Job | None:
        """Fold one event in; the job that it changed, or None where it concerns no job on the board."""
        job = self._jobs.get(getattr(event, "job", ""))
        if job is not None:
            job.apply(event)
        return job

    @property
    def open(self) -> list[Job]:
        """The jobs that are not over: the one that runs, then the others in the order in which they will."""
        return sorted((job for job in self if not job.over), key=lambda job: not job.begun)

    @property
    def active(self) -> Job | None:
        """The job that runs, or runs next."""
        return next(iter(self.open), None)

    @property
    def waiting(self) -> list[Job]:
        """The jobs that the generator has not begun with, in their order."""
        return [job for job in self.open if not job.begun]

    @property
    def not_made(self) -> list[Job]:
        """The jobs that failed or were cancelled, the latest last."""
        return [job for job in self if job.not_made]

    def move(self, job: str, places: int) -> None:
        """Move a waiting job by so many places, as far as that goes."""
        order = [item.id for item in self.waiting]
        if job in order:
            place = min(max(order.index(job) + places, 0), len(order) - 1)
            order.remove(job)
            order.insert(place, job)
        rest = [name for name in self._jobs if name not in order]
        self._jobs = {name: self._jobs[name] for name in (*rest, *order)}

    def trim(self) -> list[Job]:
        """Forget the oldest of those that were not made, so that they do not pile up; what was forgotten."""
        surplus, held = [], 0
        for place, job in enumerate(reversed(self.not_made)):
            held += 0 if job.source is None else len(job.source.data)
            if place >= MAX_NOT_MADE or held > MAX_SOURCE_BYTES:
                self.remove(job.id)
                surplus.append(job)
        return surplus

    @property
    def latest(self) -> Job | None:
        """The job that was added last."""
        return next(reversed(self._jobs.values()), None)
