# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels say in each situation. (tests/window looks at them in a real window.)"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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
    scene.dtex.automatic = False
    scene.dtex.loras.add()
    settings = {prop.identifier for prop in scene.dtex.bl_rna.properties} - {"rna_type", "name"}
    rows = {prop.identifier for prop in scene.dtex.loras[0].bl_rna.properties} - {"rna_type", "name"}
    assert (settings - {"loras"}) | rows <= set(drawn().props)


def test_files_keep_the_model_that_they_were_saved_with(scene: bpy.types.Scene) -> None:
    values = {item.identifier: item.value for item in scene.dtex.bl_rna.properties["model"].enum_items}
    assert values == {"builtin": 0, "folder": 1, "starter": 2}


def test_what_only_diffusion_uses_shows_only_there(scene: bpy.types.Scene) -> None:
    scene.dtex.automatic = False
    only = {"automatic", "steps", "guidance", "guidance_end", "scheduler", "model_folder"}
    assert not only & set(drawn().props)
    assert "dtex.add_lora" not in drawn().operators
    scene.dtex.model = "folder"
    assert only <= set(drawn().props)
    scene.dtex.model = "starter"
    assert only & set(drawn().props) == only - {"model_folder"}
    assert "dtex.add_lora" not in drawn().operators, "LoRAs are made for other models"


def test_steps_and_guidance_are_the_models_own_unless_one_says_otherwise(
    scene: bpy.types.Scene, runtime: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.dtex.model, scene.dtex.model_folder = "folder", str(tmp_path / "sd-turbo")
    assert not {"steps", "guidance", "guidance_end"} & set(drawn().props)
    assert "As the model was made for" in drawn().texts
    known = {
        "name": "stabilityai/sd-turbo",
        "folder": str(tmp_path / "sd-turbo"),
        "numbers": "Turbo: 4 steps",
    }
    monkeypatch.setattr(type(runtime), "models", [{"name": 1}, "nonsense", known])
    assert "Turbo: 4 steps" in drawn().texts
    scene.dtex.model_folder = f"{tmp_path}/sd-turbo/"
    assert "Turbo: 4 steps" in drawn().texts, "however its path is written"
    scene.dtex.model = "starter"
    assert "20 steps, guidance 3" not in drawn().texts
    ours = {"name": "builtin:starter", "numbers": "20 steps, guidance 3"}
    monkeypatch.setattr(type(runtime), "models", [known, ours])
    assert "20 steps, guidance 3" in drawn().texts
    assert "Made for 512 × 512 pixels" not in drawn().texts
    monkeypatch.setattr(type(runtime), "models", [{**ours, "native_size": 512}])
    assert "Made for 512 × 512 pixels" in drawn().texts
    scene.dtex.size = "512"
    assert "Made for 512 × 512 pixels" not in drawn().texts
    scene.dtex.model = "folder"
    scene.dtex.model_folder = str(tmp_path / "other")
    assert "As the model was made for" in drawn().texts


def test_loras_are_added_and_taken_away_up_to_eight(scene: bpy.types.Scene) -> None:
    scene.dtex.model = "folder"
    for number in range(8):
        assert bpy.ops.dtex.add_lora(filepath=f"/loras/{number}.safetensors") == {"FINISHED"}
    assert not bpy.ops.dtex.add_lora.poll()
    assert drawn().operators.count("dtex.remove_lora: ") == 8
    assert bpy.ops.dtex.remove_lora(index=3) == {"FINISHED"}
    assert [lora.file for lora in scene.dtex.loras][2:4] == ["/loras/2.safetensors", "/loras/4.safetensors"]
    with pytest.raises(RuntimeError, match="no such LoRA"):
        bpy.ops.dtex.remove_lora(index=7)
    with pytest.raises(RuntimeError, match="Choose the LoRA's file"):
        bpy.ops.dtex.add_lora()


def test_a_request_says_what_was_chosen_and_leaves_the_rest_to_the_model(scene: bpy.types.Scene) -> None:
    compose = submodule("compose")

    def request(**given: Any) -> Any:
        kind = SimpleNamespace(properties=_Given(given), **given) if given else None
        return compose.compose_texture(bpy.context, compose.Wishes(scene.dtex, kind)).request

    scene.dtex.prompt, scene.dtex.steps, scene.dtex.guidance = "gravel", 30, 6.0
    scene.dtex.guidance_end = 0.5
    scene.dtex.loras.add().file = "/loras/moss.safetensors"
    assert request().loras == (), "the built-in model takes none"
    scene.dtex.model = "starter"
    ours = request()
    assert (ours.model, ours.loras) == ("builtin:starter", ())
    assert (ours.num_inference_steps, ours.guidance_scale) == (0, None)
    assert request(steps=8).num_inference_steps == 8
    scene.dtex.model, scene.dtex.model_folder = "folder", "/models/one"
    scene.dtex.loras[0].weight = 0.8
    left = request()
    assert (left.num_inference_steps, left.guidance_scale, left.scheduler) == (0, None, "")
    assert left.guidance_end == 1.0
    assert request(guidance_end=0.75).guidance_end == 0.75
    assert [(lora.file, lora.weight) for lora in left.loras] == [("/loras/moss.safetensors", 0.8)]
    assert (request(steps=3).num_inference_steps, request(steps=3).guidance_scale) == (3, None)
    scene.dtex.automatic, scene.dtex.scheduler = False, "euler_trailing"
    chosen = request()
    assert (chosen.num_inference_steps, chosen.guidance_scale, chosen.guidance_end) == (30, 6.0, 0.5)
    assert chosen.scheduler == "euler_trailing"
    scene.dtex.loras.add()
    with pytest.raises(submodule("wire").protocol.RequestError, match="Choose the LoRA's file"):
        request()


def test_a_request_that_is_refused_draws_no_seed(scene: bpy.types.Scene) -> None:
    compose = submodule("compose")
    scene.dtex.prompt, scene.dtex.seed, scene.dtex.model = "gravel", 7, "folder"
    scene.dtex.random_seed = True
    with pytest.raises(submodule("wire").protocol.RequestError, match="Choose the folder"):
        compose.compose_texture(bpy.context, compose.Wishes(scene.dtex, None))
    assert scene.dtex.seed == 7


@pytest.mark.parametrize("operator", ["generate", "make_seamless"])
def test_scripts_can_say_how_a_model_is_run(operator: str) -> None:
    properties = getattr(bpy.ops.dtex, operator).get_rna_type().properties
    assert {"model", "steps", "guidance", "guidance_end"} <= set(properties.keys())


@pytest.mark.parametrize("number", ["steps", "guidance"])
def test_a_file_from_before_keeps_the_numbers_that_were_chosen(scene: bpy.types.Scene, number: str) -> None:
    keep = submodule("settings").keep_numbers
    for name in ("automatic", "steps", "guidance"):
        scene.dtex.property_unset(name)
    keep()
    assert scene.dtex.automatic, "nothing had been chosen"
    setattr(scene.dtex, number, 9)
    keep()
    assert not scene.dtex.automatic
    scene.dtex.automatic = True
    keep()
    assert scene.dtex.automatic, "a choice stays one"


class _Given:
    """An operator's properties, as far as a script gave them."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.bl_rna = SimpleNamespace(properties=given)

    def is_property_set(self, _name: str) -> bool:
        return True


def test_the_panel_offers_every_scheduler_of_the_generator(scene: bpy.types.Scene) -> None:
    items = scene.dtex.bl_rna.properties["scheduler"].enum_items.keys()
    assert sorted(items) == sorted(["default", *submodule("wire").protocol.SCHEDULERS])


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
