# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up as the add-on sees it: the commands, what comes back, and that every wait ends."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dream_textures_addon.environment.commands import (
    EnvironmentState,
    Tool,
    Wishes,
    brings_wheels,
    folder_at,
    last_lines,
    look,
)
from dream_textures_addon.environment.desk import Desk, Task
from dream_textures_addon.environment.events import Ending
from dream_textures_addon.environment.run import RunLimits, _duration
from dream_textures_addon.environment.words import state_lines
from tests.faults import ends

from .setup_stage import Stage

HURRIED = RunLimits(silence=20.0, total=30.0, patience=0.5, linger=0.5)
CANCELLED = {
    "slow": "in the middle of a download",
    "hangs": "and hangs",
    "deaf": "and heeds neither the end of its input nor a signal",
    "flood": "and prints without end",
}
KINDS = (
    "no_space", "offline", "network", "hash", "permission", "busy", "cancelled", "python", "broken", "internal",
)  # fmt: skip


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A runtime whose generator is the fake set-up."""
    return Stage(tmp_path)


@pytest.fixture
def desk(stage: Stage) -> Iterator[Desk]:
    """A desk on that stage; what it left running is ended."""
    desk = stage.desk(HURRIED)
    yield desk
    desk.close()


def finish(desk: Desk, seconds: float = 20.0) -> None:
    """Wait as the timer would."""
    end = time.monotonic() + seconds
    while desk.busy:
        assert time.monotonic() < end, "it did not come to an end"
        desk.take()
        time.sleep(0.01)


def done(desk: Desk, task: Task, wishes: Wishes, python: Path | None = None) -> Ending:
    """Carry a task out and return its ending."""
    endings: list[Ending] = []
    desk.begin(task, wishes, endings.append, python)
    finish(desk)
    (ending,) = endings
    return ending


def test_a_set_up_goes_from_absent_to_ready_and_tells_of_it(stage: Stage, desk: Desk) -> None:
    stage.mode("normal")
    assert desk.refresh(stage.wishes()).state is EnvironmentState.ABSENT
    told: list[str] = []
    desk.begin(Task.SET_UP, stage.wishes(), lambda _ending: None)
    while desk.busy:
        if not told or told[-1] != desk.status:
            told.append(desk.status)
        desk.take()
    assert "Downloading PyTorch: 200 MB of 300 MB, 5.2 MB/s, 42 s left" in told
    assert desk.refresh(stage.wishes()).state is EnvironmentState.READY
    assert desk.found.python is not None and desk.found.python.is_relative_to(stage.folder)
    assert desk.has_log
    assert desk.trouble is None


def test_it_is_started_as_the_generator_is_and_by_the_same_python(stage: Stage, desk: Desk) -> None:
    stage.mode("normal")
    done(desk, Task.SET_UP, stage.wishes())
    (start,) = stage.starts()
    assert start["arguments"][0] == "setup"
    assert {"--json", "--watch-stdin", f"--folder={stage.folder}"} <= set(start["arguments"])
    assert "--offline" not in start["arguments"]


def test_every_wish_reaches_the_program_and_none_becomes_another_option(stage: Stage, desk: Desk) -> None:
    stage.mode("normal")
    wishes = stage.wishes(
        accelerator="cpu",
        base_python="/usr/bin/python3",
        torch_index_url="--remove",
        python_mirror="https://mirror.studio/python",
        wheels="/srv/wheels with spaces",
        offline=True,
    )
    done(desk, Task.SET_UP, wishes)
    (start,) = stage.starts()
    assert {
        "--accelerator=cpu",
        "--python=/usr/bin/python3",
        "--torch-index-url=--remove",
        "--python-mirror=https://mirror.studio/python",
        "--find-links=/srv/wheels with spaces",
        "--offline",
    } <= set(start["arguments"])


def test_addresses_that_may_hold_a_password_are_not_on_the_command_line(stage: Stage, desk: Desk) -> None:
    stage.mode("normal")
    proxy, index = "http://me:secret@proxy:8080", "https://me:secret@pypi.studio/simple"
    done(desk, Task.SET_UP, stage.wishes(proxy=proxy, index_url=index))
    (start,) = stage.starts()
    seen = start["environment"]
    assert (seen["HTTPS_PROXY"], seen["PIP_PROXY"], seen["UV_DEFAULT_INDEX"]) == (proxy, proxy, index)
    assert "secret" not in " ".join(start["arguments"])


def test_settings_of_pip_and_uv_pass_and_those_of_another_python_do_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.studio/simple")
    monkeypatch.setenv("UV_FIND_LINKS", "/srv/wheels")
    monkeypatch.setenv("PYTHONPATH", "/stray")
    stage.mode("normal")
    desk = stage.desk(HURRIED)
    done(desk, Task.SET_UP, stage.wishes())
    seen = stage.starts()[0]["environment"]
    assert (seen["PIP_INDEX_URL"], seen["UV_FIND_LINKS"]) == ("https://pypi.studio/simple", "/srv/wheels")
    assert seen["PYTHONPATH"] is None


def test_the_limits_that_an_artist_meets_are_said_in_minutes_and_hours() -> None:
    limits = RunLimits()
    assert (_duration(limits.silence), _duration(limits.total)) == ("10 minutes", "6 hours")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_failure_keeps_its_sentence_and_advice(stage: Stage, desk: Desk, kind: str) -> None:
    stage.mode(f"fails {kind}")
    ending = done(desk, Task.SET_UP, stage.wishes())
    assert (ending.ok, ending.kind) == (False, kind)
    assert ending.sentences == "It did not work. Do something else."
    assert (desk.trouble is None) == (kind == "cancelled"), "what the artist did is no trouble"
    assert desk.refresh(stage.wishes()).state is EnvironmentState.INCOMPLETE


def test_silence_is_noticed_and_ends_in_a_sentence(stage: Stage) -> None:
    stage.mode("hangs")
    desk = stage.desk(RunLimits(silence=0.5, patience=0.3))
    ending = done(desk, Task.SET_UP, stage.wishes())
    assert ending.kind == "silent"
    assert "said nothing for 0.5 seconds" in ending.message
    assert ending.advice
    assert stage.all_gone()
    ends("Set-up", "It says nothing any more", "ended by the add-on, to be resumed", ending.sentences)


def test_no_set_up_runs_for_ever_however_much_it_says(stage: Stage) -> None:
    stage.mode("flood")
    desk = stage.desk(RunLimits(total=1.5, patience=0.3, linger=0.3))
    ending = done(desk, Task.SET_UP, stage.wishes())
    assert ending.kind == "silent"
    assert "was not done after 1.5 seconds" in ending.message
    assert stage.all_gone()
    ends("Set-up", "It prints without end", "ended by the add-on, to be resumed", ending.sentences)


def test_a_death_quotes_the_last_words(stage: Stage, desk: Desk) -> None:
    stage.mode("dies")
    ending = done(desk, Task.SET_UP, stage.wishes())
    assert ending.kind == "died"
    assert "exit code 9" in ending.message
    assert "MemoryError: no more of it" in ending.message
    ends("Set-up", "Its process dies", "to be resumed", ending.sentences)


def test_garbage_between_the_lines_is_passed_over(stage: Stage, desk: Desk) -> None:
    stage.mode("garbage")
    assert done(desk, Task.SET_UP, stage.wishes()).ok
    assert desk.refresh(stage.wishes()).state is EnvironmentState.READY
    ends("Set-up", "Garbage among what it says", "passed over; ready")


def test_a_child_that_holds_the_pipes_holds_up_nobody(stage: Stage, desk: Desk) -> None:
    stage.mode("leaves a child")
    begun = time.monotonic()
    assert done(desk, Task.SET_UP, stage.wishes()).ok
    assert time.monotonic() - begun < 15
    ends("Set-up", "A program that it started keeps its pipes open", "not waited for; ready")


@pytest.mark.parametrize("mode", CANCELLED)
def test_cancelling_ends_it_without_waiting_here(stage: Stage, desk: Desk, mode: str) -> None:
    stage.mode(mode)
    desk.begin(Task.SET_UP, stage.wishes(), lambda _ending: None)
    stage.wait_for_start()
    begun = time.monotonic()
    desk.cancel()
    assert time.monotonic() - begun < 0.2
    assert desk.status == "Cancelling"
    finish(desk)
    assert desk.trouble is None
    assert stage.all_gone()
    assert desk.refresh(stage.wishes()).state is EnvironmentState.INCOMPLETE
    (_, sentence), *_ = state_lines(desk.found)
    ends("Set-up", f"It is cancelled, {CANCELLED[mode]}", "no process left, to be resumed", sentence)


@pytest.mark.parametrize("mode", ["slow", "deaf"])
def test_closing_blender_leaves_no_process_and_an_unfinished_set_up(
    stage: Stage, desk: Desk, mode: str
) -> None:
    stage.mode(mode)
    desk.begin(Task.SET_UP, stage.wishes(), lambda _ending: pytest.fail("nobody is there to be told"))
    stage.wait_for_start()
    run = desk.run
    assert run is not None
    run.close(patience=0.5)
    desk.close()
    assert stage.all_gone()
    assert desk.refresh(stage.wishes()).state is EnvironmentState.INCOMPLETE
    stage.mode("normal")
    done(desk, Task.SET_UP, stage.wishes())
    assert desk.refresh(stage.wishes()).state is EnvironmentState.READY


def test_an_interrupted_blender_takes_the_set_up_with_it(stage: Stage, desk: Desk) -> None:
    """Blender is killed, so that nobody closes anything: the end of stdin is what the set-up notices."""
    stage.mode("slow")
    stage.start_and_die()
    assert stage.all_gone(seconds=10.0)
    (_, sentence), *_ = state_lines(desk.refresh(stage.wishes()))
    ends("Set-up", "Blender is killed while it runs", "no process left, to be resumed", sentence)


def test_a_plan_writes_nothing_and_says_what_it_takes(stage: Stage, desk: Desk) -> None:
    stage.mode("normal")
    ending = done(desk, Task.PLAN, stage.wishes())
    assert ending.ok
    assert desk.plan["download_bytes"] == 2_600_000_000
    assert not stage.folder.exists()


def test_a_plan_that_cannot_be_carried_out_is_a_plan_all_the_same(stage: Stage, desk: Desk) -> None:
    stage.mode("no space")
    assert done(desk, Task.PLAN, stage.wishes()).ok
    assert desk.plan["problem"] == "There is not enough space."


def test_without_a_plan_there_is_a_sentence(stage: Stage, desk: Desk) -> None:
    stage.mode("no plan")
    ending = done(desk, Task.PLAN, stage.wishes())
    assert not ending.ok
    assert ending.message.startswith("The look at this computer ended without a result")
    assert desk.trouble == ending
    ends("Set-up", "What it would take cannot be found out", "nothing is begun", ending.sentences)


def test_removing_goes_back_to_absent(stage: Stage, desk: Desk) -> None:
    stage.mode("normal")
    done(desk, Task.SET_UP, stage.wishes())
    assert done(desk, Task.REMOVE, stage.wishes()).ok
    assert desk.refresh(stage.wishes()).state is EnvironmentState.ABSENT


def test_another_python_is_judged_by_what_it_lacks(stage: Stage, desk: Desk) -> None:
    stage.mode("lacking")
    ending = done(desk, Task.CHECK, stage.wishes(), Path(sys.executable))
    assert (ending.ok, ending.kind, ending.message) == (False, "lacking", "Something is missing.")
    assert desk.checked == ending
    assert desk.trouble is None, "the environment itself has none"
    stage.mode("complete")
    assert done(desk, Task.CHECK, stage.wishes(), Path(sys.executable)).ok


def test_findings_come_although_the_doctor_is_not_content(stage: Stage, desk: Desk) -> None:
    stage.mode("fails no_space")
    failure = done(desk, Task.SET_UP, stage.wishes())
    assert done(desk, Task.EXAMINE, stage.wishes(offline=True)).ok
    assert [finding["what"] for finding in desk.findings] == ["Disk", "Python"]
    assert desk.trouble == failure, "it stays to be read while its reason is looked for"
    assert stage.starts()[1]["arguments"] == ["doctor", "--json", f"--folder={stage.folder}", "--offline"]


def test_a_python_that_cannot_be_started_is_an_ending_too(stage: Stage) -> None:
    tool = Tool(str(stage.folder / "no-python"), stage.runtime, os.environ)
    ending = done(Desk(tool, stage.folder), Task.SET_UP, stage.wishes())
    assert ending.kind == "not_started"
    ends("Set-up", "It cannot be started", "nothing is begun", ending.sentences)
    assert "could not be started" in ending.message


def test_an_update_of_the_add_on_outdates_what_was_made_for_the_last_one(stage: Stage, desk: Desk) -> None:
    stage.mode("normal")
    done(desk, Task.SET_UP, stage.wishes())
    other = stage.runtime.with_name("the next version")
    shutil.copytree(stage.runtime, other)
    locks = other / "generator" / "environment" / "locks"
    locks.mkdir(parents=True)
    (locks / "linux-cpu.txt").write_text("torch==3\n")
    found = look(stage.folder, other)
    assert found.state is EnvironmentState.OUTDATED
    assert found.python is not None, "it works until it is updated"


def test_of_a_long_log_only_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "setup.log"
    assert last_lines(log) == []
    log.write_bytes(b"\xff" * 100_000 + b"\n" + b"".join(b"line %d\n" % number for number in range(100)))
    assert last_lines(log) == [f"line {number}" for number in range(70, 100)]


@pytest.mark.parametrize(
    ("text", "environ", "brings"),
    [
        ("/srv/wheels", {}, True),
        ("", {"UV_FIND_LINKS": "/srv/wheels"}, True),
        ("", {"PIP_FIND_LINKS": " "}, False),
        ("", {}, False),
    ],
)
def test_a_folder_of_wheels_makes_the_network_needless(
    text: str, environ: dict[str, str], brings: bool
) -> None:
    assert brings_wheels(Wishes(Path("x"), wheels=text), environ) is brings


def test_the_folder_is_the_artists_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder_at("", tmp_path) == tmp_path
    assert folder_at(' "~/Générateur" ', tmp_path / "x") == tmp_path / "Générateur"
    assert folder_at("relative", tmp_path).is_absolute()
