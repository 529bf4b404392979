# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving a file to its place where somebody is reading there, as happens on Windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.environment import places


class Held(type(Path())):
    """A path whose move is refused as long as ``refusals`` lasts."""

    refusals = 0

    def replace(self, target):
        if Held.refusals:
            Held.refusals -= 1
            raise PermissionError(13, "The process cannot access the file", str(self))
        return super().replace(target)


def test_who_reads_gets_time_to_let_go(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    Held.refusals = 2
    places.put(Held(tmp_path / "new"), tmp_path / "place")
    assert (tmp_path / "place").read_text() == "new"


def test_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PATIENCE", 0.2)
    (tmp_path / "new").write_text("new")
    Held.refusals = 1000
    with pytest.raises(PermissionError):
        places.put(Held(tmp_path / "new"), tmp_path / "place")
