# SPDX-License-Identifier: GPL-3.0-or-later
"""Silence, stalls, back-off and order: what the session does about a generator that is alive, or seems to be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dream_textures_addon import session_state
from dream_textures_addon.session import SessionState
from dream_textures_addon.session_state import Limits, Watch, status_of
from dream_textures_addon.wire import protocol
from tests.addon.supervising import OVER, REQUEST, FakeSession, gone, over, run, starts, until
from tests.faults import ends

ROOT = Path(__file__).resolve().parents[2]


def test_a_heartbeat_is_enough_to_be_left_in_peace(fake: FakeSession, tmp_path: Path) -> None:
    events = run(fake("long breath", silence=0.5))
    assert isinstance(events[-1], protocol.Finished)
    assert starts(tmp_path) == 1
    ends("Death and silence", "It is slow, and says that it lives", "finished")


def test_one_that_lives_but_gets_nowhere_is_ended(fake: FakeSession, tmp_path: Path) -> None:
    failed = run(fake("gets nowhere", stall=0.5))[-1]
    assert failed.kind == "died"
    assert "brought nothing for 0.5 seconds" in failed.message
    assert starts(tmp_path) == 2
    ends("Death and silence", "It lives, but brings nothing", "set aside", failed.message)


def test_silence_once_costs_no_job(fake: FakeSession, tmp_path: Path) -> None:
    events = run(fake("mute once", silence=0.5, mercy=0.3))
    assert isinstance(events[-1], protocol.Finished)
    assert starts(tmp_path) == 2
    assert any("said nothing for 0.5 seconds" in e.message for e in events if isinstance(e, protocol.Notice))
    ends("Death and silence", "It falls silent once", "finished on the second try")


def test_one_that_never_gets_ready_is_given_up_though_it_lives(fake: FakeSession) -> None:
    session = fake("never ready", start=1.0)
    job = session.submit(REQUEST)
    until(session, lambda events: session.heartbeat is not None)
    assert "waiting for a driver" in session.status
    failed = until(session, over(job))[-1]
    assert failed.kind == "start_failed"
    assert "not ready within 1 seconds" in failed.message
    ends("Start", "It lives, but never gets ready", "failed", failed.message)


def test_a_silent_one_without_a_job_is_ended_too(fake: FakeSession) -> None:
    session = fake("stubborn", silence=0.3, mercy=0.3)
    session.start()
    until(session, lambda events: session.hello is not None)
    pid = session.pid
    until(session, lambda events: session.pid is None)
    assert pid is not None
    assert gone(pid)
    assert session.state is SessionState.STOPPED
    ends(
        "Death and silence",
        "It hangs while it is idle, and ignores a terminate",
        "killed; the next job starts it",
    )


def test_one_that_fell_silent_while_nobody_looked_gets_no_job(fake: FakeSession, tmp_path: Path) -> None:
    session = fake("ok", silence=2.0, mercy=0.2)
    run(session)
    assert session.pid is not None
    os.kill(session.pid, signal.SIGSTOP)
    time.sleep(1.0)
    asked = time.monotonic()
    assert isinstance(run(session)[-1], protocol.Finished)
    assert time.monotonic() - asked < 10
    assert starts(tmp_path) == 2


def test_a_restart_that_fails_is_tried_again_and_then_given_up(fake: FakeSession, tmp_path: Path) -> None:
    session = fake("dies later", backoff=0.05, restarts=3)
    failed = run(session)[-1]
    assert failed.kind == "start_failed"
    assert "No second time" in failed.message
    assert starts(tmp_path) == 4
    assert session.state is SessionState.FAILED
    ends("Start", "It cannot be started again after a death", "failed after three more tries", failed.message)


def test_the_pause_before_a_restart_is_a_state_of_its_own(fake: FakeSession, tmp_path: Path) -> None:
    session = fake("dies once", backoff=0.6)
    job = session.submit(REQUEST)
    until(session, lambda events: session.state is SessionState.RESTARTING)
    assert session.pid is None
    assert session.status == "Restarting the generator (0 s), because it ended with exit code 9"
    waited = time.monotonic()
    assert isinstance(until(session, over(job))[-1], protocol.Finished)
    assert time.monotonic() - waited > 0.3
    assert starts(tmp_path) == 2


def test_cancelling_in_the_pause_before_a_restart_is_immediate(fake: FakeSession, tmp_path: Path) -> None:
    session = fake("dies", backoff=5.0)
    job = session.submit(REQUEST)
    until(session, lambda events: session.state is SessionState.RESTARTING)
    session.cancel(job)
    assert protocol.Cancelled(job) in session.poll()
    assert starts(tmp_path) == 1


def test_what_is_being_loaded_is_in_the_state(fake: FakeSession) -> None:
    session = fake("slow")
    seen = set()
    job = session.submit(REQUEST)
    deadline = time.monotonic() + 15
    while not any(isinstance(event, OVER) for event in session.poll()):
        assert time.monotonic() < deadline
        seen.add(session.state)
        time.sleep(0.002)
    assert {SessionState.STARTING, SessionState.BUSY} <= seen
    assert job


def test_the_generator_has_one_job_at_a_time_and_the_others_can_change_places(fake: FakeSession) -> None:
    session = fake("ok")
    jobs = [session.submit(REQUEST, job=name) for name in ("a", "b", "c", "d")]
    session.reorder(["d", "c", "nobody"])
    events = until(session, lambda events: sum(isinstance(e, protocol.Finished) for e in events) == 4)
    assert jobs == ["a", "b", "c", "d"]
    assert [event.job for event in events if isinstance(event, protocol.Finished)] == ["d", "c", "a", "b"]


def test_releasing_memory_reaches_the_generator(fake: FakeSession) -> None:
    session = fake("ok")
    session.release()  # there is nobody to tell yet
    run(session)
    session.release()
    released = until(session, lambda events: any(isinstance(e, protocol.Released) for e in events))
    assert released[-1].loaded == "a fake model"


def test_a_blender_that_stood_still_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept wakes up with a generator that has said nothing for hours, and nor has anybody else."""
    now = [1000.0]
    monkeypatch.setattr(session_state.time, "monotonic", lambda: now[0])
    watch = Watch()
    for _ in range(10):
        now[0] += 1.0
        watch.look(now[0])
    now[0] += 3600.0
    watch.look(now[0] - 3600.0)
    assert watch.silent_seconds == 0.0
    assert watch.idle_seconds == pytest.approx(10.0)
    now[0] += 3.0
    watch.look(1010.0)
    assert watch.silent_seconds == 3.0


@pytest.mark.parametrize("state", [state for state in SessionState if state is not SessionState.FAILED])
def test_every_state_has_a_sentence(state: SessionState) -> None:
    watch = Watch()
    watch.progress(protocol.Loading("job", "Loading some model"))
    sentence = status_of(state, watch, None, [{"name": "a card"}], 3, "it ended with exit code 9", Limits())
    assert len(sentence) > 4
    assert sentence[0].isupper()


def test_silence_is_shown_before_it_is_acted_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    later = time.monotonic() + 42
    monkeypatch.setattr(session_state.time, "monotonic", lambda: later)
    sentence = status_of(SessionState.BUSY, watch, None, [], 1, "", Limits(silence=120))
    assert sentence == "Working; no sign of life for 42 s, ended after 120 s"


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_even_a_generator_that_hangs_outside_python_ends_with_its_blender(tmp_path: Path) -> None:
    blender = tmp_path / "blender.py"
    blender.write_text(
        "import os, subprocess, sys, signal\n"
        "child = subprocess.Popen([sys.executable, '-m', 'generator', 'serve'], stdin=subprocess.PIPE,\n"
        "                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        "line = b''\n"
        "while b'hello' not in line: line = child.stdout.readline()\n"
        "os.kill(child.pid, signal.SIGSTOP)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, str(blender)], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while not gone(pid) and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "an orphan is left"
        time.sleep(0.05)
    ends(
        "Death and silence",
        "Blender is killed while the generator stands still",
        "the generator ends with it",
    )


@pytest.mark.skipif(not hasattr(os, "kill"), reason="needs signals")
def test_heartbeats_do_not_pile_up_while_nobody_looks(fake: FakeSession) -> None:
    session = fake("long breath")
    job = session.submit(REQUEST)
    until(session, lambda events: session.heartbeat is not None)
    time.sleep(1.0)
    assert session._child is not None
    assert session._child.arrivals.qsize() <= 8
    until(session, over(job))
