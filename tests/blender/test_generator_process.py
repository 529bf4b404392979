# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator seen from the preferences: its memory, its states, and a report that can be sent to anybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest

from .conftest import preferences, submodule
from .test_panels import preferences_drawn


@pytest.fixture
def idle(cube: bpy.types.Object, runtime: Any, drain: Callable[..., None]) -> Any:
    """A session with a model in memory and nothing to do."""
    bpy.ops.dtex.generate(prompt="red bricks", width=64)
    drain(lambda: runtime.session.heartbeat.loaded == "builtin:procedural")
    return runtime.session


def test_memory_is_given_back_at_the_press_of_a_button(idle: Any, drain: Callable[..., None]) -> None:
    assert "builtin:procedural loaded" in idle.status
    assert bpy.ops.dtex.release_memory() == {"FINISHED"}
    drain(lambda: idle.heartbeat.loaded == "")
    assert "loaded" not in idle.status
    assert bpy.ops.dtex.generate(prompt="red bricks", width=64) == {"FINISHED"}


def test_memory_is_given_back_after_some_time_alone(idle: Any, drain: Callable[..., None]) -> None:
    idle.keep_model_for(0.2)
    drain(lambda: idle.heartbeat.loaded == "")
    idle.keep_model_for(600)


def test_without_a_generator_there_is_no_memory_to_release(scene: bpy.types.Scene, runtime: Any) -> None:
    bpy.ops.dtex.stop_generator()
    assert not bpy.ops.dtex.release_memory.poll()
    assert "dtex.release_memory" in preferences_drawn().operators


def test_the_report_says_what_is_needed_and_names_nobody(idle: Any, runtime: Any, tmp_path: Path) -> None:
    scene = bpy.context.scene
    scene.dtex.model, scene.dtex.model_folder = "folder", str(tmp_path / "a clients secret" / "sdxl")
    with pytest.raises(RuntimeError):
        bpy.ops.dtex.generate(prompt="red bricks", width=64)
    text = submodule("operators.copy_report").report_text(runtime)
    for part in (
        bpy.app.version_string,
        "State: ",
        "Memory: ",
        "Devices: ",
        '"prompt": "red bricks"',
        "Failure (",
    ):
        assert part in text
    assert '"model": "sdxl"' in text
    assert str(Path.home()) not in text
    request = next(line for line in text.splitlines() if line.startswith("Request: "))
    assert "secret" not in request


def test_another_acceleration_is_what_the_next_generator_starts_with(
    idle: Any, runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = submodule("runtime_state").ACCELERATION
    monkeypatch.delenv(variable, raising=False)
    try:
        assert "acceleration" in preferences_drawn().props
        preferences().acceleration = "off"
        assert runtime.launch().env[variable] == "off"
        before = idle
        assert bpy.ops.dtex.generate(prompt="red bricks", width=64) == {"FINISHED"}
        assert runtime.session is not before  # nothing was running, so it was replaced at once
        assert runtime.session.launch.env[variable] == "off"
    finally:
        preferences().acceleration = "auto"
    assert variable not in runtime.launch().env
