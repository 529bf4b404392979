# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam verdict on materials: held-out families whole and cut, the cases that are known to be hard, and all maps."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from generator import procedural
from generator.material import FloatArray, Material
from generator.seams import evidence_of, measure
from generator.seams.evidence import NAMES
from generator.seams.verdict import score
from generator.seams.weights import WEIGHTS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import seam_cases


@cache
def _material(prompt: str, size: int = 256, seed: int = 3) -> Material:
    return procedural.generate(procedural.parse(prompt), size, size, seed)


def _in_8_bits(image: FloatArray) -> FloatArray:
    return (np.round(image * 255) / 255).astype(np.float32)


def _verdict(image: FloatArray) -> tuple[bool | None, bool | None]:
    report = measure(image)
    return report.x.tiles, report.y.tiles


def test_at_most_one_is_wrong_among_pictures_that_it_was_not_tuned_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seam_cases, "CACHE", tmp_path)
    wrong, given = {True: 0, False: 0}, {True: 0, False: 0}
    for source in seam_cases.sources({256: 0.06}):
        if source.part == "tuning":
            continue
        for case in seam_cases.cases(source):
            for said, expected in zip(_verdict(case.image), case.expected, strict=True):
                if said is not None and expected is not None:
                    given[expected] += 1
                    wrong[expected] += said is not expected
    assert given[True] >= 40 and given[False] >= 40
    assert wrong[True] == 0 and wrong[False] <= 1


@pytest.mark.parametrize("prompt", ["red brick wall", "tiny brick", "white subway tile", "tiny hexagon tile"])
def test_dense_hard_edged_patterns_are_found_cut_and_tile_uncut(prompt: str) -> None:
    picture = _in_8_bits(_material(prompt).basecolor)
    rng = np.random.default_rng(5)
    whole, cut = [], []
    for _ in range(4):
        rolled = seam_cases.shifted(picture, rng)
        whole += _verdict(rolled)
        rows, columns = (rng.uniform(0.68, 0.93, 2) * 256).astype(int)
        if not any(
            seam_cases.hides_cut(rolled, kept, axis) for axis, kept in enumerate((int(rows), int(columns)))
        ):
            cut += _verdict(rolled[:rows, :columns])
    assert False not in whole
    assert True not in cut
    assert whole.count(None) + cut.count(None) <= 2, "at this size there is a little doubt"


def test_an_axis_that_was_left_whole_tiles_beside_one_that_was_cut() -> None:
    picture = np.roll(_in_8_bits(_material("mossy stone wall").basecolor), (70, 90), axis=(0, 1))
    assert _verdict(picture[:, :190]) == (False, True)
    assert _verdict(picture[:190]) == (True, False)


@pytest.mark.parametrize("name", ["normal", "roughness", "height", "ao"])
def test_every_map_of_a_material_is_judged_alike(name: str) -> None:
    picture = getattr(_material("red brick wall", 384), name)
    picture = _in_8_bits(picture * 0.5 + 0.5 if name == "normal" else picture)
    picture = np.roll(picture, (100, 60), axis=(0, 1))
    assert _verdict(picture) == (True, True)
    assert _verdict(picture[:300, :290]) == (False, False)


def test_a_map_without_variation_has_no_verdict() -> None:
    assert _verdict(np.zeros((128, 128), np.float32)) == (None, None)
    assert _verdict(np.full((64, 96, 3), 0.5, np.float32)) == (None, None)


@pytest.mark.parametrize("shape", [(2, 40), (5, 32), (33, 32), (40, 36, 3), (32, 300)])
def test_pictures_that_are_hardly_more_than_a_line_are_no_error(shape: tuple[int, ...]) -> None:
    report = measure(np.random.default_rng(0).random(shape).astype(np.float32))
    assert report.x.tiles is not False


def test_white_noise_has_no_seam_wherever_it_is_cut() -> None:
    for seed in range(4):
        assert _verdict(seam_cases.noise(256, 0.0, seed)[:190, :210]) == (True, True)


def test_a_picture_made_of_blocks_tiles_when_its_border_is_one_of_their_lines() -> None:
    """Decoders of latents leave a beat of eight pixels, and the border is always where it is loudest."""
    for seed in range(3):
        field = seam_cases.noise(512, 1.5, seed)
        offsets = np.random.default_rng(seed).normal(0, 0.02, (64, 64)).astype(np.float32)
        blocks = field + np.kron(offsets, np.ones((8, 8), np.float32))
        assert _verdict(np.roll(blocks, (8 * 13, 8 * 40), axis=(0, 1))) == (True, True)
        assert _verdict(blocks[:400, :408]) == (False, False)


def test_the_verdict_does_not_depend_on_which_way_round_or_how_dark_the_picture_is() -> None:
    picture = _in_8_bits(_material("grey gravel").basecolor)
    cut = picture[:200, :210]
    for image, expected in ((picture, (True, True)), (cut, (False, False))):
        assert _verdict(image[::-1, ::-1]) == _verdict(image * np.float32(0.6)) == _verdict(image) == expected


def test_every_piece_of_evidence_has_a_weight_and_is_a_finite_number() -> None:
    assert set(NAMES) == set(WEIGHTS)
    for image in (seam_cases.noise(64, 1.0, 1), _material("wool", 128).basecolor):
        for numbers in evidence_of(image):
            assert numbers is not None and numbers.shape == (len(NAMES),) and np.isfinite(numbers).all()
            assert np.isfinite(score(numbers))
