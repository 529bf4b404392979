# SPDX-License-Identifier: GPL-3.0-or-later
"""Every material has a contact sheet of prompts that mean it, and a page that names all its words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generator.procedural import families, parse
from generator.procedural.registry import layers
from training import sheets
from training.page import page
from training.sheet_prompts import prompts_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("info", families(), ids=lambda info: info.name)
def test_all_prompts_on_a_sheet_mean_its_material(info) -> None:
    prompts = prompts_of(info)
    assert len({prompt for prompt, _ in prompts}) == 4
    for prompt, _ in prompts:
        description = parse(prompt)
        assert description.family == info.name, prompt
        assert description.unknown == (), prompt
    assert prompts == prompts_of(info)


def test_a_sheet_is_a_small_picture_of_four_different_materials(tmp_path: Path) -> None:
    sheets.main(
        [
            "--out",
            str(tmp_path / "sheets"),
            "--page",
            str(tmp_path / "page.md"),
            "--only",
            "brick",
            "--size",
            "64",
        ]
    )
    path = tmp_path / "sheets" / "brick.jpg"
    assert path.stat().st_size <= sheets.LARGEST_FILE
    picture = np.asarray(Image.open(path).convert("RGB")).astype(np.float32)
    lit = [
        picture[top : top + sheets.LIT, left : left + sheets.LIT].mean(axis=(0, 1))
        for top in (38, 38 + sheets.LIT + sheets.CAPTION + sheets.MARGIN)
        for left in (12, 24 + sheets.LIT + 2 * (sheets.GAP + sheets.THUMBNAIL))
    ]
    assert all(np.abs(one - two).max() > 2 for k, one in enumerate(lit) for two in lit[:k])
    assert "sheets/brick.jpg" in (tmp_path / "page.md").read_text()


def test_a_picture_that_cannot_be_small_is_refused() -> None:
    grain = np.random.default_rng(1).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    with pytest.raises(ValueError, match="does not fit"):
        sheets.encoded(Image.fromarray(grain), 4000)


def test_an_unknown_family_is_refused_with_the_list_of_those_that_exist(capsys, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        sheets.main(["--out", str(tmp_path), "--only", "flurb"])
    assert "brick" in capsys.readouterr().err


def test_the_page_names_every_word_and_shows_every_sheet() -> None:
    text = page(ROOT / "docs" / "materials.md", ROOT / "docs" / "images" / "materials")
    flat = " ".join(text.split())
    for info in families():
        assert f"(images/materials/{info.name}.jpg)" in text
        assert ", ".join(info.words) in flat
    for layer in layers():
        assert ", ".join(layer.words) in flat
    assert max(len(line) for line in text.splitlines() if not line.startswith(("|", "!"))) <= 120


def test_the_page_that_is_kept_is_up_to_date_and_its_pictures_are_there() -> None:
    kept = ROOT / "docs" / "materials.md"
    folder = ROOT / "docs" / "images" / "materials"
    assert kept.read_text(encoding="utf-8") == page(kept, folder)
    shown = set(re.findall(r"\(images/materials/(\w+)\.jpg\)", kept.read_text(encoding="utf-8")))
    assert shown == {path.stem for path in folder.glob("*.jpg")}
    assert all(path.stat().st_size <= 120_000 for path in folder.glob("*.jpg"))
