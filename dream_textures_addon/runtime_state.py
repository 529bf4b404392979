# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs while the add-on is enabled and is never saved: the session, the board of jobs, a worker."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import bpy

from .jobs import JobBoard
from .launch import Launch, LaunchError, find_launch
from .session import Session, SessionState
from .wire import RUNTIME


class Runtime:
    """One of these exists while the add-on is enabled.

    ``document`` counts the files that were opened, so that a job knows whether its file is still the open one.
    ``problem`` is why no generator can be started, as a sentence and what to do.
    """

    def __init__(self) -> None:
        self.board = JobBoard()
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="dream-textures-encode")
        self.session: Session | None = None
        self.document = 0
        self.problem: tuple[str, str] | None = None

    def launch(self) -> Launch:
        """How the preferences say that the generator starts. Raises `LaunchError`."""
        return find_launch(python_preference(), os.environ, sys.executable, RUNTIME)

    def ready_session(self) -> Session:
        """The session for the next job, a new one where the preferences changed. Raises `LaunchError`."""
        self.problem = None
        try:
            launch = self.launch()
        except LaunchError as error:
            self.problem = (str(error), error.advice)
            raise
        if (
            self.session is not None
            and self.session.launch != launch
            and self.session.state != SessionState.BUSY
        ):
            self.session.close()
            self.session = None
        if self.session is None:
            self.session = Session(launch)
        return self.session

    @property
    def version(self) -> str:
        """The running generator's version, for recipes."""
        hello = None if self.session is None else self.session.hello
        return "unknown" if hello is None else hello.version

    def close(self) -> None:
        """End the generator and the worker."""
        if self.session is not None:
            self.session.close()
        self.worker.shutdown(wait=True, cancel_futures=True)


_runtime: Runtime | None = None


def runtime() -> Runtime:
    """The state of the enabled add-on."""
    assert _runtime is not None, "Dream Textures is not enabled"
    return _runtime


def python_preference() -> str:
    """The Python that the preferences name, or an empty text."""
    addon = bpy.context.preferences.addons.get(__package__ or "")
    return "" if addon is None or addon.preferences is None else getattr(addon.preferences, "python_path", "")


@bpy.app.handlers.persistent
def _file_opened(*_arguments: object) -> None:
    runtime().document += 1


def register() -> None:
    """Start with an empty board and no generator."""
    global _runtime
    _runtime = Runtime()
    bpy.app.handlers.load_post.append(_file_opened)


def unregister() -> None:
    """Stop the generator."""
    global _runtime
    bpy.app.handlers.load_post.remove(_file_opened)
    runtime().close()
    _runtime = None
