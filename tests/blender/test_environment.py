# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the generator from Blender: what the artist may press, reads, and gets. The set-up itself is a fake
program here; tests/blender/test_environment_real.py runs the real one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from tests.addon.setup_stage import Stage
from tests.faults import ends

from .conftest import MODULE, online, preferences, submodule
from .recorder import Recorder
from .test_panels import page, preferences_drawn

OFFLINE = "Allow Online Access"


def dialog(operator: str) -> str:
    """What an operator's dialog says."""
    recorder = Recorder()
    kind = getattr(bpy.types, operator)
    kind.draw(type("Opened", (), {"layout": recorder})(), bpy.context)
    return " ".join(recorder.texts)


def test_a_script_sets_up_and_waits_for_the_end(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    stage.mode("normal")
    assert bpy.ops.dtex.setup_generator() == {"FINISHED"}
    assert "Ready, with PyTorch for: Processor" in page()
    assert "The generator is ready." in page(), "as it said itself"
    assert "Downloading PyTorch" in capfd.readouterr().out
    launch = submodule("runtime_state").runtime().launch()
    assert Path(launch.command[0]).is_relative_to(stage.folder)


def test_a_script_gets_the_sentence_of_a_failure(stage: Stage) -> None:
    stage.mode("fails no_space")
    with pytest.raises(RuntimeError, match=r"It did not work\. Do something else\."):
        bpy.ops.dtex.setup_generator()
    assert "It did not work." in page()
    assert "The set-up was not finished" in page()
    assert "dtex.setup_generator: Resume Set-Up" in preferences_drawn().operators
    stage.mode("normal")
    bpy.ops.dtex.setup_generator()
    assert "It did not work." not in page()


def test_the_report_tells_of_a_set_up_that_failed(stage: Stage, runtime: Any) -> None:
    report_text = submodule("operators.copy_report").report_text
    assert "Environment: absent" in report_text(runtime)
    stage.mode("fails network")
    with pytest.raises(RuntimeError):
        bpy.ops.dtex.setup_generator()
    report = report_text(runtime)
    for part in ("Environment: incomplete", "Set-up (network): It did not work.", "what uv printed"):
        assert part in report


def test_before_anything_starts_a_plan_is_made_and_shown(
    stage: Stage, background: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.mode("normal")
    opened: list[dict[str, Any]] = []
    monkeypatch.setattr(
        submodule("operators.environment_setup"),
        "reopen",
        lambda _operator, _key, **given: opened.append(given),
    )
    module = submodule("operators.environment_setup")
    operator = type("Pressed", (), {"planned": False, "report": None})()
    assert module.DTEX_OT_setup_generator.invoke(operator, bpy.context, None) == {"FINISHED"}
    background()
    assert opened == [{"planned": True}]
    assert not stage.folder.exists(), "nothing is written before the artist agrees"
    said = dialog("DTEX_OT_setup_generator")
    for part in ("2.6 GB to download, 6.1 GB on the disk", str(stage.folder), "pypi.org", "GeForce RTX 3060"):
        assert part in said
    assert str(stage.folder / "environments") in dialog("DTEX_OT_remove_generator")
    assert f"Stays: {stage.folder / 'models'}" in dialog("DTEX_OT_remove_generator")


def test_a_plan_that_cannot_be_carried_out_starts_nothing(
    stage: Stage, background: Callable[..., None]
) -> None:
    stage.mode("no space")
    desk = submodule("runtime_state").runtime().environment
    desk.begin(
        submodule("environment.desk").Task.PLAN, submodule("environment.wishes").wishes(), lambda _e: None
    )
    background()
    assert "There is not enough space. Choose another folder." in dialog("DTEX_OT_setup_generator")
    assert bpy.ops.dtex.setup_generator(planned=True) == {"CANCELLED"}
    assert len(stage.starts()) == 1


def test_progress_can_be_watched_and_cancelled_and_resumed(
    stage: Stage, background: Callable[..., None]
) -> None:
    stage.mode("slow")
    assert bpy.ops.dtex.setup_generator() == {"FINISHED"}
    background(until=lambda: "Downloading PyTorch" in page())
    assert "5.2 MB/s, 42 s left" in page()
    assert not bpy.ops.dtex.setup_generator.poll()
    assert not bpy.ops.dtex.remove_generator.poll()
    assert "dtex.cancel_setup" in preferences_drawn().operators
    bpy.ops.dtex.cancel_setup()
    assert "Cancelling" in page()
    background()
    assert stage.all_gone()
    assert "dtex.setup_generator: Resume Set-Up" in preferences_drawn().operators
    assert not bpy.ops.dtex.cancel_setup.poll()


def test_without_online_access_nothing_is_fetched_and_the_tooltip_says_where_to_allow_it(
    stage: Stage,
) -> None:
    stage.mode("normal")
    online(False)
    assert not bpy.ops.dtex.setup_generator.poll()
    with pytest.raises(RuntimeError, match=OFFLINE):
        bpy.ops.dtex.setup_generator()
    assert not stage.starts()
    ends(
        "Set-up",
        "Blender's online access is off",
        "nothing is begun",
        submodule("environment.wishes").why_not(),
    )


def test_a_blender_started_offline_is_not_told_to_look_for_a_switch(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = submodule("environment.wishes")
    started = SimpleNamespace(online_access=False, online_access_override=True)
    monkeypatch.setattr(
        wishes, "bpy", SimpleNamespace(app=started, context=bpy.context, utils=bpy.utils, path=bpy.path)
    )
    assert "--offline-mode" in wishes.why_not()
    assert OFFLINE not in wishes.why_not()


def test_with_a_folder_of_wheels_no_online_access_is_needed_and_none_is_taken(
    stage: Stage, tmp_path: Path
) -> None:
    stage.mode("normal")
    online(False)
    preferences().wheels = str(tmp_path)
    assert bpy.ops.dtex.setup_generator() == {"FINISHED"}
    assert {"--offline", f"--find-links={tmp_path}"} <= set(stage.starts()[0]["arguments"])


def test_every_choice_of_the_preferences_reaches_the_set_up(stage: Stage) -> None:
    stage.mode("normal")
    chosen = {
        "accelerator": "cpu",
        "index_url": "https://pypi.studio/simple",
        "torch_index_url": "https://torch.studio/whl",
        "python_mirror": "https://python.studio",
        "base_python": "/usr/bin/python3",
        "proxy": "http://proxy.studio:8080",
    }
    for name, value in chosen.items():
        setattr(preferences(), name, value)
    try:
        bpy.ops.dtex.setup_generator()
    finally:
        for name in chosen:
            preferences().property_unset(name)
    start = stage.starts()[0]
    arrived = " ".join([*start["arguments"], *filter(None, start["environment"].values())])
    assert all(value in arrived for value in chosen.values())
    assert "--offline" not in arrived


def test_the_computer_is_checked_and_each_finding_has_its_advice(stage: Stage) -> None:
    stage.mode("normal")
    assert bpy.ops.dtex.check_computer() == {"FINISHED"}
    assert "Disk: 0.5 GB free" in page()
    assert "Free some." in page()
    assert f"--folder={stage.folder}" in stage.starts()[0]["arguments"]


def test_the_log_can_be_opened_when_there_is_one(stage: Stage) -> None:
    assert not bpy.ops.dtex.open_log.poll()
    stage.mode("fails network")
    with pytest.raises(RuntimeError):
        bpy.ops.dtex.setup_generator()
    assert bpy.ops.dtex.open_log.poll()
    assert submodule("environment.wishes").wishes().log.read_text() == "what uv printed\n"


def test_disabling_the_add_on_ends_a_set_up_which_can_be_resumed(
    stage: Stage, background: Callable[..., None]
) -> None:
    stage.mode("slow")
    bpy.ops.dtex.setup_generator()
    stage.wait_for_start()
    bpy.ops.preferences.addon_disable(module=MODULE)
    try:
        assert stage.all_gone()
    finally:
        bpy.ops.preferences.addon_enable(module=MODULE)
    preferences().environment_folder = str(stage.folder)  # nobody has saved the preferences
    assert "Resume Set-Up" in " ".join(preferences_drawn().operators)


def test_closing_blender_ends_a_set_up(stage: Stage, tmp_path: Path) -> None:
    """Another Blender begins one and leaves; its child is gone with it."""
    stage.mode("slow")
    code = f"""
import os, sys
os.environ["BLENDER_USER_RESOURCES"] = {str(tmp_path / "user")!r}
sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
import bpy, build_addon
from pathlib import Path
from tests.addon.setup_stage import Stage
bpy.context.preferences.system.use_online_access = True
build_addon.main(["--out", {str(tmp_path / "zip")!r}])
(built,) = Path({str(tmp_path / "zip")!r}).glob("*.zip")
bpy.ops.extensions.package_install_files(
    filepath=str(built), repo="user_default", enable_on_install=True, overwrite=True)
part = lambda name: sys.modules["{MODULE}." + name]
stage = Stage.at({str(stage.place)!r})
desk = part("runtime_state").runtime().environment
desk.tool = part("environment.commands").Tool(sys.executable, stage.runtime, os.environ)
bpy.context.preferences.addons["{MODULE}"].preferences.environment_folder = str(stage.folder)
desk.begin(part("environment.desk").Task.SET_UP, part("environment.wishes").wishes(), lambda ending: None)
stage.wait_for_start()
os._exit(7)
"""
    left = subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    assert left.returncode == 7
    assert stage.all_gone(seconds=10.0)
