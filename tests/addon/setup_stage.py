# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime folder whose generator is ``fake_setup.py``, for tests with and without Blender."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FAKE = Path(__file__).with_name("fake_setup.py")

_BLENDER = """
import os, sys
sys.path.insert(0, {tests!r})
import conftest
from setup_stage import Stage
from dream_textures_addon.environment.desk import Task
stage = Stage.at({place!r})
desk = stage.desk(None)
desk.begin(Task.SET_UP, stage.wishes(), lambda ending: None)
stage.wait_for_start()
os.kill(os.getpid(), 9)
"""


class Stage:
    """``place / runtime`` holds the fake, ``place / environment`` is the folder that it sets up."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.runtime = place / "runtime"
        self.folder = place / "the environment"
        (self.runtime / "generator").mkdir(parents=True, exist_ok=True)
        # A package of its own: a mere folder would come after a generator that is installed.
        (self.runtime / "generator" / "__init__.py").touch()
        shutil.copyfile(FAKE, self.runtime / "generator" / "__main__.py")

    @classmethod
    def at(cls, place: str) -> Stage:
        """The same stage from another process."""
        return cls(Path(place))

    def mode(self, mode: str) -> None:
        """What the next start does."""
        (self.runtime / "mode").write_text(mode)

    def wishes(self, **given: Any) -> Any:
        """Wishes for the folder of this stage."""
        from dream_textures_addon.environment.commands import Wishes

        return Wishes(self.folder, **given)

    def desk(self, limits: Any) -> Any:
        """A desk that starts the fake by the Python of the tests."""
        from dream_textures_addon.environment.commands import Tool
        from dream_textures_addon.environment.desk import Desk

        return Desk(Tool(sys.executable, self.runtime, os.environ), self.folder, limits)

    def starts(self) -> list[dict[str, Any]]:
        """The command line, process and environment of each start."""
        started = self.runtime / "started"
        return [json.loads(line) for line in started.read_text().splitlines()] if started.exists() else []

    def wait_for_start(self, seconds: float = 20.0) -> None:
        """Until the fake has begun to set up."""
        end = time.monotonic() + seconds
        while not (self.folder / "environment.json").exists():
            assert time.monotonic() < end, "the fake was not started"
            time.sleep(0.01)

    def all_gone(self, seconds: float = 5.0) -> bool:
        """Whether no process of the fake is left, soon."""
        pids = [start["pid"] for start in self.starts()]
        assert pids, "it was never started"
        end = time.monotonic() + seconds
        while any(_lives(pid) for pid in pids):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def start_and_die(self) -> None:
        """Start a set-up from another process that is killed as soon as it runs."""
        code = _BLENDER.format(tests=str(FAKE.parent), place=str(self.place))
        dead = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
        assert dead.returncode == -9


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has waited for is gone, too.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
