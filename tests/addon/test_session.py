# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the generator does, each job ends once, in bounded time, with a sentence; and nothing is left running."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from dream_textures_addon.launch import Launch
from dream_textures_addon.session import Session, SessionState
from dream_textures_addon.wire import protocol
from tests.addon.supervising import OVER, REQUEST, FakeSession, gone, over, run, starts, until
from tests.faults import ends


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


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
    ends("Start", "A package that it needs is missing", "failed", failed.message)


def test_a_program_that_cannot_be_run_fails_the_job_and_not_the_caller(tmp_path: Path) -> None:
    session = Session(Launch((str(tmp_path / "nothing"), "serve"), tmp_path, {}, "nothing"))
    failed = run(session)[-1]
    assert failed.kind == "start_failed"
    assert "No such file" in failed.message
    ends("Start", "The program is not there", "failed", failed.message)


def test_a_start_that_hangs_is_ended(fake: FakeSession) -> None:
    session = fake("hangs at start", start=0.5)
    failed = run(session)[-1]
    assert failed.kind == "start_failed"
    assert "not ready within 0.5 seconds" in failed.message
    ends("Start", "It hangs before its first word", "failed", failed.message)


@pytest.mark.parametrize(
    ("mode", "words", "fault"),
    [
        ("garbage at start", "not JSON", "Another program answers"),
        ("old protocol", "protocol 99", "Another version of the generator answers"),
        ("job before hello", "not its turn", "It brings results before it has introduced itself"),
    ],
)
def test_a_program_that_is_not_our_generator_is_told_apart(
    fake: FakeSession, mode: str, words: str, fault: str
) -> None:
    session = fake(mode)
    failed = run(session)[-1]
    assert failed.kind == "protocol"
    assert words in failed.message
    assert "same version" in failed.advice
    assert session.state is SessionState.FAILED
    ends("Protocol", fault, "failed", failed.message)


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
    ends("Death and silence", "It dies once in mid-job", "finished on the second try", notices[0])


@pytest.mark.parametrize(
    ("mode", "words", "fault"),
    [
        ("dies", "exit code 9", "It dies under the same job twice"),
        ("dies loading", "exit code 9", "It dies twice while it loads a model"),
        ("dies between results", "exit code 9", "It dies twice between two results"),
        ("truncated", "ended inside an array", "A frame breaks off"),
        ("garbage later", "not JSON", "A library prints into the frames"),
        ("giant", "cannot have the shape", "A frame claims a petabyte"),
        ("chatters", "not its turn", "It introduces itself a second time"),
        ("mute", "said nothing for 0.5 seconds", "It falls silent"),
        ("hangs", "said nothing for 0.5 seconds", "The whole process stands still"),
    ],
)
def test_a_generator_that_fails_twice_fails_the_job(
    fake: FakeSession, tmp_path: Path, mode: str, words: str, fault: str
) -> None:
    session = fake(mode, silence=0.5 if mode in ("mute", "hangs") else 10.0)
    failed = run(session)[-1]
    assert failed.kind == "died"
    assert words in failed.message
    assert starts(tmp_path) == 2
    protocol_was_broken = mode in ("truncated", "garbage later", "giant", "chatters")
    ends("Protocol" if protocol_was_broken else "Death and silence", fault, "set aside", failed.message)
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
    last = {event.job: event for event in until(session, over(after)) if isinstance(event, OVER)}
    assert isinstance(last[before], protocol.Finished)
    assert isinstance(last[poison], protocol.Failed)
    assert isinstance(last[after], protocol.Finished)
    assert starts(tmp_path) == 3
    ends("Queue", "One of three jobs kills it twice", "set aside, the others finished", last[poison].message)


def test_a_process_that_leaves_a_child_with_its_pipes_is_noticed(fake: FakeSession) -> None:
    failed = run(fake("leaves a child", linger=0.3))[-1]
    assert failed.kind == "died"
    assert "exit code 5" in failed.message
    ends("Death and silence", "It leaves a process that holds its pipes", "set aside", failed.message)


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
    ends("Queue", "It ignores a cancellation", "cancelled, and the process ended")


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
    ends(
        "Death and silence", "It reads nothing, and 100 MB wait to be sent", "Blender goes on, nothing blocks"
    )


def test_a_flood_on_stderr_blocks_nothing_and_takes_little_memory(fake: FakeSession) -> None:
    session = fake("flood")
    assert isinstance(run(session)[-1], protocol.Finished)
    session.close()
    assert session.log[-1] == "the end of the flood"
    ends("Protocol", "It floods its log with 10 MB", "finished")
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
