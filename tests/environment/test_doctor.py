# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's eye for each system's troubles, and its answers in a Python that has nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from generator.doctor import examine, surroundings
from generator.doctor.finding import Finding
from generator.doctor.reach import index_answers
from generator.environment import Sources
from generator.environment.probe import Card

from .stage import ROOT


def one(findings) -> Finding:
    (found,) = findings
    return found


def test_a_long_path_is_a_trouble_on_windows_alone() -> None:
    long = PureWindowsPath("C:/Users/someone") / ("x" * 120)
    assert not one(surroundings.folder_path(long, "win32", False)).ok
    assert "LongPathsEnabled" in one(surroundings.folder_path(long, "win32", False)).advice
    assert one(surroundings.folder_path(long, "win32", True)).ok
    assert one(surroundings.folder_path(PurePosixPath("/home") / ("x" * 200), "linux", False)).ok


def test_letters_that_libraries_cannot_open_are_named() -> None:
    _length, letters = surroundings.folder_path(PureWindowsPath("C:/Users/Jürgen/空"), "win32", False)
    assert not letters.ok
    assert "ü" in letters.found and "空" in letters.found and letters.advice
    _length, letters = surroundings.folder_path(PurePosixPath("/home/Jürgen"), "linux", False)
    assert letters.ok and not letters.advice


@pytest.mark.parametrize(
    ("executable", "environ", "system", "said"),
    [
        (PureWindowsPath("C:/Program Files/WindowsApps/Blender/python.exe"), {}, "win32", "Microsoft Store"),
        (
            PurePosixPath("/snap/blender/6/4.5/python/bin/python3.11"),
            {"SNAP": "/snap/blender/6"},
            "linux",
            "snap",
        ),
        (
            PurePosixPath("/app/blender/4.5/python/bin/python3.11"),
            {"FLATPAK_ID": "org.blender"},
            "linux",
            "Flatpak",
        ),
    ],
)
def test_packages_that_hide_folders_are_told_apart(executable, environ, system, said) -> None:
    found = one(surroundings.packaging(executable, environ, system))
    assert said in found.found and found.advice


def test_an_ordinary_program_needs_no_advice() -> None:
    found = one(
        surroundings.packaging(PurePosixPath("/opt/blender/python"), {"SNAP": "/snap/code/1"}, "linux")
    )
    assert (found.found, found.advice) == ("an ordinary program", "")


def test_proxies_are_shown_without_their_passwords() -> None:
    found = one(surroundings.proxies({"https_proxy": "http://me:pw@proxy:8080", "NO_PROXY": "localhost"}, ""))
    assert found.ok and "***@proxy:8080" in found.found and "pw" not in found.found
    odd = one(surroundings.proxies({"HTTPS_PROXY": "proxy:8080"}, ""))
    assert not odd.ok and "http://" in odd.advice


def test_offline_switches_are_found() -> None:
    assert one(surroundings.offline_switches({}, False)).found == "may be used"
    found = one(surroundings.offline_switches({"HF_HUB_OFFLINE": "1", "UV_OFFLINE": "0"}, False))
    assert "HF_HUB_OFFLINE=1" in found.found and "UV_OFFLINE" not in found.found
    assert "preferences" in one(surroundings.offline_switches({}, True)).advice


def test_an_old_driver_is_told_to_be_updated() -> None:
    card = Card("nvidia", "NVIDIA GeForce RTX 3060", (8, 6), cuda=11040, driver="470.1")
    found = one(surroundings.graphics([card], "linux"))
    assert "RTX 3060" in found.found and "Update the NVIDIA driver" in found.advice


def test_a_disk_is_judged_by_its_space_and_its_rights(tmp_path: Path) -> None:
    assert one(surroundings.disks({"Folder": tmp_path / "not" / "yet"})).ok
    locked = next(iter(surroundings.disks({"Folder": Path("/proc/1")})), None)
    if sys.platform == "linux":
        assert locked is not None and not locked.ok and locked.advice


def test_an_index_that_does_not_answer_is_said() -> None:
    found = one(index_answers(Sources(index_url="http://127.0.0.1:9/simple")))
    assert not found.ok and "127.0.0.1" in found.found and found.advice
    assert one(index_answers(Sources(offline=True))).ok


def test_the_state_of_the_environment_comes_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text('{"format": 1, "state": "incomplete"}')
    found = {finding.what: finding for finding in examine(tmp_path, offline=True)}
    assert not found["Private environment"].ok
    assert "Set up the generator again" in found["Private environment"].advice
    assert "Blender may not use the network" in found["Network"].found


def test_it_answers_in_a_python_that_has_nothing(tmp_path: Path) -> None:
    """-S leaves out every installed package, NumPy among them."""
    command = [
        sys.executable,
        "-S",
        "-E",
        "-s",
        "-m",
        "generator",
        "doctor",
        "--json",
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    findings = json.loads(done.stdout)
    assert {"what", "ok", "found", "advice"} == set(findings[0])
    assert "Private environment" in {finding["what"] for finding in findings}
    assert done.returncode == 0, findings
