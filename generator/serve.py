# SPDX-License-Identifier: GPL-3.0-or-later
"""``dream-textures serve``: requests come in as frames, events go out as frames, one job after another.

The main thread reads commands, so that a cancellation is seen while a job runs; one worker carries the jobs out,
and a third says every second that all is well. The end of the input ends the program, also in mid-job, so that no
generator outlives its Blender.
"""

from __future__ import annotations

import os
import platform
import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

# What follows needs nothing but the standard library: the first heartbeat goes out before NumPy is imported.
from generator import __version__
from generator.lifetime import STAYS
from generator.protocol import (
    PROTOCOL_VERSION,
    Accepted,
    Cancel,
    Cancelled,
    Devices,
    Event,
    Failed,
    Generate,
    Heartbeat,
    Hello,
    ProtocolError,
    RejectedError,
    Release,
    Released,
    receive,
    send,
)
from generator.pulse import Pulse, die_with_parent

if TYPE_CHECKING:
    from generator.engine import Engine

GRACE_SECONDS = 2.0
"""How long a running job may take to notice that the input ended before the process is ended under it."""


QUIET_SECONDS = 1.0
"""How long nothing must be asked for before libraries are imported that only the next job may need."""


def capabilities() -> list[str]:
    """What this generator can do; ``diffusion`` only where torch and diffusers are installed."""
    from generator import diffusion

    always = ["procedural", "maps", "tile", "upscale", "seams"]
    return [*always, "diffusion"] if diffusion.available() else always


def serve(commands: BinaryIO, events: BinaryIO) -> int:
    """Serve one client until its stream ends. Returns 0, or 3 where the client broke the protocol."""
    # Ctrl-C in the terminal that started Blender reaches this process too; the end of the input ends it properly.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    STAYS.set()
    server = _Server(events)
    server.pulse.doing("looking for models")
    server.pulse.start()
    from generator.models import installed

    models = [model.to_json() for model in installed()]
    server.emit(Hello(PROTOCOL_VERSION, __version__, platform.python_version(), capabilities(), models))
    # Only now: the client need not wait for what only a job needs.
    server.pulse.doing("starting NumPy")
    from generator.engine import Engine

    server.pulse.doing("")
    threading.Thread(target=server.probe_devices, name="devices", daemon=True).start()
    worker = threading.Thread(target=server.work, args=(Engine(),), name="jobs", daemon=True)
    worker.start()
    status = 0
    try:
        server.read(commands)
    except ProtocolError as error:
        print(f"The client broke the protocol: {error}", file=sys.stderr)
        status = 3
    server.stop()
    worker.join(GRACE_SECONDS)
    sys.stderr.flush()
    # Not sys.exit: a job deep in a library, or a device probe still importing torch, must not hold the process.
    os._exit(status)


class _Server:
    """The queue between the reading thread and the working one, and the one lock for writing frames."""

    def __init__(self, events: BinaryIO) -> None:
        self._events = events
        self._writing = threading.Lock()
        self._jobs: queue.Queue[Generate | Release | None] = queue.Queue()
        self._state = threading.Lock()
        self._waiting: list[str] = []
        self._running = ""
        self._cancelled: set[str] = set()
        self._stopping = False
        self._release_after = 0.0
        self.pulse = Pulse(self.emit)

    def emit(self, event: Event) -> None:
        """Send one event; a client that has gone away stops the server."""
        if not isinstance(event, Heartbeat):
            self.pulse.progress()
        try:
            with self._writing:
                send(self._events, event)
        except (OSError, ValueError):
            self.stop()

    def read(self, commands: BinaryIO) -> None:
        """Take commands until the stream ends; raises `ProtocolError` where it is broken."""
        while True:
            try:
                message = receive(commands)
            except RejectedError as error:
                self.emit(Failed(error.job, "invalid_request", str(error)))
                continue
            if message is None:
                return
            if isinstance(message, Generate):
                self._enqueue(message)
            elif isinstance(message, Cancel):
                self._cancel(message.job)
            elif isinstance(message, Release):
                self._jobs.put(message)
            else:
                raise ProtocolError(f"{type(message).__name__} is not a command.")

    def work(self, engine: Engine) -> None:
        """Carry out the queued jobs in their order, until stopped."""
        while True:
            try:
                command = self._jobs.get(timeout=self._patience(engine))
            except queue.Empty:
                self._release(engine)
                continue
            if command is None:
                break
            if isinstance(command, Release) and command.after > 0:
                self._release_after = command.after
            elif isinstance(command, Release):
                self._release(engine)
            elif self._begin(command.job):
                self._run(engine, command)
        engine.close()

    def stop(self) -> None:
        """Cancel what runs and let the worker end."""
        self._stopping = True
        self.pulse.stop()
        self._jobs.put(None)

    def probe_devices(self) -> None:
        """Tell which devices there are, then prepare for their use: it imports torch, beside the first commands."""
        from generator import diffusion

        cpu = {"id": "cpu", "kind": "cpu", "name": f"CPU ({platform.machine()})"}
        try:
            found = diffusion.devices() if diffusion.available() else [cpu]
        except Exception as error:
            # A broken torch must not take away what NumPy alone can do; the doctor explains it.
            print(f"torch cannot be used: {type(error).__name__}: {error}", file=sys.stderr)
            found = [cpu]
        self.emit(Devices(found))
        if diffusion.available() and found != [cpu]:
            self._prepare()

    def _prepare(self) -> None:
        """Import the libraries of diffusion models while nobody waits for anything."""
        from generator import diffusion

        quiet = 0.0
        while quiet < QUIET_SECONDS:
            time.sleep(0.1)
            quiet = 0.0 if self._running or self._waiting else quiet + 0.1
            if self._stopping:
                return
        try:
            diffusion.prepare()
        except Exception as error:
            # The job that needs them will say it to the artist.
            print(f"diffusers cannot be used: {type(error).__name__}: {error}", file=sys.stderr)

    def _patience(self, engine: Engine) -> float | None:
        """How long the worker waits for a job before it lets go of its model; for ever where it holds none."""
        return self._release_after if self._release_after > 0 and engine.loaded else None

    def _begin(self, job: str) -> bool:
        """Whether the job is still wanted; it is the running one then."""
        with self._state:
            if job in self._cancelled:
                self._cancelled.discard(job)
                return False
            self._waiting.remove(job)
            self._running = job
        self.pulse.job(job)
        return True

    def _run(self, engine: Engine, command: Generate) -> None:
        job = command.job
        engine.run(
            job,
            command.request,
            command.source,
            self.emit,
            lambda: self._stopping or job in self._cancelled,
            command.previews,
        )
        with self._state:
            self._running = ""
            self._cancelled.discard(job)
        self.pulse.job("")
        self.pulse.loaded(engine.loaded)

    def _release(self, engine: Engine) -> None:
        name = engine.release()
        self.pulse.loaded("")
        self.emit(Released(name))

    def _enqueue(self, command: Generate) -> None:
        with self._state:
            known = command.job in self._waiting or command.job == self._running
            ahead = len(self._waiting) + bool(self._running)
            if not known:
                self._waiting.append(command.job)
        if known or not command.job:
            self.emit(Failed(command.job, "invalid_request", "This job's name is empty or already in use."))
            return
        self.emit(Accepted(command.job, ahead))
        self._jobs.put(command)

    def _cancel(self, job: str) -> None:
        with self._state:
            waiting = job in self._waiting
            if waiting:
                self._waiting.remove(job)
            if waiting or job == self._running:
                self._cancelled.add(job)
        if waiting:
            self.emit(Cancelled(job))
