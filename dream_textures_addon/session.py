# SPDX-License-Identifier: GPL-3.0-or-later
"""The session: one generator process, supervised, and the jobs that it works on.

Every method is meant for one thread, Blender's main thread, and none but `Session.wait` and `Session.close` blocks.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
    """How long to wait for what, in seconds."""

    start: float = 120.0
    silence: float = 1800.0
    cancel: float = 30.0
    close: float = 3.0


class Session:
    """Owns the generator process: starts it when a job needs it, restarts it when it died, ends it with Blender.

    Each submitted job ends in exactly one `Finished`, `Failed` or `Cancelled` event, whatever happens to the
    process. ``on_log`` gets each line that the generator prints; it is called on a reader thread.
    """

    def __init__(
        self, launch: Launch, *, on_log: Callable[[str], None] | None = None, limits: Limits | None = None
    ) -> None:
        self._launch = launch

    @property
    def launch(self) -> Launch:
        """How this session starts its generator."""
        return self._launch

    @property
    def state(self) -> SessionState:
        """What the generator was doing at the last poll."""
        raise NotImplementedError

    @property
    def status(self) -> str:
        """One sentence for the panel."""
        raise NotImplementedError

    @property
    def advice(self) -> str:
        """What to try when the state is FAILED, else an empty text."""
        raise NotImplementedError

    @property
    def hello(self) -> protocol.Hello | None:
        """What the running generator said about itself, or None while there is none."""
        raise NotImplementedError

    @property
    def devices(self) -> list:
        """What the running generator can compute on, best first; empty until it has said so."""
        raise NotImplementedError

    @property
    def log(self) -> list[str]:
        """The last 200 lines that the generator printed."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the generator if it is not running. Returns at once; a failure shows in the state."""
        raise NotImplementedError

    def submit(
        self, request: protocol.Request, source: protocol.Array | None = None, previews: bool = True
    ) -> str:
        """Queue a request, with the pixels of its source if it names one; the new job's id."""
        raise NotImplementedError

    def cancel(self, job: str) -> None:
        """Ask for the end of a job; its `Cancelled` event follows. Unknown and finished jobs are ignored."""
        raise NotImplementedError

    def poll(self) -> list[protocol.Event]:
        """Everything that happened since the last call, in order. Never blocks."""
        raise NotImplementedError

    def wait(self, job: str, timeout: float) -> Iterator[protocol.Event]:
        """The events of one job up to its last. Blocks; after ``timeout`` seconds without any it ends in `Failed`."""
        raise NotImplementedError

    def close(self) -> None:
        """End the generator: close its stdin, wait a little, terminate, kill. May be called twice."""
        raise NotImplementedError
