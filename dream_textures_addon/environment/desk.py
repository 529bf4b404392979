# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment as this Blender knows it: what was found, what is being done about it, and what came of that."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .commands import LOG, Environment, EnvironmentState, Tool, Wishes, last_lines, look
from .events import Ending, Progress, verdict
from .run import DELETING, Run, RunLimits
from .words import progress_text


class Task(enum.Enum):
    """What can be done about an environment; the value is what a sentence about its end begins with."""

    PLAN = "The look at this computer"
    SET_UP = "The set-up"
    REMOVE = "The removal"
    CHECK = "The check of that Python"
    EXAMINE = "The check of this computer"


_STATUS = {
    Task.PLAN: "Looking at this computer",
    Task.REMOVE: "Deleting",
    Task.CHECK: "Checking that Python",
    Task.EXAMINE: "Checking this computer",
}
_DOCUMENTS = frozenset(_STATUS)

Then = Callable[[Ending], None]


class Desk:
    """At most one command at a time; every method is for one thread, and only `close` blocks.

    ``found`` and ``has_log`` are what was there at the last look, so that drawing need not touch the disk. ``plan``
    is what a set-up or a removal would do, ``news`` and ``trouble`` how the last one went, ``checked`` what is known
    of another Python, and ``findings`` what the doctor said.
    """

    def __init__(self, tool: Tool, folder: Path, limits: RunLimits | None = None) -> None:
        self.tool = tool
        self.limits = limits
        self.default_folder = folder
        self.found = Environment(EnvironmentState.ABSENT, folder)
        self.has_log = False
        self.task: Task | None = None
        self.plan: Any = None
        self.news = ""
        self.trouble: Ending | None = None
        self.checked: Ending | None = None
        self.findings: Any = None
        self._run: Run | None = None
        self._then: Then | None = None

    @property
    def busy(self) -> bool:
        """Whether a command runs, or its end was not taken yet."""
        return self._run is not None

    @property
    def run(self) -> Run | None:
        """The command that runs."""
        return self._run

    @property
    def progress(self) -> Progress:
        """The last step of what runs."""
        return Progress() if self._run is None else self._run.progress

    @property
    def status(self) -> str:
        """One line on what runs, or an empty text."""
        if self._run is None or self.task is None:
            return ""
        if self._run.stopping:
            return "Cancelling"
        return _STATUS.get(self.task) or progress_text(self.progress)

    def refresh(self, wishes: Wishes) -> Environment:
        """Look at the folder again."""
        self.found = look(wishes.folder, self.tool.runtime)
        self.has_log = wishes.log.is_file()
        return self.found

    def begin(self, task: Task, wishes: Wishes, then: Then, python: Path | None = None) -> Run:
        """Start a command; `take` calls ``then`` with its ending. ``python`` is the one for `Task.CHECK`."""
        assert self._run is None, "one at a time"
        if task not in (Task.CHECK, Task.EXAMINE):
            self.news, self.trouble = "", None  # while the artist looks for its reason, it stays to be read
        command = {
            Task.PLAN: self.tool.plan,
            Task.SET_UP: self.tool.set_up,
            Task.REMOVE: self.tool.remove,
            Task.EXAMINE: self.tool.examine,
        }
        if task is Task.CHECK:
            assert python is not None, "a check is of some Python"
            self.checked, line = None, self.tool.check(wishes, python)
        else:
            line = command[task](wishes)
        self.task, self._then = task, then
        limits = self.limits or (DELETING if task is Task.REMOVE else None)
        self._run = Run(line, task.value, document=task in _DOCUMENTS, limits=limits)
        return self._run

    def take(self) -> bool:
        """Take the ending of a command that is over, if there is one; never waits."""
        run, task, then = self._run, self.task, self._then
        if run is None or run.ending is None or task is None or then is None:
            return False
        ending = run.ending
        self._run = self.task = self._then = None
        if task is Task.CHECK:
            self.checked = ending = verdict(ending)
        elif not ending.ok and not ending.cancelled:
            self.trouble = ending
        if task in (Task.SET_UP, Task.REMOVE) and ending.ok:
            self.news = ending.message
        if task is Task.PLAN and ending.ok:
            self.plan = ending.data
        if task is Task.EXAMINE and ending.ok:
            self.findings = ending.data
        then(ending)
        return True

    def cancel(self) -> None:
        """End what runs; its ending follows."""
        if self._run is not None:
            self._run.cancel()

    def report(self) -> list[str]:
        """What helps to find out why a set-up failed, for `Report`; reads the end of the log."""
        found = self.found
        lines = [f"Environment: {found.state.value} {found.accelerator} {found.problem}".strip()]
        if self.trouble is not None:
            lines += [f"Set-up ({self.trouble.kind}): {self.trouble.sentences}", "Last words of the set-up:"]
            lines += last_lines(found.folder / LOG)
        return lines

    def close(self) -> None:
        """End what runs and forget it, since Blender closes. What a set-up has done is kept for the next one."""
        run, self._run, self._then = self._run, None, None
        if run is not None:
            run.close()
