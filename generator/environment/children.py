# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program with a limit: its lines go to the log, Cancel ends it, and it never outlives this process."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .cancelling import Cancel
from .faults import Failure, of_os
from .leash import leashed
from .sources import without_secrets

TICK = 0.25
MAX_LOG = 4_000_000
"""Bytes; a longer log is begun again with the next set-up."""

GRACE = 5.0
_KEEP_LINES = 60


class Log:
    """The file that says what was done; secrets never reach it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_file() and path.stat().st_size > MAX_LOG:
            path.unlink()
        self._stream = path.open("a", encoding="utf-8", errors="replace")

    def write(self, line: str) -> None:
        """One line, with the time."""
        self._stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {without_secrets(line.rstrip())}\n")
        self._stream.flush()

    def close(self) -> None:
        """The set-up is over."""
        self._stream.close()


@dataclass(frozen=True)
class Ran:
    """How a program ended: its exit status, what it wrote to stdout, and the last lines of both outputs."""

    status: int
    output: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Runner:
    """What every program of one set-up shares."""

    cancel: Cancel
    log: Log | None = None
    keep_open: tuple[int, ...] = ()

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        limit: float,
        on_line: Callable[[str], None] | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> Ran:
        """Run ``command``, for ``limit`` seconds at most. Raises `Failure` on Cancel and when time is up."""
        words = [str(word) for word in command]
        self._note(f"$ {' '.join(words)}")
        try:
            process = subprocess.Popen(
                leashed(words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env),
                cwd=cwd,
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                pass_fds=self.keep_open if os.name == "posix" else (),
            )
        except OSError as error:
            raise of_os(error, cwd) from error
        lines: queue.SimpleQueue[tuple[bool, str] | None] = queue.SimpleQueue()
        for stream, is_output in ((process.stdout, True), (process.stderr, False)):
            threading.Thread(target=_pump, args=(stream, is_output, lines), daemon=True).start()
        try:
            return self._follow(process, words[0], lines, time.monotonic() + limit, on_line, on_tick)
        except BaseException:
            _end(process)
            raise

    def _follow(
        self,
        process: subprocess.Popen,
        name: str,
        lines: queue.SimpleQueue,
        until: float,
        on_line: Callable[[str], None] | None,
        on_tick: Callable[[], None] | None,
    ) -> Ran:
        kept: list[str] = []
        output: list[str] = []
        open_streams, drained_by = 2, float("inf")
        while open_streams and time.monotonic() < drained_by:
            self.cancel.check()
            if time.monotonic() > until:
                raise Failure(
                    "internal",
                    f"{Path(name).name} took far too long and was ended.",
                    "Try again. A slow disk or a virus scanner may be the reason.",
                )
            if on_tick is not None:
                on_tick()
            if process.poll() is not None and drained_by == float("inf"):
                # A grandchild may hold the pipes open; what the program itself wrote is read in this time.
                drained_by = time.monotonic() + GRACE
            try:
                found = lines.get(timeout=TICK)
            except queue.Empty:
                continue
            if found is None:
                open_streams -= 1
                continue
            is_output, line = found
            self._note(f"  {line}")
            kept.append(line)
            if is_output:
                output.append(line)
            if on_line is not None:
                on_line(line)
        return Ran(process.wait(GRACE), "\n".join(output), tuple(kept[-_KEEP_LINES:]))

    def _note(self, line: str) -> None:
        if self.log is not None:
            self.log.write(line)


def _pump(stream: IO[bytes], is_output: bool, lines: queue.SimpleQueue) -> None:
    with stream:
        for raw in stream:
            lines.put((is_output, raw.decode("utf-8", "replace").rstrip()))
    lines.put(None)


def _end(process: subprocess.Popen) -> None:
    """Terminate, then kill, the program and all that it started."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if process.poll() is not None:
            break
        try:
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue
