# SPDX-License-Identifier: GPL-3.0-or-later
"""What the starter learns from: nothing that is held out, the same at every run, and tori however they are moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from generator import procedural, seams  # noqa: E402
from generator.procedural.colours import COLOURS  # noqa: E402
from training.captions import family_names  # noqa: E402
from training.starter import data  # noqa: E402
from training.starter.captions import compose, held_out_prompts, stranger, varied  # noqa: E402
from training.starter.combinations import GROUPS, group_of, held_groups, held_pairs, is_held_out  # noqa: E402
from training.starter.rolls import Tori, to_bytes, to_pixels  # noqa: E402

FAMILIES = family_names()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data.build("train", 12, 32, tmp_path_factory.mktemp("starter"), workers=1)


@pytest.fixture(scope="module")
def pictures(folder: Path) -> data.Pictures:
    return data.Pictures(folder)


def test_every_colour_is_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COLOURS)
    assert group_of("navy") == "blue"


@pytest.mark.parametrize("family", FAMILIES)
def test_no_caption_names_what_is_held_out(family: str) -> None:
    """Neither as it was written nor as it is said otherwise, read as the procedural model reads it."""
    rng = np.random.default_rng(5)
    for _ in range(40):
        text = compose(family, rng)
        for said in (text, *(varied(text, rng) for _ in range(4))):
            read = procedural.parse(said)
            named = {group_of(colour) for colour in read.colours}
            assert not named & held_groups(read.family), said
            assert read.inlay is None or not named & held_groups(read.inlay), said


def test_scenes_of_training_hold_to_it_and_those_of_the_judges_need_not() -> None:
    assert not any(is_held_out(data.scene("train", index).caption) for index in range(400))
    assert any(is_held_out(data.scene("judges", index).caption) for index in range(400))


def test_turquoise_wood_is_held_out_by_every_word_for_it() -> None:
    for text in (
        "turquoise herringbone wood",
        "Weathered TEAL planks",
        "aqua wooden tiles",
        "oak timber, cyan",
    ):
        assert is_held_out(text), text
    for text in ("turquoise tiles", "brown planks", "weathered wood", "red brick"):
        assert not is_held_out(text), text


def test_prompts_for_the_judges_ask_for_all_that_is_held_out() -> None:
    prompts = held_out_prompts(300)
    assert prompts == held_out_prompts(300)
    assert {(family, group) for _, family, group in prompts} == set(held_pairs())
    for text, family, group in prompts:
        read = procedural.parse(text)
        assert (
            is_held_out(text) and read.family == family and {group_of(c) for c in read.colours} == {group}
        ), text
        assert not read.unknown, text


@pytest.mark.parametrize("family", FAMILIES[::7])
def test_what_is_said_otherwise_means_the_same_material(family: str) -> None:
    rng = np.random.default_rng(8)
    texts = [compose(family, rng) for _ in range(60)]
    said = [varied(text, rng) for text in texts]
    assert 15 < sum(one != other for one, other in zip(texts, said, strict=True)) < 45
    for one, other in zip(texts, said, strict=True):
        meant, read = procedural.parse(one), procedural.parse(other)
        assert (meant.family, meant.inlay, set(meant.colours)) == (read.family, read.inlay, set(read.colours))


def test_strangers_are_words_that_nobody_knows() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        word = stranger(rng)
        assert procedural.parse(f"red {word} brick").unknown == (word,)


def test_data_in_pieces_are_the_data_in_one_piece(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "SHARD", 5)
    data.build("train", 5, 32, tmp_path, workers=1)
    first = (tmp_path / "train-32" / "shard-00000" / "pictures.npy").stat().st_mtime_ns
    pieces = data.Pictures(data.build("train", 12, 32, tmp_path, workers=1))
    assert (tmp_path / "train-32" / "shard-00000" / "pictures.npy").stat().st_mtime_ns == first
    whole = data.Pictures(folder)
    assert pieces.scenes == whole.scenes and len(pieces.shards) == 3
    assert np.array_equal(pieces.all(), whole.all())


def test_other_data_are_left_alone(folder: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["--count", "2", "--size", "32", "--out", str(folder.parent), "--seed", "1", "--workers", "1"]
    assert data.main(arguments) == 1
    assert "holds other data" in capsys.readouterr().err


def test_a_brick_has_the_same_size_in_every_picture() -> None:
    """A torus of half the side has a quarter of the bricks, not smaller ones: courses are counted by their joints."""

    def courses(size: int) -> float:
        grey = data.picture("white stacked brick", size, 4).astype(float).mean((1, 2))
        spectrum = np.abs(np.fft.rfft(grey - grey.mean()))
        return float(np.argmax(spectrum)) / size

    assert courses(128) == pytest.approx(courses(256), rel=0.2)


def test_pictures_tile(pictures: data.Pictures) -> None:
    picture = data.picture("mossy cobblestone", 128, 3).astype(np.float32) / 255
    report = seams.measure(picture)
    assert report.x.tiles is not False and report.y.tiles is not False
    assert pictures.size == 32 and len(pictures) == 12


def test_moved_tori_are_rolls_mirrors_and_turns_of_themselves(pictures: data.Pictures) -> None:
    tori = Tori(torch.from_numpy(pictures.all()), pictures.scenes)
    chosen = torch.arange(12)
    random = torch.Generator().manual_seed(3)
    made = to_bytes(to_pixels(tori.drawn(chosen, random)))
    for row in range(12):
        original = tori.fields[row]
        ways = [
            turned
            for base in (original, original.transpose(0, 1))
            for turned in (base, base.flip(0), base.flip(1), base.flip(0, 1))
        ]
        rolls = (way.roll((down, right), (0, 1)) for way in ways for down in range(32) for right in range(32))
        assert any(torch.equal(made[row], roll) for roll in rolls), pictures.scenes[row]


def test_latents_are_rolled_and_no_more(pictures: data.Pictures) -> None:
    fields = torch.arange(2 * 4 * 4).view(2, 4, 4, 1).float()
    tori = Tori(fields, pictures.scenes[:2])
    made = tori.drawn(torch.tensor([0, 1]), torch.Generator().manual_seed(1), mirrored=False)[:, 0]
    for row in range(2):
        rolls = [fields[row, ..., 0].roll((down, right), (0, 1)) for down in range(4) for right in range(4)]
        assert any(torch.equal(made[row], roll) for roll in rolls)
