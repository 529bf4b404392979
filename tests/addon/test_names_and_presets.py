# SPDX-License-Identifier: GPL-3.0-or-later
"""What textures are called, and what words are really sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dream_textures_addon import naming, presets
from dream_textures_addon.wire import protocol


@given(st.text(max_size=300))
def test_a_slug_is_safe_for_every_file_system(prompt: str) -> None:
    slug = naming.slug(prompt)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= 56
    assert not re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", slug)
    assert naming.slug(slug) == slug


@pytest.mark.parametrize(
    ("prompt", "slug"),
    [
        ("Mossy RED brick wall!", "mossy-red-brick-wall"),
        ("  (worn:1.4) plaster, <lora:x>", "worn-1-4-plaster-lora-x"),
        ("Straßenpflaster mit Größe", "strassenpflaster-mit-grosse"),
        ("crème brûlée", "creme-brulee"),
        ("レンガの壁", "texture"),
        ("", "texture"),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "con-texture"),
        ("x" * 100, "x" * 48),
        ("word " * 20, "-".join(["word"] * 9)),
    ],
)
def test_slugs_of_some_prompts(prompt: str, slug: str) -> None:
    assert naming.slug(prompt) == slug


@given(st.text(max_size=300), st.integers(0, protocol.MAX_SEED), st.sampled_from(protocol.MAPS))
def test_blender_never_cuts_the_map_off_a_name(prompt: str, seed: int, name: str) -> None:
    image = naming.image_name(prompt, seed, name)
    assert len(image.encode()) <= 59
    assert image.endswith(f"_{seed}_{name}")
    assert naming.file_name(prompt, seed, name) == f"{image}.png"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "brick_1_normal.png"
    assert naming.unique(path) == path
    path.touch()
    (tmp_path / "brick_1_normal-2.png").symlink_to("nowhere")
    assert naming.unique(path) == tmp_path / "brick_1_normal-3.png"
    assert naming.unique_stem(tmp_path, "brick_1") == "brick_1-2"


def test_every_preset_shows_the_artists_words() -> None:
    for preset in presets.PRESETS:
        sent, negative = presets.apply(preset, "red {brick}", "people")
        assert "red {brick}" in sent
        assert "{prompt}" not in sent
        assert negative.startswith("people")


def test_no_preset_means_the_words_as_they_are() -> None:
    assert presets.apply(presets.find("none"), " red brick, ", " people ") == ("red brick", "people")


def test_a_preset_alone_is_no_texture() -> None:
    for preset in presets.PRESETS:
        assert presets.apply(preset, "  ")[0] == ""


def test_the_ids_and_labels_of_presets_are_unique() -> None:
    assert len({preset.id for preset in presets.PRESETS}) == len(presets.PRESETS)
    assert len({preset.label for preset in presets.PRESETS}) == len(presets.PRESETS)
    assert all(not preset.description.endswith(".") for preset in presets.PRESETS)


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda preset: preset.id)
def test_the_built_in_model_understands_every_word_of_a_preset(preset: presets.Preset) -> None:
    words = pytest.importorskip("generator.procedural.words")
    sent, negative = presets.apply(preset, "mossy red brick wall", "", builtin=True)
    assert sent.startswith("mossy red brick wall")
    assert words.parse(sent, negative).unknown == ()
