# SPDX-License-Identifier: GPL-3.0-or-later
"""One generator process and the three threads that keep its pipes moving.

Whatever blocks happens on those threads. They know nothing of jobs: what they see goes into a queue, in order,
and the last thing in it is always `Ended`. Heartbeats do not queue up: only the last one counts.
"""

from __future__ import annotations

import contextlib
import io
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, cast

from .launch import Launch
from .leash import put_on_leash
from .wire import protocol

LOG_LINES = 200
MAX_LINE = 2000
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Ended:
    """The process is gone. ``problem`` is a sentence when its stdout was not what it should be."""

    returncode: int | None
    problem: str = ""


@dataclass(frozen=True)
class Unsent:
    """A message that could not be put on the wire, and why."""

    message: protocol.Command
    problem: str


Arrival = protocol.Message | Ended | Unsent


class LineBuffer:
    """The last lines of a stream of bytes. A progress bar that redraws its line counts as one line."""

    def __init__(self, on_line: Callable[[str], None] | None = None) -> None:
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self._on_line = on_line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take what arrived; complete lines are kept, cut at 2000 characters."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-MAX_LINE:]
        for line in lines:
            self._add(line)

    def finish(self) -> None:
        """The stream has ended: what is left is a line too."""
        if self._rest:
            self._add(self._rest)
        self._rest = b""

    def _add(self, raw: bytes) -> None:
        line = raw.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace").rstrip()[:MAX_LINE]
        self.lines.append(line)
        if self._on_line is not None:
            try:
                self._on_line(line)
            except Exception as error:
                # A listener that fails must not end the thread that keeps the pipe from filling up.
                self._on_line = None
                self.lines.append(f"The log's listener failed and gets no more: {error!r}")


class Child:
    """A running generator. Raises OSError when it cannot be started.

    ``heard`` is when it last said anything, on the clock of `time.monotonic`; ``heartbeat`` is its last one.
    """

    def __init__(self, launch: Launch, on_log: Callable[[str], None] | None = None) -> None:
        self.arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self.heard = time.monotonic()
        self.heartbeat: protocol.Heartbeat | None = None
        self._log = LineBuffer(on_log)
        self._outgoing: queue.SimpleQueue[protocol.Command | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            launch.command,
            cwd=launch.cwd,
            env=launch.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            # Ctrl-C in the terminal that Blender runs in is meant for Blender.
            start_new_session=sys.platform != "win32",
        )
        self._leash = put_on_leash(self._process)
        self._ending: threading.Thread | None = None
        self._errors = self._thread(self._read_errors)
        self._reader = self._thread(self._read_messages)
        self._writer = self._thread(self._write_messages)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def log(self) -> list[str]:
        """The last 200 lines that it printed."""
        return list(self._log.lines)

    @property
    def returncode(self) -> int | None:
        """How the process ended, or None while it runs."""
        return self._process.poll()

    def send(self, message: protocol.Command) -> None:
        """Queue a message; a full pipe is the writer thread's concern."""
        self._outgoing.put(message)

    def kill(self) -> None:
        """End the process now. Its `Ended` follows."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def end(self, patience: float) -> None:
        """End the process as `close` does, on a thread of its own: returns at once, and its `Ended` follows."""
        if self._ending is None:
            self._ending = threading.Thread(
                target=self._press, args=(patience,), name="dream-textures ending", daemon=True
            )
            self._ending.start()

    def close(self, patience: float) -> None:
        """Close its stdin, wait, terminate, wait, kill. Blocks for at most about twice ``patience`` seconds."""
        self._press(patience)
        for thread in (self._writer, self._reader, self._errors, self._ending):
            if thread is not None:
                thread.join(patience)

    def _press(self, patience: float) -> None:
        self._outgoing.put(None)
        for force in (self._process.terminate, self._process.kill):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                return
            with contextlib.suppress(OSError):
                force()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)  # a process that the system does not let go of is left to it

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name=f"dream-textures {work.__name__}", daemon=True)
        thread.start()
        return thread

    def _read_messages(self) -> None:
        problem = ""
        try:
            with cast(BinaryIO, self._process.stdout) as stream:
                while (message := protocol.receive(stream)) is not None:
                    self.heard = time.monotonic()
                    if isinstance(message, protocol.Heartbeat):
                        self.heartbeat = message
                    else:
                        self.arrivals.put(message)
        except (protocol.ProtocolError, protocol.RequestError) as error:
            problem = str(error)
        except OSError as error:
            problem = f"Reading from the generator failed: {error}."
        if problem:
            self.kill()
        self.arrivals.put(Ended(self._reap(), problem))

    def _reap(self) -> int:
        """The exit code; a process that outlives its stdout is of no use to anyone."""
        try:
            returncode = self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.kill()
            returncode = self._process.wait()
        self._outgoing.put(None)
        self._errors.join(1.0)
        return returncode

    def _read_errors(self) -> None:
        with cast(io.BufferedReader, self._process.stderr) as stream, contextlib.suppress(OSError):
            while data := stream.read1(_CHUNK):
                self._log.feed(data)
        self._log.finish()

    def _write_messages(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            # Blender leaves SIGPIPE at its default: without this, a write to a dead generator ends Blender.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        stream = cast(BinaryIO, self._process.stdin)
        while (message := self._outgoing.get()) is not None:
            try:
                protocol.send(stream, message)
            except protocol.ProtocolError as error:
                self.arrivals.put(Unsent(message, str(error)))
            except OSError:
                break  # the process is gone, as the reader is about to notice
        with contextlib.suppress(OSError):
            stream.close()
