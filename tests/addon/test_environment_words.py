# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist reads about the generator's environment, whatever the other program sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dream_textures_addon.environment import words
from dream_textures_addon.environment.commands import Environment, EnvironmentState
from dream_textures_addon.environment.events import Ending, Events, Progress

PLAN: dict[str, Any] = {
    "action": "install",
    "folder": "/home/kim/generator",
    "accelerator": "cuda",
    "reason": "NVIDIA GeForce RTX 3060, driver 550.54.",
    "download_bytes": 2_640_000_000,
    "disk_bytes": 6_100_000_000,
    "free_bytes": 80_000_000_000,
    "hosts": ["pypi.org", "files.pythonhosted.org"],
    "python": "Python 3.12 is downloaded.",
    "deletes": ["/home/kim/generator/environments"],
    "keeps": ["/home/kim/generator/models"],
    "problem": "",
    "advice": "",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def texts(lines: list[words.Line]) -> str:
    return "\n".join(text for _, text in lines)


@pytest.mark.parametrize("state", EnvironmentState)
def test_every_state_is_said_in_words_with_a_button_for_it(state: EnvironmentState) -> None:
    found = Environment(state, Path("x"), problem="The Python is gone.", accelerator="cpu")
    lines = words.state_lines(found)
    assert len(texts(lines)) > 4
    assert state.value not in ("ready",) or "Processor" in texts(lines)
    assert words.label(found)
    assert ("The Python is gone." in texts(lines)) == (state is EnvironmentState.BROKEN)


def test_each_state_has_a_button_of_its_own() -> None:
    labels = {words.label(Environment(state, Path("x"))) for state in EnvironmentState}
    assert len(labels) == len(EnvironmentState)


def test_a_plan_names_size_folder_hosts_and_the_card_that_was_found() -> None:
    said = texts(words.plan_lines(PLAN))
    for part in (
        "2.6 GB to download, 6.1 GB on the disk",
        "/home/kim/generator (80 GB free)",
        "pypi.org, files.pythonhosted.org",
        "PyTorch for: NVIDIA. NVIDIA GeForce RTX 3060, driver 550.54.",
        "Python 3.12 is downloaded.",
    ):
        assert part in said
    assert words.plan_title(PLAN) == ("Set Up Generator", "Start")
    assert not words.plan_problem(PLAN)


def test_a_plan_that_cannot_start_says_why_and_what_to_do() -> None:
    plan = {**PLAN, "problem": "There is not enough space.", "advice": "Choose another folder."}
    assert words.plan_problem(plan) == "There is not enough space. Choose another folder."
    assert ("ERROR", words.plan_problem(plan)) in words.plan_lines(plan)


def test_where_all_is_there_nothing_is_announced_for_download() -> None:
    said = texts(words.plan_lines({**PLAN, "action": "nothing"}))
    assert "download," not in said
    assert "Everything is there" in said


def test_a_removal_names_each_path_that_goes_and_says_that_models_stay() -> None:
    said = texts(words.removal_lines(PLAN))
    assert "Deletes /home/kim/generator/environments" in said
    assert "Stays: /home/kim/generator/models" in said
    assert "Stays: models" in texts(words.removal_lines({"deletes": ["/x"]}))
    assert "nothing to delete" in texts(words.removal_lines({"deletes": []}))


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), "Starting"),
        (Progress("Checking"), "Checking"),
        (Progress("Installing", 0.314), "Installing: 31%"),
        (Progress("Fetching", None, 310e6), "Fetching: 310 MB"),
        (
            Progress("Fetching", 0.3, 310e6, 1.24e9, 5.2e6, 179.0),
            "Fetching: 310 MB of 1.2 GB, 5.2 MB/s, 3 min left",
        ),
        (Progress("Fetching", 0.3, 0.0, 0.0, 0.0, 0.0), "Fetching: 0 bytes, 1 s left"),
    ],
)
def test_progress_is_one_line(progress: Progress, text: str) -> None:
    assert words.progress_text(progress) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (45, "45 s"), (59.9, "60 s"), (150, "2 min"), (4000, "1 h 7 min")]
)
def test_times_are_no_finer_than_they_are_known(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(12, "12 bytes"), (4200, "4.2 kB"), (31e6, "31 MB"), (2.44e9, "2.4 GB"), (17e9, "17 GB")],
)
def test_sizes_are_rounded(count: float, text: str) -> None:
    assert words.size(count) == text


def test_another_python_is_told_by_what_it_is_and_lacks() -> None:
    data = {"python": "/opt/p", "version": "3.12.1", "device": "cuda", "lacks": ["diffusers>=0.35", "peft"]}
    said = texts(words.check_lines(Ending(False, "lacking", "Something is missing.", "Install it.", data)))
    assert "/opt/p, Python 3.12.1, computes on: cuda" in said
    assert "It lacks diffusers>=0.35, peft" in said
    assert said.endswith("Install it.")


def test_findings_are_told_apart_by_their_icons() -> None:
    findings = [
        {"what": "Disk", "ok": False, "found": "full", "advice": "Free some."},
        {"what": "GPU", "ok": True, "found": "none", "advice": "It will be slow."},
        {"what": "Python", "ok": True, "found": "3.11"},
        {"ok": True},
        "garbage",
    ]
    assert words.finding_lines(findings) == [
        (("ERROR", "Disk: full"), "Free some."),
        (("INFO", "GPU: none"), "It will be slow."),
        (("CHECKMARK", "Python: 3.11"), ""),
    ]


@given(ANYTHING)
def test_no_answer_of_the_other_program_breaks_the_drawing(answer: Any) -> None:
    for lines in (words.plan_lines(answer), words.removal_lines(answer)):
        assert all(icon and isinstance(text, str) for icon, text in lines)
    words.plan_title(answer)
    words.check_lines(Ending(True, "done", "", "", answer))
    words.finding_lines(answer)


@given(
    st.fixed_dictionaries(
        {"event": st.sampled_from(["step", "done", "failed"])},
        optional=dict.fromkeys(
            ("what", "fraction", "bytes", "total", "bytes_per_second", "seconds_left", "message", "kind"),
            ANYTHING,
        ),
    )
)
def test_no_event_breaks_the_progress(event: dict[str, Any]) -> None:
    events = Events(document=False)
    events.take(json.dumps(event).encode() + b"\n")
    assert words.progress_text(events.progress)
    assert events.progress.fraction is None or 0 <= events.progress.fraction <= 1
    assert (events.ending is None) == (event["event"] == "step")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    events = Events(document=True)
    events.take(data)
    events.finish()
