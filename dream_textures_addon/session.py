# SPDX-License-Identifier: GPL-3.0-or-later
"""The session: one generator process, supervised, and the jobs that it works on.

Every method is for one thread, Blender's main thread, and only `Session.wait` and `Session.close` block.
"""

from __future__ import annotations

import atexit
import queue
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from . import faults
from .child import Arrival, Child, Ended, Unsent
from .launch import Launch
from .line import Line
from .session_state import Limits, SessionState, Verdict, Watch, status_of
from .wire import protocol

__all__ = ["Limits", "Session", "SessionState"]

_TICK_SECONDS = 0.05
_FOR_EVER = 1e9
_IDLE_SHARE = (
    4  # an idle generator has no library to load, and no reason to be silent for as long as a busy one
)
_OVER = (protocol.Finished, protocol.Failed, protocol.Cancelled)


class Session:
    """Owns the generator process: starts it for a job, restarts it when it died, ends it with Blender.

    Each submitted job ends in exactly one `Finished`, `Failed` or `Cancelled` event, whatever happens to the
    process; `faults` lists the kinds of failure that are added here. The generator has one job at a time. A job
    under which it died is sent to a new one, so that some of its results may arrive twice. ``on_log`` gets each
    line that the generator prints; it is called on a reader thread.
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
        self._line = Line()
        self._events: list[protocol.Event] = []
        self._fault: faults.Fault | None = None
        self._verdict: Verdict | None = None
        self._watch = Watch()
        self._restarts = 0
        self._restart_at: float | None = None
        self._death = ""

    @property
    def launch(self) -> Launch:
        """How this session starts its generator."""
        return self._launch

    @property
    def state(self) -> SessionState:
        """What the generator was doing at the last poll."""
        if self._restart_at is not None or (self._verdict is not None and self._child is not None):
            return SessionState.RESTARTING
        if self._child is None:
            return SessionState.STOPPED if self._fault is None else SessionState.FAILED
        if self._hello is None:
            return SessionState.STARTING if not self._restarts else SessionState.RESTARTING
        if not self._line:
            return SessionState.READY
        return SessionState.LOADING if self._watch.loading else SessionState.BUSY

    @property
    def status(self) -> str:
        """One sentence for the panel, with how long it has lasted."""
        if self._fault is not None:
            return self._fault.message
        heartbeat = None if self._child is None else self._child.heartbeat
        return status_of(
            self.state, self._watch, heartbeat, self._devices, len(self._line), self._death, self._limits
        )

    @property
    def silence(self) -> float:
        """For how many seconds a running generator has given no sign of life."""
        return 0.0 if self._child is None else self._watch.silent_seconds

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
    def heartbeat(self) -> protocol.Heartbeat | None:
        """The running generator's last sign of life."""
        return None if self._child is None else self._child.heartbeat

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
        self._fault = self._hello = self._verdict = self._restart_at = None
        self._devices = []
        self._watch.begin()
        try:
            self._child = Child(self._launch, self._on_log)
        except OSError as error:
            self._give_up(faults.not_started(self._launch, error))
            return
        atexit.register(self.close)

    def submit(
        self,
        request: protocol.Request,
        source: protocol.Array | None = None,
        previews: bool = True,
        job: str | None = None,
    ) -> str:
        """Queue a request, with the pixels of its source if it names one; the new job's id, ``job`` if given."""
        job = job or uuid.uuid4().hex
        self._take_arrivals(0.0)  # so that a generator that died while it was idle is not blamed on this job
        self._distrust_idle()
        self._line.add(protocol.Generate(job, request, previews, source))
        if self._restart_at is None:
            self.start()
        self._send_next()
        return job

    def reorder(self, jobs: Sequence[str]) -> None:
        """Do these jobs next, in this order; the one that runs goes on."""
        self._line.reorder(jobs)

    def cancel(self, job: str) -> None:
        """Ask for the end of a job; its `Cancelled` event follows. Unknown and finished jobs are ignored."""
        pending = self._line.get(job)
        if pending is None:
            return
        if not pending.sent or self._child is None:
            self._end(protocol.Cancelled(job))
        elif pending.cancel_by is None:
            pending.cancel_by = time.monotonic() + self._limits.cancel
            self._child.send(protocol.Cancel(job))

    def release(self) -> None:
        """Have the generator let go of its model as soon as no job runs; a generator that is not there holds none."""
        if self._child is not None and self._hello is not None:
            self._child.send(protocol.Release())

    def keep_model_for(self, seconds: float) -> None:
        """How long an idle generator keeps its model in memory from now on; 0 means for ever."""
        self._limits = replace(self._limits, release=seconds)
        if self._child is not None and self._hello is not None:
            self._child.send(protocol.Release(after=seconds or _FOR_EVER))

    def poll(self) -> list[protocol.Event]:
        """Everything that happened since the last call, in order. Never blocks."""
        self._take_arrivals(0.0)
        self._check_clocks()
        events, self._events = self._events, []
        return events

    def wait(self, job: str, timeout: float) -> Iterator[protocol.Event]:
        """The events of one job up to its last, for where no timer runs. Blocks.

        When the generator has brought nothing for ``timeout`` seconds, the job ends in `Failed` and the process is
        ended. Events of other jobs are kept for `poll`.
        """
        self._watch.progress()
        while True:
            self._take_arrivals(_TICK_SECONDS)
            self._check_clocks()
            if self._child is None and job in self._line:
                time.sleep(_TICK_SECONDS)  # until it is time to start again
            if job in self._line and self._watch.idle_seconds > timeout:
                self._condemn(Verdict(faults.silence(timeout), blameless=True))
                self._end(faults.failed(job, faults.silent(timeout), self.log))
            mine = [event for event in self._events if getattr(event, "job", None) == job]
            self._events = [event for event in self._events if getattr(event, "job", None) != job]
            yield from mine
            if job not in self._line:
                return

    def close(self) -> None:
        """End the generator: close its stdin, wait a little, terminate, kill. May be called twice.

        Jobs that were not over are cancelled; a later `submit` starts a new process.
        """
        atexit.unregister(self.close)
        for job in self._line:
            self._end(protocol.Cancelled(job))
        if self._child is not None:
            self._child.close(self._limits.close)
            self._forget_child()
        self._fault = self._restart_at = self._verdict = None
        self._restarts = 0

    def _distrust_idle(self) -> None:
        """An idle generator that has not been heard for long is not given another job; nobody was waiting for it."""
        child, patience = self._child, self._limits.silence / _IDLE_SHARE
        idle = child is not None and self._hello is not None and not self._line
        if child is not None and idle and time.monotonic() - child.heard > patience:
            self._condemn(Verdict(faults.silence(patience), blameless=True))

    def _take_arrivals(self, patience: float) -> None:
        while self._child is not None:
            try:
                arrival = self._child.arrivals.get(block=patience > 0, timeout=patience or None)
            except queue.Empty:
                return
            patience = 0.0
            self._handle(arrival)

    def _handle(self, arrival: Arrival) -> None:
        if isinstance(arrival, Ended):
            self._ended(arrival)
        elif isinstance(arrival, Unsent):
            if isinstance(arrival.message, (protocol.Generate, protocol.Cancel)):
                self._end(faults.failed(arrival.message.job, faults.unsent(arrival.problem), self.log))
        elif self._verdict is not None:
            return  # what a process says after it was given up no longer counts
        elif isinstance(arrival, protocol.Hello) and self._hello is None:
            self._greeted(arrival)
        elif self._hello is None or isinstance(arrival, (protocol.Hello, *protocol.COMMANDS)):
            self._condemn(Verdict("it said something that was not its turn to say", broke_protocol=True))
        else:
            self._event(arrival)

    def _greeted(self, hello: protocol.Hello) -> None:
        self._hello = hello
        self._watch.progress()
        self._events.append(hello)
        if self._child is not None and self._limits.release > 0:
            self._child.send(protocol.Release(after=self._limits.release))
        self._send_next()

    def _event(self, event: protocol.Event) -> None:
        self._watch.progress(event)
        if isinstance(event, protocol.Devices):
            self._devices = event.devices
        elif getattr(event, "job", None) is not None and event.job not in self._line:  # type: ignore[union-attr]
            return  # the last words about a job that was given up here
        if isinstance(event, _OVER):
            self._restarts = 0
            self._end(event)
        else:
            self._events.append(event)

    def _send_next(self) -> None:
        if self._child is None or self._hello is None or self._verdict is not None:
            return
        if self._line.running is None and (pending := self._line.next) is not None:
            pending.sent = True
            self._watch.progress()
            self._child.send(pending.message)

    def _check_clocks(self) -> None:
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self.start()
        child, limits = self._child, self._limits
        if child is None:
            return
        self._watch.look(child.heard)
        running = self._line.running
        if child.returncode is not None:
            # Its Ended is on the way, unless a process that it started still holds its pipes.
            if self._watch.gone_for() > limits.linger:
                self._ended(Ended(child.returncode))
        elif self._verdict is not None:
            return
        elif self._hello is None and self._watch.age > limits.start:
            self._condemn(Verdict(f"it was not ready within {limits.start:g} seconds"))
        elif running is not None and running.cancel_by is not None and time.monotonic() > running.cancel_by:
            self._condemn(Verdict("it did not stop when it was told to", blameless=True))
        elif self._watch.silent_seconds > limits.silence:
            self._condemn(Verdict(faults.silence(limits.silence)))
        elif running is not None and self._watch.idle_seconds > limits.stall:
            self._condemn(Verdict(faults.stall(limits.stall)))

    def _condemn(self, verdict: Verdict) -> None:
        """End a process that is of no further use, without waiting for it."""
        if self._child is not None and self._verdict is None:
            self._verdict, self._death = verdict, verdict.because
            self._watch.progress()  # from here on it is the restart that lasts
            self._child.end(self._limits.mercy)

    def _ended(self, ended: Ended) -> None:
        verdict = self._verdict or Verdict(
            ended.problem or faults.how_it_ended(ended.returncode), broke_protocol=bool(ended.problem)
        )
        was_ready = self._hello is not None
        self._forget_child()
        for job in self._line.cancelled:
            self._end(protocol.Cancelled(job))
        if was_ready:
            self._replay(verdict)
        elif verdict.broke_protocol or not self._restarts or self._restarts >= self._limits.restarts:
            fault = faults.not_ours if verdict.broke_protocol else faults.not_ready
            self._give_up(fault(self._launch, verdict.because, self._log))
        else:
            self._restart(verdict)

    def _replay(self, verdict: Verdict) -> None:
        # Only the job that was running can have had a part in it; the others were waiting here.
        pending = self._line.take_back()
        if pending is not None:
            job = pending.message.job
            pending.deaths += not verdict.blameless
            pending.replays += 1
            if pending.exhausted:
                self._restarts = 0  # the next job did nothing
                self._end(faults.failed(job, faults.died(verdict.because, self._log), self._log))
            else:
                self._events.append(protocol.Notice(job, faults.replayed(verdict.because)))
        if self._line:
            self._restart(verdict)
        else:
            self._restarts = 0

    def _restart(self, verdict: Verdict) -> None:
        """Start again after a pause that doubles with each death in a row."""
        self._death = verdict.because
        self._watch.begin()
        self._restart_at = time.monotonic() + self._limits.backoff * 2**self._restarts
        self._restarts += 1

    def _forget_child(self) -> None:
        if self._child is not None:
            self._log = self._child.log
        self._child = self._hello = self._verdict = None
        self._devices = []
        atexit.unregister(self.close)

    def _give_up(self, fault: faults.Fault) -> None:
        self._fault, self._restarts = fault, 0
        for job in self._line:
            self._end(faults.failed(job, fault, self._log))

    def _end(self, event: protocol.Finished | protocol.Failed | protocol.Cancelled) -> None:
        if self._line.remove(event.job) is not None:
            self._events.append(event)
            self._send_next()
