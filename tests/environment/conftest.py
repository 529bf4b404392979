# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the environment share."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.environment import Cancel, Sources, index, uv

from .stage import Stage


@pytest.fixture(scope="session")
def uv_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels that holds uv's, fetched once through this machine's own pip configuration."""
    folder = tmp_path_factory.mktemp("uv")
    name, sha256 = uv.wheel()
    sources = Sources.from_surroundings()
    for link in index.find(sources, "uv", [name], print):
        index.fetch(sources, link, sha256, folder / name, Cancel(), lambda done, total: None)
        return folder
    pytest.fail(f"{name} is nowhere to be found")


@pytest.fixture
def stage(tmp_path: Path, uv_folder: Path) -> Stage:
    for name in ("wheels", "locks"):
        (tmp_path / name).mkdir()
    return Stage(tmp_path / "environment", tmp_path / "wheels", tmp_path / "locks", uv_folder)
