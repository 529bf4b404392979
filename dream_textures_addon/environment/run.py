# SPDX-License-Identifier: GPL-3.0-or-later
"""A command of the generator's set-up, run in the background: its progress, its end, and a limit to every wait.

Its threads do what blocks. `Run` shows what they have found so far; only `Run.wait` and `Run.close` block.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from ..child import LineBuffer
from ..leash import put_on_leash
from .commands import Command
from .events import Ending, Events, Progress

_MAX_LINE = 1 << 16
_CHUNK = 1 << 16
_TICK_SECONDS = 0.1
_RESUME = "Try again; what was done already is kept. The log says how far it came."
_LOOK = "Try again. Check This Computer may know the reason."


@dataclass(frozen=True)
class RunLimits:
    """How long to wait for what, in seconds.

    ``silence`` is between two lines, ``total`` for everything, ``patience`` for each of closing its stdin and
    terminating it to have an effect, ``linger`` for the pipes of a process that is gone.
    """

    silence: float = 600.0
    total: float = 6 * 3600.0
    patience: float = 10.0
    linger: float = 3.0


SHORT = RunLimits(silence=180.0, total=300.0, patience=3.0)
"""For commands that look at something."""

DELETING = RunLimits(silence=3600.0, total=3600.0)
"""For sixty thousand files on a slow disk, of which nothing is said in between."""


@dataclass
class _Stop:
    """A process that is to go: since when, why, and what was tried already."""

    ending: Ending | None
    since: float
    tried: int = 0


class Run:
    """Starts a command at once; a program that cannot be started is an ending like any other.

    ``document`` says that its output is one JSON value, not an event on each line. ``what`` names it in sentences.
    """

    def __init__(
        self, command: Command, what: str, *, document: bool = False, limits: RunLimits | None = None
    ) -> None:
        self.what = what
        self._advice = _LOOK if document else _RESUME
        self._limits = limits or (SHORT if document else RunLimits())
        self._events = Events(document)
        self._printed = LineBuffer()
        self._heard = time.monotonic()
        self._said_all = threading.Event()
        self._cancelled = threading.Event()
        self._ending: Ending | None = None
        try:
            self._process = subprocess.Popen(
                command.arguments,
                cwd=command.cwd,
                env=command.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                # Its own group, so that all it started can be ended with it.
                start_new_session=sys.platform != "win32",
            )
        except (OSError, ValueError) as error:  # ValueError for a zero byte in what the artist typed
            self._threads: list[threading.Thread] = []
            reason = getattr(error, "strerror", None) or error
            self._ending = Ending.failure(
                "not_started",
                f"{what} could not be started: {reason}.",
                "Check what the preferences say under Folder and Network, or install the add-on again.",
            )
            return
        self._leash = put_on_leash(self._process)
        self._threads = [
            threading.Thread(target=work, name=f"dream-textures {work.__name__}", daemon=True)
            for work in (self._read_output, self._read_errors, self._supervise)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def progress(self) -> Progress:
        """The last step that it told of."""
        return self._events.progress

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it runs."""
        return self._ending

    @property
    def stopping(self) -> bool:
        """Whether it was cancelled and has not ended yet."""
        return self._cancelled.is_set() and self._ending is None

    @property
    def printed(self) -> list[str]:
        """The last 200 lines that it wrote to stderr."""
        return list(self._printed.lines)

    def cancel(self) -> None:
        """Ask it to end: the end of its stdin, then terminate, then kill, each after some patience."""
        self._cancelled.set()

    def wait(self) -> Iterator[Progress]:
        """Every change of the progress, up to the end. Blocks; the limits hold."""
        told = None
        while self._ending is None:
            if self.progress != told:
                told = self.progress
                yield told
            time.sleep(_TICK_SECONDS)

    def close(self, patience: float = 3.0) -> None:
        """End it now, for when Blender closes. Blocks for at most about twice ``patience`` seconds."""
        if self._ending is not None:
            return
        self.cancel()
        for force in (self._terminate, self._kill):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                break
            force()
        for thread in self._threads:
            thread.join(patience)

    def _supervise(self) -> None:
        """Watches the clocks, ends the process when its time is over, and says how it ended."""
        started = time.monotonic()
        gone_since: float | None = None
        stop: _Stop | None = None
        while True:
            said_all = self._said_all.wait(_TICK_SECONDS)
            now = time.monotonic()
            if self._process.poll() is not None:
                gone_since = gone_since or now
                # A process that it started may hold the pipe for as long as it likes.
                if said_all or now - gone_since > self._limits.linger:
                    break
            elif said_all:
                time.sleep(_TICK_SECONDS)
            stop = stop or self._reason_to_stop(started, now, said_all)
            if stop is not None:
                self._press(stop, now)
        self._threads[1].join(self._limits.linger)
        self._ending = self._judge(stop, self._process.returncode)

    def _reason_to_stop(self, started: float, now: float, said_all: bool) -> _Stop | None:
        limits = self._limits
        if self._events.ending is not None or said_all:
            return _Stop(
                None, now + limits.patience
            )  # it should be gone by itself, and is given time for that
        if self._cancelled.is_set():
            return _Stop(Ending.failure("cancelled", f"{self.what} was cancelled."), now)
        for waited, limit, words in (
            (now - self._heard, limits.silence, "said nothing for"),
            (now - started, limits.total, "was not done after"),
        ):
            if waited > limit:
                return _Stop(
                    Ending.failure(
                        "silent",
                        f"{self.what} {words} {_duration(limit)} and was ended.",
                        self._advice,
                    ),
                    now,
                )
        return None

    def _press(self, stop: _Stop, now: float) -> None:
        """One step further towards the end of the process, when the last one has had its time."""
        steps: tuple[Callable[[], None], ...] = (self._close_stdin, self._terminate, self._kill)
        if stop.tried < len(steps) and now - stop.since >= stop.tried * self._limits.patience:
            steps[stop.tried]()
            stop.tried += 1

    def _judge(self, stop: _Stop | None, returncode: int | None) -> Ending:
        said = self._events.finish()
        if said is not None and (said.ok or stop is None or stop.ending is None):
            return said
        if stop is not None and stop.ending is not None:
            return stop.ending
        last = next((line for line in reversed(self.printed) if line.strip()), "")
        quote = f' Its last words were "{last.strip()[:200]}".' if last else ""
        return Ending.failure(
            "died",
            f"{self.what} ended without a result (exit code {returncode}).{quote}",
            self._advice,
        )

    def _close_stdin(self) -> None:
        with contextlib.suppress(OSError):
            cast(IO[bytes], self._process.stdin).close()

    def _terminate(self) -> None:
        with contextlib.suppress(OSError):
            self._process.terminate()

    def _kill(self) -> None:
        if self._process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            # With the programs that it started: they are in its group, and on Windows on its leash.
            if sys.platform == "win32":
                self._leash = None
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _read_output(self) -> None:
        with cast(BinaryIO, self._process.stdout) as stream, contextlib.suppress(OSError, ValueError):
            while line := stream.readline(_MAX_LINE):
                self._heard = time.monotonic()
                self._events.take(line)
        self._said_all.set()

    def _read_errors(self) -> None:
        stream = cast(io.BufferedReader, self._process.stderr)
        with stream, contextlib.suppress(OSError, ValueError):
            while data := stream.read1(_CHUNK):
                self._printed.feed(data)
        self._printed.finish()


def _duration(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} seconds"
