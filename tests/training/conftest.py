# SPDX-License-Identifier: GPL-3.0-or-later
"""A few small materials that all tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import dataset


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of materials of 64 pixels, of all families that are trained on."""
    folder = tmp_path_factory.mktemp("data") / "train-64"
    folder.mkdir()
    about = '{"format": 1, "split": "train", "size": 64, "base_seed": 0}'
    (folder / "about.json").write_text(about, encoding="utf-8")
    dataset.write_shard(folder / "shard-00000", "train", 0, 28, 64, 0)
    return folder


@pytest.fixture(scope="session")
def materials(data: Path) -> dataset.Materials:
    """These materials."""
    return dataset.Materials(data)
