# SPDX-License-Identifier: GPL-3.0-or-later
"""The data: the same materials from the same numbers, nothing of the held-out families, and resumed where it ended."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from generator import procedural
from generator.material import MAPS
from generator.pixels import encode_map
from training import dataset
from training.dataset import HELD_OUT, Materials, build, choose, families, make


def test_no_word_of_a_caption_for_training_leads_to_a_held_out_family() -> None:
    for index in range(300):
        _, caption, _ = choose("train", index)
        read = procedural.parse(caption)
        assert read.family not in HELD_OUT and read.inlay not in HELD_OUT


def test_the_splits_share_no_family_and_miss_none() -> None:
    train, held_out = set(families("train")), set(families("held-out"))
    assert held_out == set(HELD_OUT)
    assert not train & held_out
    assert train | held_out == {info.name for info in procedural.families()}
    with pytest.raises(ValueError, match="choose from train"):
        families("test")


def test_families_take_turns() -> None:
    count = len(families("train"))
    assert {choose("train", index)[0] for index in range(count)} == set(families("train"))


def test_a_material_depends_on_its_number_and_the_base_seed_alone() -> None:
    assert choose("train", 17) == choose("train", 17)
    assert choose("train", 17) != choose("train", 17, base_seed=1)
    assert choose("train", 17) != choose("train", 17 + len(families("train")))


def test_what_is_stored_is_the_material(materials: Materials) -> None:
    assert len(materials) == 28 and materials.size == 64
    material, entry = make("train", 13, 64)
    sample = materials[13]
    assert sample.entry == entry
    for name in MAPS:
        np.testing.assert_array_equal(sample.maps[name], encode_map(material, name))


def test_several_folders_are_one_set_of_materials(data: Path, tmp_path: Path) -> None:
    invented = build("invented", 3, 64, tmp_path, workers=1)
    both = Materials(data, invented)
    assert len(both) == 31 and both.size == 64
    assert [entry.family for entry in both.entries[-4:]] == [families("train")[27], *["invented"] * 3]
    np.testing.assert_array_equal(both[29].maps["height"], encode_map(make("invented", 1, 64)[0], "height"))
    small = build("invented", 1, 16, tmp_path, workers=1)
    with pytest.raises(ValueError, match="several sizes"):
        Materials(data, small)


def test_making_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "SHARD", 2)
    folder = build("held-out", 3, 16, tmp_path, workers=1)
    first = folder / "shard-00000"
    stamp = (first / "height.npy").stat().st_mtime_ns
    (folder / "shard-00001.part").mkdir()  # what a killed run leaves behind
    build("held-out", 5, 16, tmp_path, workers=1)
    assert (first / "height.npy").stat().st_mtime_ns == stamp
    made = Materials(folder)
    assert [entry.index for entry in made.entries] == [0, 1, 2, 3, 4]
    assert [entry.family for entry in made.entries] == list(families("held-out")[:5])


def test_other_data_is_not_mixed_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "train-16"
    folder.mkdir()
    (folder / "about.json").write_text(
        json.dumps({"format": 1, "split": "train", "size": 16, "base_seed": 9})
    )
    arguments = ["--split", "train", "--count", "1", "--size", "16", "--out", str(tmp_path)]
    assert dataset.main(arguments) == 1
    assert "choose another folder" in capsys.readouterr().err


def test_a_folder_without_data_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m training\.dataset makes them"):
        Materials(tmp_path)
