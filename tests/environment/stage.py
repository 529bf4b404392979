# SPDX-License-Identifier: GPL-3.0-or-later
"""A real uv, real virtual environments, and small wheels made on the spot, so that a whole set-up takes seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from generator.environment import Cancel, Done, Failure, Sources, Wish, set_up
from generator.protocol.environment import Environment, EnvironmentState, lock_digest, look
from tests.faults import ends

from .wheels import Lock, make_wheel

OUTCOMES = {
    EnvironmentState.ABSENT: "nothing is begun",
    EnvironmentState.INCOMPLETE: "to be resumed",
    EnvironmentState.BROKEN: "not used, to be repaired",
    EnvironmentState.OUTDATED: "rolled back; the earlier one works",
    EnvironmentState.READY: "what was there works",
}

ROOT = Path(__file__).resolve().parents[2]
BASE = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}


@dataclass
class Stage:
    """A folder for an environment, a folder of wheels, and a folder of locks, with nothing of the network."""

    folder: Path
    wheels: Path
    locks: Path
    uv_folder: Path
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def wish(self) -> Wish:
        links = (str(self.wheels), str(self.uv_folder))
        return Wish(
            self.folder,
            accelerator="cpu",
            python=BASE,
            sources=Sources(find_links=links, offline=True),
            locks=self.locks,
        )

    def lock(self, **versions: str) -> Lock:
        """A lock of packages ``alpha="1.0"``, whose wheels are made, and which is written."""
        lock = Lock(self.locks)
        for name, version in versions.items():
            lock.add(name, version, make_wheel(self.wheels, name, version))
        lock.write()
        return lock

    def set_up(self, **changes: Any) -> Done:
        return set_up(replace(self.wish, **changes), self.events.append, Cancel())

    def fails(self, fault: str = "", **changes: Any) -> Failure:
        """The failure that a set-up ends in; ``fault`` names what was done to it, for the page of faults."""
        with pytest.raises(Failure) as caught:
            self.set_up(**changes)
        failure = caught.value
        assert str(failure).endswith(".") and failure.advice
        if fault:
            ends("Set-up", fault, OUTCOMES[self.look().state], f"{failure} {failure.advice}")
        return failure

    def look(self) -> Environment:
        return look(self.folder, lock_digest(self.locks))

    def run(self, code: str) -> str:
        python = self.look().python
        assert python is not None
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    def start(self, **options: Any) -> Running:
        """The same set-up in a process of its own, as the add-on runs it."""
        wish = {
            "folder": str(self.folder), "python": str(BASE), "locks": str(self.locks),
            "links": self.wish.sources.find_links, **options,
        }  # fmt: skip
        return Running(
            subprocess.Popen(
                [sys.executable, "-u", str(Path(__file__).with_name("run_setup.py")), json.dumps(wish)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRON, cwd=ROOT,
            )
        )  # fmt: skip


@dataclass
class Running:
    """A set-up at work; its events are read as they come."""

    process: subprocess.Popen

    def wait_for(self, what: str) -> None:
        for line in self.process.stdout or ():
            if json.loads(line).get("what") == what:
                return
        pytest.fail(f"It ended without saying {what!r}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        self.process.wait(10)

    def finish(self) -> dict[str, Any]:
        """Its last event."""
        lines = list(self.process.stdout or ())
        self.process.wait(60)
        return json.loads(lines[-1])


def children_in(folder: Path) -> list[str]:
    """Command lines of the processes that work with ``folder`` (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in words and path.parent.name != str(os.getpid()):
            found.append(words)
    return found
