# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the generator from Blender: what the artist may press, reads, and gets. The set-up itself is a fake
program here; tests/blender/test_environment_real.py runs the real one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest

from tests.addon.setup_stage import Stage
from tests.faults import ends

from .conftest import MODULE, submodule
from .recorder import Recorder
from .test_panels import drawn, preferences_drawn

OFFLINE = "Allow Online Access"


def preferences() -> Any:
    return bpy.context.preferences.addons[MODULE].preferences


def online(allowed: bool) -> None:
    """Blender's own switch."""
    bpy.context.preferences.system.use_online_access = allowed
    assert bpy.app.online_access is allowed


@pytest.fixture
def stage(installed: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The add-on with the fake set-up in the generator's place and a folder of its own; all is put back."""
    for name in submodule("environment.commands").WHEEL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    stage = Stage(tmp_path)
    desk = submodule("runtime_state").runtime().environment
    tool = desk.tool
    desk.tool = submodule("environment.commands").Tool(sys.executable, stage.runtime, os.environ)
    preferences().environment_folder = str(stage.folder)
    online(True)
    yield stage
    desk = submodule("runtime_state").runtime().environment
    desk.close()
    desk.tool, desk.trouble, desk.checked, desk.findings, desk.plan = tool, None, None, None, None
    for name in ("environment_folder", "python_path", "wheels"):
        setattr(preferences(), name, "")
    online(False)


@pytest.fixture
def background(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Press a button as in a window: it returns at once. Gives what the timer does, until nothing runs."""
    watch = submodule("environment.watch")
    windowed = SimpleNamespace(background=False, timers=bpy.app.timers)
    monkeypatch.setattr(watch, "bpy", SimpleNamespace(app=windowed, context=bpy.context))

    def settle(until: Callable[[], bool] | None = None) -> None:
        import time

        end = time.monotonic() + 20
        while watch._tick() is not None and not (until and until()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    return settle


def page() -> str:
    """The text of the preferences."""
    return "\n".join(preferences_drawn().texts)


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
