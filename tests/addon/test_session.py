# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the generator does, each job ends once, in bounded time, with a sentence; and nothing is left running."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dream_textures_addon.launch import Launch
from dream_textures_addon.session import Session, SessionState
from dream_textures_addon.wire import protocol

FakeSession = Callable[..., Session]
OVER = (protocol.Finished, protocol.Failed, protocol.Cancelled)
REQUEST = protocol.Request(prompt="mossy red brick wall")


def until(session: Session, condition: Callable[[list], object], seconds: float = 15.0) -> list:
    """Poll as Blender's timer does, until the condition holds for the events so far."""
    events: list = []
    deadline = time.monotonic() + seconds
    while not condition(events):
        assert time.monotonic() < deadline, f"Nothing more came after {events}; {session.status}"
        events += session.poll()
        time.sleep(0.01)
    return events


def over(job: str) -> Callable[[list], bool]:
    return lambda events: any(isinstance(event, OVER) and event.job == job for event in events)


def run(session: Session, request: protocol.Request = REQUEST) -> list:
    """One job to its end; its events. No second end may follow the first."""
    job = session.submit(request)
    events = until(session, over(job))
    events += session.poll()
    ends = [event for event in events if isinstance(event, OVER) and event.job == job]
    assert len(ends) == 1
    assert ends[0] is [event for event in events if getattr(event, "job", None) == job][-1]
    return events


def gone(pid: int) -> bool:
    """Whether no process of this number is left, not even a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def starts(folder: Path) -> int:
    return (folder / "starts").stat().st_size


def test_a_job_brings_its_events_in_order(fake: FakeSession) -> None:
    events = run(fake("ok"))
    assert [type(event).__name__ for event in events] == [
        "Hello", "Devices", "Accepted", "Loading", "Step", "Step", "Result", "Finished",
    ]  # fmt: skip
    assert events[4].preview is not None


def test_previews_come_only_when_asked_for(fake: FakeSession) -> None:
    session = fake("ok")
    job = session.submit(REQUEST, previews=False)
    assert all(event.preview is None for event in session.wait(job, 10) if isinstance(event, protocol.Step))


def test_the_states_of_a_good_life(fake: FakeSession) -> None:
    session = fake("ok")
    assert session.state is SessionState.STOPPED
    session.start()
    assert session.state is SessionState.STARTING
    assert session.status.startswith("Starting")
    until(session, lambda events: len(events) == 2)
    assert session.state is SessionState.READY
    assert session.status == "Ready on a fake processor"
    assert session.hello is not None
    job = session.submit(REQUEST)
    assert session.state is SessionState.BUSY
    until(session, over(job))
    assert session.state is SessionState.READY
    session.close()
    assert session.state is SessionState.STOPPED


def test_one_process_serves_many_jobs_in_their_order(fake: FakeSession, tmp_path: Path) -> None:
    session = fake("ok")
    jobs = [session.submit(REQUEST) for _ in range(20)]
    events = until(session, over(jobs[-1]))
    assert [event.job for event in events if isinstance(event, protocol.Finished)] == jobs
    assert starts(tmp_path) == 1


def test_waiting_gives_one_jobs_events_and_keeps_the_others(fake: FakeSession) -> None:
    session = fake("ok")
    first, second = session.submit(REQUEST), session.submit(REQUEST)
    waited = list(session.wait(second, 10))
    assert isinstance(waited[-1], protocol.Finished)
    assert {event.job for event in waited} == {second}
    assert over(first)(session.poll())
    assert list(session.wait(second, 10)) == []


def test_a_start_that_fails_names_the_reason(fake: FakeSession) -> None:
    session = fake("dies at start")
    failed = run(session)[-1]
    assert failed.kind == "start_failed"
    assert "exit code 1" in failed.message
    assert "No module named 'numpy'" in failed.message
    assert "preferences" in failed.advice
    assert session.state is SessionState.FAILED
    assert session.status == failed.message
    assert session.advice == failed.advice


def test_a_program_that_cannot_be_run_fails_the_job_and_not_the_caller(tmp_path: Path) -> None:
    session = Session(Launch((str(tmp_path / "nothing"), "serve"), tmp_path, {}, "nothing"))
    failed = run(session)[-1]
    assert failed.kind == "start_failed"
    assert "No such file" in failed.message


def test_a_start_that_hangs_is_ended(fake: FakeSession) -> None:
    session = fake("hangs at start", start=0.5)
    failed = run(session)[-1]
    assert failed.kind == "start_failed"
    assert "not ready within 0.5 seconds" in failed.message


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("garbage at start", "not JSON"),
        ("old protocol", "protocol 99"),
        ("job before hello", "not its turn"),
    ],
)
def test_a_program_that_is_not_our_generator_is_told_apart(fake: FakeSession, mode: str, words: str) -> None:
    session = fake(mode)
    failed = run(session)[-1]
    assert failed.kind == "protocol"
    assert words in failed.message
    assert "same version" in failed.advice
    assert session.state is SessionState.FAILED


def test_a_failed_session_tries_again_with_the_next_job(fake: FakeSession, tmp_path: Path) -> None:
    session = fake("dies at start")
    run(session)
    run(session)
    assert starts(tmp_path) == 2


def test_a_generator_that_dies_once_is_restarted_and_the_job_replayed(
    fake: FakeSession, tmp_path: Path
) -> None:
    session = fake("dies once")
    events = run(session)
    assert isinstance(events[-1], protocol.Finished)
    assert starts(tmp_path) == 2
    notices = [event.message for event in events if isinstance(event, protocol.Notice)]
    assert notices == [
        "The generator stopped (it ended with exit code 9); it was started again and this job with it."
    ]
    assert session.state is SessionState.READY


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("dies", "exit code 9"),
        ("truncated", "ended inside an array"),
        ("garbage later", "not JSON"),
        ("chatters", "not its turn"),
        ("mute", "said nothing for 0.5 seconds"),
    ],
)
def test_a_generator_that_fails_twice_fails_the_job(
    fake: FakeSession, tmp_path: Path, mode: str, words: str
) -> None:
    session = fake(mode, silence=0.5 if mode == "mute" else 10.0)
    failed = run(session)[-1]
    assert failed.kind == "died"
    assert words in failed.message
    assert starts(tmp_path) == 2
    assert session.state in (SessionState.STOPPED, SessionState.READY)


def test_the_report_of_a_death_holds_the_last_lines(fake: FakeSession) -> None:
    session = fake("dies")
    failed = run(session)[-1]
    assert "Segmentation fault, as it were" in failed.traceback
    assert "Segmentation fault, as it were" in session.log


def test_a_job_that_kills_the_generator_does_not_take_the_others_along(
    fake: FakeSession, tmp_path: Path
) -> None:
    session = fake("poison")
    before, poison, after = (
        session.submit(protocol.Request(prompt=prompt)) for prompt in ("one", "poison", "two")
    )
    ends = {event.job: event for event in until(session, over(after)) if isinstance(event, OVER)}
    assert isinstance(ends[before], protocol.Finished)
    assert isinstance(ends[poison], protocol.Failed)
    assert isinstance(ends[after], protocol.Finished)
    assert starts(tmp_path) == 3


def test_a_process_that_leaves_a_child_with_its_pipes_is_noticed(fake: FakeSession) -> None:
    failed = run(fake("leaves a child", linger=0.3))[-1]
    assert failed.kind == "died"
    assert "exit code 5" in failed.message


def test_cancelling_a_running_job(fake: FakeSession) -> None:
    session = fake("slow")
    job = session.submit(REQUEST)
    until(session, lambda events: any(isinstance(event, protocol.Step) for event in events))
    session.cancel(job)
    assert isinstance(until(session, over(job))[-1], protocol.Cancelled)
    assert session.state is SessionState.READY


def test_cancelling_before_the_generator_is_ready_is_immediate(fake: FakeSession) -> None:
    session = fake("hangs at start")
    job = session.submit(REQUEST)
    session.cancel(job)
    assert session.poll() == [protocol.Cancelled(job)]


def test_a_generator_that_ignores_a_cancellation_is_ended(fake: FakeSession) -> None:
    session = fake("deaf", cancel=0.3)
    job = session.submit(REQUEST)
    until(session, lambda events: session.hello is not None)
    pid = session.pid
    session.cancel(job)
    assert isinstance(until(session, over(job))[-1], protocol.Cancelled)
    assert pid is not None
    assert gone(pid)


def test_cancelling_what_is_over_or_unknown_changes_nothing(fake: FakeSession) -> None:
    session = fake("ok")
    job = run(session)[-1].job
    session.cancel(job)
    session.cancel("no such job")
    assert session.poll() == []


def test_waiting_ends_when_the_generator_says_nothing(fake: FakeSession) -> None:
    session = fake("mute")
    job = session.submit(REQUEST)
    until(session, lambda events: session.hello is not None)
    *_, failed = session.wait(job, 0.5)
    assert failed.kind == "silent"
    assert "nothing for 0.5 seconds" in failed.message
    until(session, lambda events: session.pid is None)
    assert session.state is SessionState.STOPPED


def test_waiting_measures_silence_and_not_the_whole_time(fake: FakeSession) -> None:
    session = fake("slow")
    *_, last = session.wait(session.submit(REQUEST), 1.0)
    assert isinstance(last, protocol.Finished)


def test_a_full_pipe_never_blocks_submit(fake: FakeSession) -> None:
    session = fake("deaf")
    session.start()
    until(session, lambda events: session.hello is not None)
    pixels = protocol.Array("uint8", (2048, 2048, 3), bytes(2048 * 2048 * 3))
    request = protocol.Request(prompt="x", source=protocol.ImageRef("0" * 64, 2048, 2048))
    started = time.monotonic()
    for _ in range(8):
        session.submit(request, pixels)
    assert time.monotonic() - started < 0.5
    session.close()
    assert time.monotonic() - started < 8


def test_a_flood_on_stderr_blocks_nothing_and_takes_little_memory(fake: FakeSession) -> None:
    session = fake("flood")
    assert isinstance(run(session)[-1], protocol.Finished)
    session.close()
    assert session.log[-1] == "the end of the flood"
    assert sum(map(len, session.log)) < 500_000


def test_a_listener_that_raises_does_not_stop_the_log(fake: FakeSession) -> None:
    session = fake("dies", on_log=lambda line: 1 / 0)
    run(session)
    assert any("ZeroDivisionError" in line for line in session.log)


def test_a_hundred_jobs_leave_no_thread_and_no_file_behind(fake: FakeSession) -> None:
    session = fake("ok")
    run(session)
    threads, files = threading.active_count(), open_files()
    for _ in range(100):
        run(session)
    assert threading.active_count() == threads
    assert open_files() == files
