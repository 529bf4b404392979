# SPDX-License-Identifier: GPL-3.0-or-later
"""Five hundred jobs through the real generator: nothing grows, on either side."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dream_textures_addon.jobs import JobBoard, JobState
from dream_textures_addon.launch import find_launch
from dream_textures_addon.session import Session
from dream_textures_addon.wire import RUNTIME, protocol
from tests.faults import ends

pytest.importorskip("numpy")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts what /proc tells")

JOBS, WARM, MAPS = 500, 100, ("basecolor", "height")
SLACK_BYTES = 6 << 20
"""What allocators may take and not give back; a leak of 16 KB a job would be found."""


@dataclass(frozen=True)
class Holdings:
    """What a process holds, and the files in the temporary folder."""

    memory: int
    threads: int
    files: int
    temporary: int


def holdings(pid: int) -> Holdings:
    process = Path(f"/proc/{pid}")
    pages = int((process / "statm").read_text().split()[1])
    return Holdings(
        pages * os.sysconf("SC_PAGE_SIZE"),
        len(list((process / "task").iterdir())),
        len(list((process / "fd").iterdir())),
        len(list(Path(tempfile.gettempdir()).iterdir())),
    )


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session with the real generator; both sides have a temporary folder to themselves."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    session = Session(find_launch("", {**os.environ, "TMPDIR": str(tmp_path)}, sys.executable, RUNTIME))
    yield session
    session.close()


def test_five_hundred_jobs_leave_nothing_behind(real: Session) -> None:
    board, threads = JobBoard(), threading.active_count()
    before: tuple[Holdings, Holdings] | None = None
    for number in range(JOBS):
        request = protocol.Request(prompt="sand", width=32, height=32, seed=number, maps=MAPS)
        job = real.submit(request)
        board.add(job, request)
        for event in real.wait(job, 60):
            board.apply(event)
        done = board.get(job)
        assert done is not None
        assert (done.state, len(done.results)) == (JobState.DONE, len(MAPS))
        board.remove(job)
        if number == WARM:
            assert real.pid is not None
            before = holdings(os.getpid()), holdings(real.pid)
    assert before is not None
    assert real.pid is not None
    for was, now in zip(before, (holdings(os.getpid()), holdings(real.pid)), strict=True):
        assert now.memory - was.memory < SLACK_BYTES
        assert now.threads <= was.threads
        assert now.files <= was.files
        assert now.temporary <= was.temporary
    assert threading.active_count() < threads + 10
    ends("Memory", "500 jobs, one after another", "no growth in memory, threads, handles, temporary files")
