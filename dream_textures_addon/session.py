# SPDX-License-Identifier: GPL-3.0-or-later
"""The session: one generator process, supervised, and the jobs that it works on.

Every method is for one thread, Blender's main thread, and only `Session.wait` and `Session.close` block.
"""

from __future__ import annotations

import atexit
import enum
import queue
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import faults
from .child import Arrival, Child, Ended, Unsent
from .launch import Launch
from .wire import protocol


class SessionState(enum.Enum):
    """What the generator is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True)
class Limits:
    """How long to wait for what, in seconds.

    ``cancel`` is for a generator to notice a cancellation before it is ended instead, ``silence`` for a busy one
    between two events, ``linger`` for a dead one's pipes, which a process that it had started may hold open.
    """

    start: float = 120.0
    silence: float = 1800.0
    cancel: float = 10.0
    close: float = 3.0
    linger: float = 5.0


MAX_DEATHS = 2
"""A job under which the generator died this often is not tried again."""

_TICK_SECONDS = 0.05


@dataclass
class _Pending:
    message: protocol.Generate
    sent: bool = False
    deaths: int = 0
    cancel_by: float | None = None


@dataclass(frozen=True)
class _Verdict:
    """Why a process is not, or was not, of further use; ``blameless`` when its job had no part in that."""

    because: str
    blameless: bool = False
    broke_protocol: bool = False


class Session:
    """Owns the generator process: starts it for a job, restarts it when it died, ends it with Blender.

    Each submitted job ends in exactly one `Finished`, `Failed` or `Cancelled` event, whatever happens to the
    process; `faults` lists the kinds of failure that are added here. A job under which the process died is
    sent once more to a new one, so that some of its results may arrive twice. ``on_log`` gets each line that
    the generator prints; it is called on a reader thread.
    """

    def __init__(
        self, launch: Launch, *, on_log: Callable[[str], None] | None = None, limits: Limits | None = None
    ) -> None:
        self._launch = launch
        self._on_log = on_log
        self._limits = limits or Limits()
        self._child: Child | None = None
        self._log: list[str] = []
        self._hello: protocol.Hello | None = None
        self._devices: list = []
        self._pending: dict[str, _Pending] = {}
        self._events: list[protocol.Event] = []
        self._fault: faults.Fault | None = None
        self._started = self._heard = 0.0
        self._gone_since: float | None = None
        self._verdict: _Verdict | None = None

    @property
    def launch(self) -> Launch:
        """How this session starts its generator."""
        return self._launch

    @property
    def state(self) -> SessionState:
        """What the generator was doing at the last poll."""
        if self._child is None:
            return SessionState.STOPPED if self._fault is None else SessionState.FAILED
        if self._hello is None:
            return SessionState.STARTING
        return SessionState.BUSY if self._pending else SessionState.READY

    @property
    def status(self) -> str:
        """One sentence for the panel."""
        if self._fault is not None:
            return self._fault.message
        if self.state is SessionState.STARTING:
            return f"Starting the generator ({time.monotonic() - self._started:.0f} s)"
        if self.state is SessionState.READY:
            names = [str(device.get("name", "")) for device in self._devices if isinstance(device, dict)]
            return f"Ready on {names[0]}" if names and names[0] else "Ready"
        if self.state is SessionState.BUSY:
            return "Working" if len(self._pending) == 1 else f"Working on {len(self._pending)} jobs"
        return "The generator starts with the first job"

    @property
    def advice(self) -> str:
        """What to try when the state is FAILED, else an empty text."""
        return "" if self._fault is None else self._fault.advice

    @property
    def hello(self) -> protocol.Hello | None:
        """What the running generator said about itself, or None while there is none."""
        return self._hello

    @property
    def devices(self) -> list:
        """What the running generator can compute on, best first; empty until it has said so."""
        return self._devices

    @property
    def log(self) -> list[str]:
        """The last 200 lines that the generator printed, the one before it included while it starts."""
        return self._log if self._child is None else self._child.log or self._log

    @property
    def pid(self) -> int | None:
        """The number of the running process."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start the generator if it is not running. Returns at once; a failure shows in the state."""
        if self._child is not None:
            return
        self._fault = self._hello = self._verdict = self._gone_since = None
        self._devices = []
        self._started = self._heard = time.monotonic()
        try:
            self._child = Child(self._launch, self._on_log)
        except OSError as error:
            self._give_up(faults.not_started(self._launch, error))
            return
        atexit.register(self.close)

    def submit(
        self, request: protocol.Request, source: protocol.Array | None = None, previews: bool = True
    ) -> str:
        """Queue a request, with the pixels of its source if it names one; the new job's id."""
        job = uuid.uuid4().hex
        self._take_arrivals(0.0)  # so that a generator that died while it was idle is not blamed on this job
        if not self._pending:
            self._heard = time.monotonic()
        self._pending[job] = _Pending(protocol.Generate(job, request, previews, source))
        self.start()
        self._send_pending()
        return job

    def cancel(self, job: str) -> None:
        """Ask for the end of a job; its `Cancelled` event follows. Unknown and finished jobs are ignored."""
        pending = self._pending.get(job)
        if pending is None:
            return
        if not pending.sent or self._child is None:
            self._end(protocol.Cancelled(job))
        elif pending.cancel_by is None:
            pending.cancel_by = time.monotonic() + self._limits.cancel
            self._child.send(protocol.Cancel(job))

    def poll(self) -> list[protocol.Event]:
        """Everything that happened since the last call, in order. Never blocks."""
        self._take_arrivals(0.0)
        self._check_clocks()
        events, self._events = self._events, []
        return events

    def wait(self, job: str, timeout: float) -> Iterator[protocol.Event]:
        """The events of one job up to its last, for where no timer runs. Blocks.

        When the generator has said nothing for ``timeout`` seconds, the job ends in `Failed` and the process is
        ended. Events of other jobs are kept for `poll`.
        """
        self._heard = time.monotonic()
        while True:
            self._take_arrivals(_TICK_SECONDS)
            self._check_clocks()
            if job in self._pending and time.monotonic() - self._heard > timeout:
                self._kill(_Verdict(faults.silence(timeout), blameless=True))
                self._end(faults.failed(job, faults.silent(timeout), self.log))
            mine = [event for event in self._events if getattr(event, "job", None) == job]
            self._events = [event for event in self._events if getattr(event, "job", None) != job]
            yield from mine
            if job not in self._pending:
                return

    def close(self) -> None:
        """End the generator: close its stdin, wait a little, terminate, kill. May be called twice.

        Jobs that were not over are cancelled; a later `submit` starts a new process.
        """
        atexit.unregister(self.close)
        for job in list(self._pending):
            self._end(protocol.Cancelled(job))
        if self._child is not None:
            self._child.close(self._limits.close)
            self._forget_child()
        self._fault = None

    def _take_arrivals(self, patience: float) -> None:
        while self._child is not None:
            try:
                arrival = self._child.arrivals.get(block=patience > 0, timeout=patience or None)
            except queue.Empty:
                return
            self._heard, patience = time.monotonic(), 0.0
            self._handle(arrival)

    def _handle(self, arrival: Arrival) -> None:
        if isinstance(arrival, Ended):
            self._ended(arrival)
        elif isinstance(arrival, Unsent):
            self._end(faults.failed(arrival.message.job, faults.unsent(arrival.problem), self.log))
        elif self._verdict is not None:
            return  # what a process says after it was given up no longer counts
        elif isinstance(arrival, protocol.Hello) and self._hello is None:
            self._hello = arrival
            self._events.append(arrival)
            self._send_pending()
        elif self._hello is None or isinstance(arrival, (protocol.Hello, protocol.Generate, protocol.Cancel)):
            self._kill(_Verdict("it said something that was not its turn to say", broke_protocol=True))
        elif isinstance(arrival, protocol.Devices):
            self._devices = arrival.devices
            self._events.append(arrival)
        elif arrival.job not in self._pending:
            return  # the last words about a job that was given up here
        elif isinstance(arrival, (protocol.Finished, protocol.Failed, protocol.Cancelled)):
            self._end(arrival)
        else:
            self._events.append(arrival)

    def _send_pending(self) -> None:
        if self._child is None or self._hello is None:
            return
        for pending in self._pending.values():
            if not pending.sent:
                pending.sent = True
                self._child.send(pending.message)

    def _check_clocks(self) -> None:
        if self._child is None:
            return
        now = time.monotonic()
        if self._child.returncode is not None:
            # Its Ended is on the way, unless a process that it started still holds its pipes.
            self._gone_since = self._gone_since or now
            if now - self._gone_since > self._limits.linger:
                self._ended(Ended(self._child.returncode))
        elif self._verdict is not None:
            return
        elif self._hello is None and now - self._started > self._limits.start:
            self._kill(_Verdict(f"it was not ready within {self._limits.start:g} seconds"))
        elif any(item.cancel_by is not None and now > item.cancel_by for item in self._pending.values()):
            self._kill(_Verdict("it did not stop when it was told to", blameless=True))
        elif self._hello is not None and self._pending and now - self._heard > self._limits.silence:
            self._kill(_Verdict(faults.silence(self._limits.silence)))

    def _kill(self, verdict: _Verdict) -> None:
        if self._child is not None and self._verdict is None:
            self._verdict = verdict
            self._child.kill()

    def _ended(self, ended: Ended) -> None:
        verdict = self._verdict or _Verdict(
            ended.problem or faults.how_it_ended(ended.returncode), broke_protocol=bool(ended.problem)
        )
        was_ready = self._hello is not None
        self._forget_child()
        for job in [job for job, pending in self._pending.items() if pending.cancel_by is not None]:
            self._end(protocol.Cancelled(job))
        if not was_ready:
            fault = faults.not_ours if verdict.broke_protocol else faults.not_ready
            self._give_up(fault(self._launch, verdict.because, self._log))
        elif self._pending:
            self._replay(verdict)

    def _replay(self, verdict: _Verdict) -> None:
        # Jobs run in their order, so the first was running; the others were only waiting behind it.
        first = next(iter(self._pending))
        self._pending[first].deaths += not verdict.blameless
        if self._pending[first].deaths >= MAX_DEATHS:
            self._end(faults.failed(first, faults.died(verdict.because, self._log), self._log))
        else:
            self._events.append(protocol.Notice(first, faults.replayed(verdict.because)))
        for pending in self._pending.values():
            pending.sent = False
        if self._pending:
            self.start()

    def _forget_child(self) -> None:
        if self._child is not None:
            self._log = self._child.log
        self._child = self._hello = None
        atexit.unregister(self.close)

    def _give_up(self, fault: faults.Fault) -> None:
        self._fault = fault
        for job in list(self._pending):
            self._end(faults.failed(job, fault, self._log))

    def _end(self, event: protocol.Finished | protocol.Failed | protocol.Cancelled) -> None:
        if self._pending.pop(event.job, None) is not None:
            self._events.append(event)
