# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs the generator: the one that was set up, another one, or Blender's own; and how one changes it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest

from tests.addon.setup_stage import Stage
from tests.faults import ends

from .conftest import preferences, submodule
from .test_panels import drawn, page, preferences_drawn


def test_uninstalling_goes_back_to_blenders_own_python(stage: Stage) -> None:
    stage.mode("normal")
    assert not bpy.ops.dtex.remove_generator.poll(), "there is nothing yet"
    bpy.ops.dtex.setup_generator()
    assert bpy.ops.dtex.remove_generator() == {"FINISHED"}
    assert "Not set up" in page()
    assert submodule("runtime_state").runtime().launch().command[0] == sys.executable


def test_an_idle_generator_lets_go_of_files_that_are_about_to_change(
    stage: Stage, scene: bpy.types.Scene, runtime: Any, drain: Callable[..., None]
) -> None:
    stage.mode("normal")
    bpy.ops.dtex.setup_generator()
    bpy.ops.dtex.start_generator()
    drain(lambda: runtime.session.pid is not None)
    assert Path(runtime.session.launch.command[0]).is_relative_to(stage.folder)
    bpy.ops.dtex.remove_generator()
    assert runtime.session.pid is None


def test_a_python_that_has_everything_is_taken(stage: Stage) -> None:
    stage.mode("complete")
    assert bpy.ops.dtex.use_existing_python(filepath=sys.executable) == {"FINISHED"}
    assert preferences().python_path == sys.executable
    assert "It has everything." in page()


def test_a_python_that_lacks_something_is_taken_only_if_the_artist_insists(stage: Stage) -> None:
    stage.mode("lacking")
    with pytest.raises(RuntimeError, match=r"Something is missing\. Install it, or use Set Up Generator\."):
        bpy.ops.dtex.use_existing_python(filepath=sys.executable)
    assert not preferences().python_path
    sentence = submodule("runtime_state").runtime().environment.checked.sentences
    ends(
        "Set-up",
        "Use Existing Python names one that lacks something",
        "not used unless insisted on",
        sentence,
    )
    assert "It lacks diffusers>=0.35" in page()
    assert "dtex.use_existing_python: Use It Anyway" in preferences_drawn().operators
    assert bpy.ops.dtex.use_existing_python(filepath=sys.executable, insist=True) == {"FINISHED"}
    assert preferences().python_path == sys.executable
    assert "dtex.use_existing_python: Use It Anyway" not in preferences_drawn().operators


def test_what_is_no_python_is_refused_before_it_is_run(stage: Stage) -> None:
    with pytest.raises(RuntimeError, match="is not a Python"):
        bpy.ops.dtex.use_existing_python(filepath="/bin/sh")
    assert not stage.starts()


def test_a_model_without_torch_leads_to_the_set_up(stage: Stage, scene: bpy.types.Scene) -> None:
    button = "dtex.setup_generator: Set Up Generator"
    assert button not in drawn().operators, "the built-in model needs none"
    scene.dtex.model = "folder"
    assert button in drawn().operators
    stage.mode("normal")
    bpy.ops.dtex.setup_generator()
    assert button not in drawn().operators
    preferences().python_path = "/opt/python3"
    assert not [name for name in drawn().operators if name.startswith("dtex.setup")]


def test_a_job_that_needs_torch_says_which_button_to_press(scene: bpy.types.Scene, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(RuntimeError, match=r"lacks them\. In Blender, press Set Up Generator") as caught:
        bpy.ops.dtex.generate(prompt="red brick", model=str(tmp_path), width=64, height=64)
    sentence = str(caught.value).removeprefix("Error: ").splitlines()[0]
    ends("Set-up", "A diffusion model is used before it", "the job fails, the generator lives", sentence)


def test_a_damaged_environment_is_noticed_at_the_next_start_and_can_be_repaired(stage: Stage) -> None:
    stage.mode("normal")
    bpy.ops.dtex.setup_generator()
    (stage.folder / "environments/1/bin/python").unlink()
    assert submodule("runtime_state").runtime().launch().command[0] == sys.executable
    assert "Damaged" in page()
    assert "dtex.setup_generator: Repair Generator" in preferences_drawn().operators
    (_, sentence), *_ = submodule("environment.words").state_lines(
        submodule("runtime_state").runtime().environment.found
    )
    ends("Set-up", "Its Python is deleted", "Blender's own Python is used, to be repaired", sentence)


def test_what_was_made_for_another_version_works_until_it_is_updated(stage: Stage) -> None:
    stage.mode("normal")
    bpy.ops.dtex.setup_generator()
    locks = stage.runtime / "generator" / "environment" / "locks"
    locks.mkdir(parents=True)
    (locks / "linux-x86_64-cpu.txt").write_text("torch==3\n")
    commands = submodule("environment.commands")
    commands._wanted.cache_clear()  # as in the Blender that starts with the new version
    launch = submodule("runtime_state").runtime().launch()
    commands._wanted.cache_clear()
    assert Path(launch.command[0]).is_relative_to(stage.folder)
    assert "Works, but was made for another version" in page()
    assert "dtex.setup_generator: Update Generator" in preferences_drawn().operators
