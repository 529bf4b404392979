# SPDX-License-Identifier: GPL-3.0-or-later
"""Any program may be named as an existing Python; each gets an answer in time."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest

from generator.environment import examine_python, foreign
from generator.environment.places import python_of
from generator.environment.pythons import is_blenders

from .stage import BASE

posix = pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")


def script(folder: Path, text: str) -> Path:
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_empty_python_lacks_everything_and_says_how_to_get_it(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    report = examine_python(python_of(tmp_path / "venv"))
    assert not report.ok
    assert report.version == ".".join(map(str, sys.version_info[:3]))
    assert len(report.lacks) == len(foreign.NEEDS)
    assert "torch>=2.6" in report.lacks and "pip install" in report.advice


def test_old_versions_of_packages_are_lacking(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    site = next((tmp_path / "venv").glob("[lL]ib/**/site-packages"))
    for name, version in (("torch", "1.13.1+cu117"), ("NumPy", "2.4.6"), ("Pillow", "10.3.0rc1")):
        (site / f"{name}-{version}.dist-info").mkdir()
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    report = examine_python(python_of(tmp_path / "venv"))
    assert report.has["torch"] == "1.13.1+cu117"
    assert "torch>=2.6" in report.lacks
    assert not any(lack.startswith(("numpy", "pillow")) for lack in report.lacks)


@posix
def test_what_is_no_python_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path, Path("/bin/true"), script(tmp_path, "echo 3.12.1")):
        report = examine_python(path)
        assert not report.ok and report.message.endswith(".") and report.advice


@posix
def test_what_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "QUICK", 1.0)
    report = examine_python(script(tmp_path, "sleep 60"))
    assert not report.ok and "too long" in report.message


@posix
def test_an_old_python_is_said_to_be_old(tmp_path: Path) -> None:
    answer = (
        '{"version": "3.9.7", "implementation": "CPython", "bits": 64, "virtual": false, "base_prefix": "/usr", '
        '"has": {"torch": "2.8.0"}, "device": "", "problems": [], "free_threaded": false}'
    )
    report = examine_python(script(tmp_path, f"echo '{answer}'"))
    assert (report.ok, report.version, report.lacks) == (False, "3.9.7", ["python>=3.11"])


def test_blenders_python_is_recognised_by_its_neighbours(tmp_path: Path) -> None:
    for name in ("python/bin", "scripts", "datafiles"):
        (tmp_path / "4.5" / name).mkdir(parents=True)
    assert is_blenders(tmp_path / "4.5" / "python")
    assert not is_blenders(BASE.parent.parent)
