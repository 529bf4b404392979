# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs while the add-on is enabled and is never saved: the session, the board of jobs, a worker."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bpy

from .environment.commands import Tool
from .environment.desk import Desk
from .environment.wishes import default_folder, wishes
from .jobs import JobBoard, JobState
from .keeper import Keeper
from .launch import VARIABLE, Launch, LaunchError, find_launch
from .offers import Offer
from .session import Limits, Session
from .spool import Leftovers
from .wire import RUNTIME

ACCELERATION = "DREAM_TEXTURES_ACCELERATION"
"""What the generator reads how it may be faster from."""


class Runtime:
    """One of these exists while the add-on is enabled.

    ``document`` counts the files that were opened, so that a job knows whether its file is still the open one.
    ``problem`` is why no generator can be started, as a sentence and what to do. ``keeper`` keeps the jobs on disk
    below ``spool``; ``offers`` is what it found there of an earlier Blender, ``set_aside`` what it could not read.
    """

    def __init__(self, spool: Path) -> None:
        self.board = JobBoard()
        self.environment = Desk(Tool(sys.executable or "", RUNTIME, os.environ), default_folder())
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="dream-textures-encode")
        self.session: Session | None = None
        self.document = 0
        self.problem: tuple[str, str] | None = None
        self.keeper = Keeper(spool)
        self.looking: Future[Leftovers] | None = None
        self.offers: list[Offer] = []
        self.set_aside: list[Path] = []
        self.shown_status = ""

    def launch(self) -> Launch:
        """How the preferences say that the generator starts. Raises `LaunchError`."""
        private = self.environment.refresh(wishes()).python
        wish = _preference("acceleration", "auto")
        environ = os.environ if wish == "auto" else {**os.environ, ACCELERATION: wish}
        return find_launch(python_preference(), environ, sys.executable, RUNTIME, private)

    def ready_session(self) -> Session:
        """The session for the next job, a new one where the preferences changed. Raises `LaunchError`."""
        self.problem = None
        try:
            launch = self.launch()
        except LaunchError as error:
            self.problem = (str(error), error.advice)
            raise
        if self.session is not None and self.session.launch != launch and self.board.active is None:
            self.session.close()
            self.session = None
        if self.session is None:
            self.session = Session(launch, limits=Limits(release=keep_model_seconds()))
        return self.session

    @property
    def runs_diffusion(self) -> bool:
        """Whether diffusion models work, as far as is known: by the generator's word, or as one was set up."""
        hello = None if self.session is None else self.session.hello
        able = None if hello is None else "diffusion" in hello.capabilities
        if self.names_python:
            return able is not False
        return self.environment.found.python is not None or able is True

    @property
    def names_python(self) -> bool:
        """Whether the artist has named a Python in place of the one that is set up here."""
        return bool((python_preference() or os.environ.get(VARIABLE, "")).strip())

    @property
    def version(self) -> str:
        """The running generator's version, for recipes."""
        hello = None if self.session is None else self.session.hello
        return "unknown" if hello is None else hello.version

    @property
    def models(self) -> list[Any]:
        """The models that the running generator has told of; none before it has."""
        hello = None if self.session is None else self.session.hello
        return [] if hello is None else hello.models

    def close(self) -> None:
        """End the generator and the worker. What is not over, or not placed, stays on disk for the next start."""
        for job in self.board:
            if job.state is JobState.FAILED and not job.results:
                self.keeper.drop(job.id)  # the artist has read why, and let it be
        self.environment.close()
        if self.session is not None:
            self.session.close()
        self.worker.shutdown(wait=True, cancel_futures=True)
        self.keeper.close()


_runtime: Runtime | None = None


def runtime() -> Runtime:
    """The state of the enabled add-on."""
    assert _runtime is not None, "Dream Textures is not enabled"
    return _runtime


def spool_folder() -> Path:
    """Where jobs are kept on disk: in the extension's own folder, which survives an update."""
    try:
        return Path(bpy.utils.extension_path_user(__package__ or "", path="jobs"))
    except ValueError:  # enabled from a checkout, not as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="dream_textures/jobs"))


def python_preference() -> str:
    """The Python that the preferences name, or an empty text."""
    return _preference("python_path", "")


def keep_model_seconds() -> float:
    """How long an idle generator keeps its model, as the preferences say; 0 means for ever."""
    return 60.0 * _preference("keep_model", 10)


def _preference(name: str, default: Any) -> Any:
    addon = bpy.context.preferences.addons.get(__package__ or "")
    return (
        default if addon is None or addon.preferences is None else getattr(addon.preferences, name, default)
    )


@bpy.app.handlers.persistent
def _file_opened(*_arguments: object) -> None:
    runtime().document += 1


def register() -> None:
    """Start with an empty board and no generator."""
    global _runtime
    _runtime = Runtime(spool_folder())
    bpy.app.handlers.load_post.append(_file_opened)


def unregister() -> None:
    """Stop the generator."""
    global _runtime
    bpy.app.handlers.load_post.remove(_file_opened)
    runtime().close()
    _runtime = None
