# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up as the add-on runs it: the command line, the real lock, the wheels of this machine's pip configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generator.environment import LOCKS, remove
from generator.protocol.environment import EnvironmentState, lock_digest, look

from .stage import ROOT

PLAN = {
    "state", "action", "folder", "accelerator", "reason", "download_bytes", "disk_bytes", "free_bytes", "hosts",
    "python", "deletes", "keeps", "problem", "advice",
}  # fmt: skip


def call(*words: object, **options: Any) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-s", "-E", "-B", "-u", "-X", "utf8", "-m", "generator", "setup"]
    done = subprocess.run(
        [*command, *map(str, words), "--json"],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=1500, check=False, **options,
    )  # fmt: skip
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("installed") / "Künstlerin 空"
    status, events = call("--folder", folder, "--accelerator", "cpu")
    assert status == 0, events[-1]
    return folder, events


def test_the_plan_says_everything_and_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "not yet"
    status, (plan,) = call("--folder", folder, "--accelerator", "cpu", "--plan")
    assert (status, set(plan)) == (0, PLAN)
    assert (plan["state"], plan["action"], plan["problem"]) == ("absent", "install", "")
    assert 150e6 < plan["download_bytes"] < plan["disk_bytes"] < plan["free_bytes"]
    assert not folder.exists()


def test_the_environment_runs_the_models(installed: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, events = installed
    done = events[-1]
    assert (done["event"], done["state"], done["changed"]) == ("done", "ready", True)
    found = look(folder, lock_digest(LOCKS))
    assert found.state is EnvironmentState.READY
    assert (found.accelerator, str(found.python)) == ("cpu", done["python"])
    code = "import torch, diffusers; print(torch.ones(3).sum().item(), diffusers.StableDiffusionPipeline.__name__)"
    ran = subprocess.run(
        [str(found.python), "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert ran.stdout.split() == ["3.0", "StableDiffusionPipeline"]


def test_its_steps_tell_how_far_and_how_fast(installed: tuple[Path, list[dict[str, Any]]]) -> None:
    _folder, events = installed
    steps = [event for event in events if event["event"] == "step"]
    assert {"Fetching uv", "Downloading PyTorch", "Checking the files"} <= {step["what"] for step in steps}
    fractions = [
        step["fraction"] for step in steps if step["what"].startswith("Downloading") and step["bytes"]
    ]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert any(step["bytes_per_second"] and step["seconds_left"] is not None for step in steps)


def test_a_second_run_finds_nothing_to_do(installed: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _events = installed
    status, events = call("--folder", folder, "--accelerator", "cpu")
    assert (status, events[-1]["event"], events[-1]["changed"]) == (0, "done", False)
    status, (plan,) = call("--folder", folder, "--plan")
    assert (plan["action"], plan["download_bytes"], plan["hosts"]) == ("nothing", 0, [])
    assert str(folder / "environments") in plan["deletes"]


def test_it_passes_as_an_existing_python(installed: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _events = installed
    status, (report,) = call("--check", look(folder).python)
    assert (status, report["ok"], report["device"], report["lacks"]) == (0, True, "cpu", [])
    assert report["has"]["torch"].startswith("2.")


def test_the_end_of_stdin_cancels(tmp_path: Path) -> None:
    status, events = call(
        "--folder", tmp_path / "new", "--accelerator", "cpu", "--watch-stdin", stdin=subprocess.DEVNULL
    )
    assert (status, events[-1]["event"], events[-1]["kind"]) == (130, "failed", "cancelled")
    assert Path(events[-1]["log"]).is_file()


@pytest.mark.skipif(os.name == "nt", reason="a script is no program there")
def test_the_end_of_stdin_cancels_a_check_as_well(tmp_path: Path) -> None:
    program = tmp_path / "python3"
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)
    status, events = call("--check", program, "--watch-stdin", stdin=subprocess.DEVNULL)
    assert (status, events[-1]["kind"]) == (130, "cancelled")


def test_failures_carry_a_kind_a_sentence_and_advice(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))} | {
        "PIP_CONFIG_FILE": os.devnull,
        "HOME": str(tmp_path),
    }
    status, events = call("--folder", tmp_path / "new", "--accelerator", "cpu", "--offline", env=environ)
    failed = events[-1]
    assert (status, failed["event"], failed["kind"]) == (1, "failed", "offline")
    assert failed["message"].endswith(".") and failed["advice"].endswith(".")


def test_it_is_removed_whole(installed: tuple[Path, list[dict[str, Any]]]) -> None:
    """Last in the file: what the others use is gone then."""
    folder, _events = installed
    status, events = call("--folder", folder, "--remove")
    assert (status, events[-1]["changed"]) == (0, True)
    assert not folder.exists()
    assert not remove(folder).changed
