# SPDX-License-Identifier: GPL-3.0-or-later
"""However it ends, on the generator's side or on Blender's: no process, no thread, and no Blender is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dream_textures_addon.wire import protocol
from tests.addon.supervising import REQUEST, FakeSession, gone
from tests.faults import ends


def test_closing_cancels_what_was_not_over(fake: FakeSession) -> None:
    session = fake("slow")
    job = session.submit(REQUEST)
    session.close()
    assert session.poll() == [protocol.Cancelled(job)]


@pytest.mark.parametrize("mode", ["ok", "slow", "hangs at start", "stays", "stubborn"])
def test_closing_leaves_no_process_and_no_thread(fake: FakeSession, mode: str) -> None:
    before = threading.active_count()
    session = fake(mode, close=0.5)
    session.start()
    pid = session.pid
    assert pid is not None
    time.sleep(0.2)
    started = time.monotonic()
    session.close()
    session.close()
    assert time.monotonic() - started < 3
    assert gone(pid)
    assert threading.active_count() == before


def test_the_generator_ends_when_its_blender_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "blender.py"
    script.write_text(
        "import os, signal, subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    fake = str(Path(__file__).with_name("fake_generator.py"))
    blender = subprocess.run(
        [sys.executable, str(script), sys.executable, fake, "ok", str(tmp_path)],
        capture_output=True,
        timeout=20,
        check=False,
    )
    pid = int(blender.stdout)
    deadline = time.monotonic() + 10
    while not gone(pid) and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ends("Death and silence", "Blender is killed", "the generator ends with it")


def test_a_dead_generator_never_takes_blender_along(tmp_path: Path) -> None:
    """Blender leaves SIGPIPE at its default, unlike Python: a write to a closed pipe would end it."""
    conftest, fake = Path(__file__).with_name("conftest.py"), Path(__file__).with_name("fake_generator.py")
    script = tmp_path / "blender.py"
    script.write_text(
        "import runpy, signal, sys, time\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        f"runpy.run_path({str(conftest)!r})\n"
        "from dream_textures_addon.launch import Launch\n"
        "from dream_textures_addon.session import Session\n"
        "from dream_textures_addon.wire import protocol\n"
        f"command = (sys.executable, {str(fake)!r}, 'truncated', {str(tmp_path)!r})\n"
        f"session = Session(Launch(command, {str(tmp_path)!r}, {{}}, 'a fake'))\n"
        "pixels = protocol.Array('uint8', (2048, 2048, 3), bytes(2048 * 2048 * 3))\n"
        "request = protocol.Request(prompt='x', source=protocol.ImageRef('0' * 64, 2048, 2048))\n"
        "jobs = [session.submit(request, pixels) for _ in range(3)]\n"
        "print([type(list(session.wait(job, 10))[-1]).__name__ for job in jobs], flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "['Failed', 'Failed', 'Failed']"), done.stderr


def test_python_can_exit_without_closing_the_session(tmp_path: Path) -> None:
    script, fake = tmp_path / "quits.py", Path(__file__).with_name("fake_generator.py")
    script.write_text(
        "import runpy, sys\n"
        f"runpy.run_path({str(Path(__file__).with_name('conftest.py'))!r})\n"
        "from dream_textures_addon.launch import Launch\n"
        "from dream_textures_addon.session import Session\n"
        f"command = (sys.executable, {str(fake)!r}, 'slow', {str(tmp_path)!r})\n"
        f"session = Session(Launch(command, {str(tmp_path)!r}, {{}}, 'a fake'))\n"
        "session.start()\n"
        "print(session.pid, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stderr == ""
    assert gone(int(done.stdout))
