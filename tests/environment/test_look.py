# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on learns from the marker alone, also where somebody else has written it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.protocol.environment import EnvironmentState, lock_digest, look

READY = {
    "format": 1, "state": "ready", "python": "environments/1/bin/python", "environment": "environments/1",
    "accelerator": "cuda", "version": "2.13.0", "locks": "abc",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    python = tmp_path / "environments" / "1" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    return tmp_path


def write(folder: Path, **changes: object) -> None:
    (folder / "environment.json").write_text(json.dumps({**READY, **changes}))


def test_a_folder_without_a_marker_is_absent(tmp_path: Path) -> None:
    assert look(tmp_path).state is EnvironmentState.ABSENT
    assert look(tmp_path / "nowhere").state is EnvironmentState.ABSENT


def test_ready_means_that_the_marker_says_so_and_the_python_is_there(folder: Path) -> None:
    write(folder)
    found = look(folder, "abc")
    assert found.state is EnvironmentState.READY
    assert found.python == folder / "environments" / "1" / "bin" / "python"
    assert (found.accelerator, found.version, found.problem) == ("cuda", "2.13.0", "")


def test_outdated_can_still_be_used(folder: Path) -> None:
    write(folder)
    found = look(folder, "another digest")
    assert found.state is EnvironmentState.OUTDATED
    assert found.python is not None and found.problem


def test_incomplete_and_broken_offer_no_python(folder: Path) -> None:
    for state in ("incomplete", "broken"):
        write(folder, state=state)
        found = look(folder)
        assert (found.state.value, found.python) == (state, None)
        assert found.problem.endswith(".")


def test_a_python_that_is_gone_is_broken(folder: Path) -> None:
    write(folder)
    (folder / "environments" / "1" / "bin" / "python").unlink()
    assert look(folder, "abc").state is EnvironmentState.BROKEN


@pytest.mark.parametrize(
    "python",
    ["/bin/sh", "../../bin/sh", "environments/../../sh", "C:/Windows/x.exe", "a\\..\\..\\b", "", "."],
)
def test_no_path_of_the_marker_leads_out_of_the_folder(folder: Path, python: str) -> None:
    write(folder, python=python)
    found = look(folder, "abc")
    assert found.state is EnvironmentState.BROKEN
    assert found.python is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 2}',
        json.dumps({**READY, "python": 5}),
        "\x00" * 50,
        "[" * 40_000,
        " " * 99_999,
    ],
)
def test_whatever_lies_there_ends_in_a_sentence(folder: Path, text: str) -> None:
    (folder / "environment.json").write_text(text)
    found = look(folder)
    assert found.state is EnvironmentState.BROKEN
    assert found.problem


def test_the_digest_changes_with_every_byte_and_name(tmp_path: Path) -> None:
    lock = tmp_path / "linux-x86_64-cpu.txt"
    lock.write_text("alpha==1.0\n")
    first = lock_digest(tmp_path)
    lock.write_text("alpha==1.1\n")
    second = lock_digest(tmp_path)
    lock.rename(tmp_path / "linux-x86_64-cuda.txt")
    assert len({first, second, lock_digest(tmp_path)}) == 3
