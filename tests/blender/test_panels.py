# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels say in each situation. (tests/window looks at them in a real window.)"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from .conftest import MODULE, submodule
from .recorder import Recorder

PANELS = ("DTEX_PT_view3d", "DTEX_PT_shader_editor", "DTEX_PT_image_editor")


def drawn(name: str = PANELS[0], width: int = 260) -> Recorder:
    """The panel of this name, drawn as Blender would."""
    recorder = Recorder()
    kind = getattr(bpy.types, name)
    context = SimpleNamespace(
        scene=bpy.context.scene, region=SimpleNamespace(width=width), space_data=None, preferences=None
    )
    panel = type("Drawn", (), {**_functions(kind), "layout": recorder})()
    panel.draw(context)
    return recorder


def preferences_drawn(width: int = 900) -> Recorder:
    """The page of the preferences, with the artist's own settings."""
    recorder = Recorder()
    submodule("ui.preferences").draw_page(recorder, bpy.context.preferences.addons[MODULE].preferences, width)
    return recorder


def page() -> str:
    """The text of that page."""
    return "\n".join(preferences_drawn().texts)


def _functions(kind: type) -> dict[str, Any]:
    """The panel's own drawing, without Blender's class around it."""
    mixin = next(base for base in kind.__mro__ if base.__name__ == "SidebarPanel")
    return {"draw": mixin.draw}


@pytest.mark.parametrize("name", PANELS)
def test_every_editor_has_the_tab(scene: bpy.types.Scene, name: str) -> None:
    kind = getattr(bpy.types, name)
    assert (kind.bl_region_type, kind.bl_category) == ("UI", "Dream Textures")
    assert drawn(name).props[:2] == ["prompt", "preset"]


def test_the_prompt_comes_first_and_the_button_next(scene: bpy.types.Scene) -> None:
    scene.dtex.prompt = "red bricks"
    panel = drawn()
    assert panel.operators[0] == "dtex.generate: Generate"
    assert "dtex.generate" not in panel.disabled


def test_without_words_or_a_picture_there_is_nothing_to_press(scene: bpy.types.Scene) -> None:
    assert "dtex.generate" in drawn().disabled
    scene.dtex.source = bpy.data.images.new("photo", 8, 8)
    assert "dtex.generate" not in drawn().disabled


def test_every_setting_can_be_reached(scene: bpy.types.Scene) -> None:
    scene.dtex.size, scene.dtex.model = "custom", "folder"
    scene.dtex.source = bpy.data.images.new("photo", 8, 8)
    settings = {prop.identifier for prop in scene.dtex.bl_rna.properties} - {"rna_type", "name"}
    assert settings <= set(drawn().props)


def test_what_only_diffusion_uses_shows_only_there(scene: bpy.types.Scene) -> None:
    assert not {"steps", "guidance", "scheduler", "model_folder"} & set(drawn().props)


def test_the_words_that_are_really_sent_are_shown(scene: bpy.types.Scene) -> None:
    scene.dtex.prompt, scene.dtex.preset, scene.dtex.model = "red bricks", "photo", "folder"
    text = " ".join(drawn(width=300).texts)
    prompt, negative = submodule("compose").sent_prompts(submodule("compose").Wishes(scene.dtex))
    assert f"Sends: {prompt}" in text
    assert negative in text


def test_a_running_texture_can_be_watched_and_cancelled(
    scene: bpy.types.Scene, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt="red bricks", width=2048, height=2048, count=4)
    second = start(prompt="blue tiles")
    drain(lambda: job.state.value == "running")
    panel = drawn()
    assert any("tep" in text for text in panel.texts)
    assert "dtex.cancel" in panel.operators
    assert "dtex.cancel: Cancel All 2" in panel.operators
    assert "dtex.generate: Generate Next" in panel.operators
    bpy.ops.dtex.cancel(everything=True)
    drain(lambda: job.over and second.over)
    assert "Cancelled" in drawn().texts


def test_a_finished_texture_says_whether_it_tiles_and_what_was_not_understood(scene: bpy.types.Scene) -> None:
    bpy.ops.dtex.generate(prompt="red bricks with flumpety", width=256)
    panel = drawn()
    assert "Tiles in X and Y" in panel.texts
    assert "flumpety" in " ".join(panel.texts)
    assert any(name.startswith("dtex.apply_material") for name in panel.operators)
    assert "dtex.save_maps" in panel.operators


def test_the_figures_of_every_map_and_axis_can_be_opened(scene: bpy.types.Scene, runtime: Any) -> None:
    bpy.ops.dtex.generate(prompt="red bricks", width=128, count=2)
    panel = drawn()
    assert "Seams in Figures" in panel.texts
    for label in ("Base Color", "Normal", "Roughness", "Height", "Occlusion", "Metallic"):
        for axis in "XY":
            assert panel.texts.count(f"{label} {axis}") == 2, "once for each image"
    ratio = runtime.board.latest.results[0].seams["x"]["ratio"]
    assert f"{ratio:.2f}" in panel.texts


def test_a_failure_shows_its_sentence_its_advice_and_the_report(
    scene: bpy.types.Scene, runtime: Any, generator_python: Callable[[str], None]
) -> None:
    generator_python("/nowhere/python3")
    with pytest.raises(RuntimeError):
        bpy.ops.dtex.generate(prompt="red bricks")
    panel = drawn(width=1000)
    assert any("There is no Python at /nowhere/python3" in text for text in panel.texts)
    assert any("Correct the path" in text for text in panel.texts)
    assert "dtex.copy_report" in panel.operators
    generator_python("")
    bpy.ops.dtex.generate(prompt="red bricks", width=32)
    assert "dtex.copy_report" not in drawn().operators


def test_long_sentences_are_cut_into_lines_that_fit(scene: bpy.types.Scene) -> None:
    scene.dtex.prompt = "red bricks " * 20
    scene.dtex.preset = "worn"
    narrow, wide = drawn(width=200).texts, drawn(width=800).texts
    assert max(map(len, narrow)) < 40 < max(map(len, wide))


def test_the_preferences_say_what_works_here(scene: bpy.types.Scene, runtime: Any) -> None:
    bpy.ops.dtex.generate(prompt="red bricks", width=32)
    recorder = preferences_drawn()
    text = " ".join(recorder.texts)
    assert runtime.session.hello.version in text
    assert "Maps from any image" in text
    assert {"dtex.start_generator", "dtex.stop_generator", "dtex.copy_report"} <= set(recorder.operators)
