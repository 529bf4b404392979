# SPDX-License-Identifier: GPL-3.0-or-later
"""No space, no network, changed files, no right to write: each ends in a sentence, and with nothing half done."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from generator.environment import Sources, plan, uv
from generator.protocol.environment import EnvironmentState

from .stage import Stage
from .wheels import Lock, make_wheel

CLOSED = "http://127.0.0.1:9/simple"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 96 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be made by root on Linux")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_too_little_space_is_said_before_anything_is_fetched(stage: Stage) -> None:
    lock = stage.lock(alpha="1.0")
    lock.disk = 5_000_000_000
    lock.write()
    failure = stage.fails("There is too little space", free=lambda folder: 2_000_000_000)
    assert failure.kind == "no_space"
    assert "5.3 GB" in str(failure) and "2.0 GB are free" in str(failure)
    assert not (stage.folder / "uv").exists()
    said = plan(replace(stage.wish, free=lambda folder: 2_000_000_000))
    assert "not enough space" in said.problem
    assert said.advice


def test_a_disk_that_becomes_full_is_said_and_the_rest_is_resumed_with_more_space(
    stage: Stage, small_disk: Path
) -> None:
    noise = random.Random(1).randbytes(90_000_000)
    lock = Lock(stage.locks)
    lock.add("alpha", "1.0", make_wheel(stage.wheels, "alpha", "1.0", {"alpha/large.bin": noise}))
    lock.write()
    stage.folder = small_disk / "environment"
    failure = stage.fails("The disk becomes full in the middle", free=lambda folder: 10**12)
    assert failure.kind == "no_space"
    assert stage.look().state is EnvironmentState.INCOMPLETE
    subprocess.run(["mount", "-o", "remount,size=400m", str(small_disk)], check=True)
    stage.set_up(free=lambda folder: 10**12)
    assert stage.look().state is EnvironmentState.READY


def test_a_disk_that_is_full_from_the_start_is_said(stage: Stage, small_disk: Path) -> None:
    stage.lock(alpha="1.0")
    free = shutil.disk_usage(small_disk).free
    (small_disk / "fill").write_bytes(bytes(free - 4096))
    stage.folder = small_disk / "environment"
    assert stage.fails("The disk is full", free=lambda folder: 10**12).kind == "no_space"


def test_without_network_uv_itself_cannot_be_fetched(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    failure = stage.fails("The index does not answer", sources=Sources(index_url=CLOSED))
    assert failure.kind == "network"
    assert "127.0.0.1" in str(failure)
    assert "folder of wheels" in failure.advice
    assert stage.look().state is EnvironmentState.INCOMPLETE
    failure = stage.fails("The network may not be used", sources=Sources(offline=True))
    assert failure.kind == "offline"


def test_without_network_packages_cannot_be_fetched(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    stage.lock(alpha="1.0")
    for path in stage.wheels.iterdir():
        path.unlink()
    links = (str(stage.uv_folder),)
    closed = Sources(index_url=CLOSED, find_links=links)
    assert stage.fails("The connection is lost before the packages", sources=closed).kind == "network"
    failure = stage.fails(
        "The folder of wheels lacks a package", sources=Sources(find_links=links, offline=True)
    )
    assert failure.kind == "offline"
    assert "alpha" in str(failure)
    assert failure.log is not None and "alpha" in failure.log.read_text(encoding="utf-8")


def test_a_changed_uv_is_refused_and_never_run(stage: Stage, tmp_path: Path) -> None:
    stage.lock(alpha="1.0")
    name, _sha256 = uv.wheel()
    folder = tmp_path / "changed"
    folder.mkdir()
    data = bytearray((stage.uv_folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    sources = Sources(find_links=(str(folder), str(stage.wheels)), offline=True)
    failure = stage.fails("Somebody changed uv", sources=sources)
    assert failure.kind == "hash"
    assert name in str(failure)
    assert list((stage.folder / "uv").rglob("*")) == []


def test_a_uv_that_was_changed_on_disk_is_fetched_again(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    stage.set_up()
    program = next((stage.folder / "uv").rglob("uv*.exe" if os.name == "nt" else "uv"))
    program.write_text("#!/bin/sh\necho changed > /dev/stderr; exit 1\n")
    stage.lock(alpha="1.1")
    stage.set_up()
    assert program.stat().st_size > 1_000_000


def test_a_changed_package_is_refused(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    make_wheel(stage.wheels, "alpha", "1.0", {"alpha/__init__.py": b"print('not what was locked')"})
    failure = stage.fails("Somebody changed a package")
    assert failure.kind == "hash"
    assert "alpha" in str(failure)
    assert stage.look().state is EnvironmentState.INCOMPLETE


def test_what_comes_damaged_out_of_the_cache_is_fetched_again_before_it_is_used(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    stage.set_up()
    cached = [path for path in (stage.folder / "cache").rglob("data.bin") if path.parent.name == "alpha"]
    assert cached
    (stage.folder / "environment.json").unlink()
    shutil.rmtree(stage.folder / "environments")
    for path in cached:
        path.write_bytes(b"dada" * 100)
    stage.set_up()
    assert "b'data" in stage.run(
        "import alpha, pathlib; print(pathlib.Path(alpha.__file__).with_name('data.bin').read_bytes())"
    )


def test_a_python_that_does_not_suit_is_said(stage: Stage, tmp_path: Path) -> None:
    stage.lock(alpha="1.0")
    failure = stage.fails(python=Path(sys.executable) if sys.prefix != sys.base_prefix else tmp_path / "none")
    assert failure.kind in ("python", "permission", "internal")
    not_python = tmp_path / "python3"
    not_python.write_text("#!/bin/sh\necho hello\n")
    not_python.chmod(0o755)
    failure = stage.fails("The Python that was named is none", python=not_python)
    assert failure.kind == "python"
    assert str(not_python) in str(failure)


def test_a_file_in_the_place_of_the_folder_is_said_and_kept(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    stage.folder.write_text("mine")
    assert stage.fails("A file is in the place of the folder").kind == "permission"
    assert stage.folder.read_text() == "mine"


def test_an_accelerator_without_a_lock_is_said(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    failure = stage.fails("There is no locked PyTorch for the card", accelerator="xpu")
    assert failure.kind == "python"
    assert "xpu" in str(failure) and "cpu" in str(failure)


def test_secrets_stay_out_of_the_log(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    stage.lock(alpha="1.0")
    for path in stage.wheels.iterdir():
        path.unlink()
    index = "http://artist:hunter2@127.0.0.1:9/simple"
    failure = stage.fails(sources=Sources(index_url=index, find_links=(str(stage.uv_folder),)))
    assert failure.log is not None
    text = failure.log.read_text(encoding="utf-8") + str(failure) + failure.advice
    assert "127.0.0.1" in text
    assert "hunter2" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
def test_a_marker_that_cannot_be_read_deletes_nothing(stage: Stage) -> None:
    stage.lock(alpha="1.0")
    stage.set_up()
    marker = stage.folder / "environment.json"
    marker.rename(stage.folder / "kept.json")
    marker.mkdir()
    assert stage.fails("The marker cannot be read").kind in ("internal", "permission")
    marker.rmdir()
    (stage.folder / "kept.json").rename(marker)
    assert not stage.set_up().changed
