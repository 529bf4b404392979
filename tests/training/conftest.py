# SPDX-License-Identifier: GPL-3.0-or-later
"""A few small materials that all tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import dataset


@pytest.fixture(scope="session")
def materials(tmp_path_factory: pytest.TempPathFactory) -> dataset.Materials:
    """Materials of 64 pixels, of all families that are trained on."""
    folder = tmp_path_factory.mktemp("data") / "train-64"
    folder.mkdir()
    about = '{"format": 1, "split": "train", "size": 64, "base_seed": 0}'
    (folder / "about.json").write_text(about, encoding="utf-8")
    dataset.write_shard(folder / "shard-00000", "train", 0, 28, 64, 0)
    return dataset.Materials(folder)


@pytest.fixture(scope="session")
def data(materials: dataset.Materials) -> Path:
    """The folder of these materials."""
    return materials.folder
