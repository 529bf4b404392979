# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python an environment is built on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from generator.environment import Sources

from .stage import BASE, Stage

VERSION = ".".join(map(str, sys.version_info[:3]))
linux = pytest.mark.skipif(sys.platform != "linux", reason="the name of the folder is Linux's")


@linux
def test_a_python_that_was_downloaded_before_is_used(stage: Stage, tmp_path: Path) -> None:
    stage.lock(alpha="1.0")
    (tmp_path / "real").mkdir()
    stage.folder.symlink_to(tmp_path / "real", target_is_directory=True)
    folder = stage.folder / "python" / f"cpython-{VERSION}-linux-x86_64-gnu" / "bin"
    folder.mkdir(parents=True)
    (folder / f"python{VERSION.rpartition('.')[0]}").symlink_to(BASE)
    done = stage.set_up(python=None)
    assert "downloaded for this alone" in done.message
    assert stage.run("import alpha; print(alpha.VERSION)") == "1.0"


def test_without_network_a_python_of_this_machine_is_used_and_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(BASE.parent), prepend=None)
    stage.lock(alpha="1.0")
    done = stage.set_up(python=None)
    assert "of this machine" in done.message
    assert VERSION in done.message


def test_a_python_that_no_lock_allows_is_not_used(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(BASE.parent))
    lock = stage.lock(alpha="1.0")
    lock.path.write_text(lock.path.read_text().replace("#: python 3.", "#: python 4."))
    failure = stage.fails("No Python can be fetched, and this machine has none that fits", python=None)
    assert failure.kind == "python"
    named = stage.fails(sources=Sources(find_links=stage.wish.sources.find_links, offline=True))
    assert named.kind == "python"
    assert str(BASE) in str(named) and VERSION in str(named)
