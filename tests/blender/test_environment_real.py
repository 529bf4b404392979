# SPDX-License-Identifier: GPL-3.0-or-later
"""From the zip alone to a material by a diffusion model: the real set-up, with what this machine's pip would use.

It installs PyTorch, which takes minutes; one version of Blender stands for all, since the set-up runs outside of it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

from .conftest import ROOT, online, own_nodes, preferences, submodule
from .test_panels import preferences_drawn

pytestmark = pytest.mark.skipif(bpy.app.version[:2] != (4, 5), reason="one Blender stands for all")


@pytest.fixture(scope="module")
def folder(installed: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder with a name that is not plain, chosen in the preferences."""
    folder = tmp_path_factory.mktemp("set up") / "Générateur"
    preferences().environment_folder = str(folder)
    preferences().accelerator = "cpu"
    online(True)
    yield folder
    preferences().property_unset("environment_folder")
    preferences().property_unset("accelerator")
    online(False)


@pytest.fixture(scope="module")
def environment(folder: Path) -> Any:
    """The environment that "Set Up Generator" makes there, while a generator runs on Blender's own Python."""
    bpy.ops.dtex.generate(prompt="red bricks", width=32)
    before = submodule("runtime_state").runtime().session
    assert before.launch.command[0] == sys.executable
    assert bpy.ops.dtex.setup_generator() == {"FINISHED"}
    assert before.pid is None, "an idle generator makes room for the new one"
    return submodule("runtime_state").runtime().environment.found


def test_a_download_that_is_cancelled_leaves_no_process_and_can_be_resumed(
    folder: Path, runtime: Any
) -> None:
    desk, endings = runtime.environment, []
    desk.begin(
        submodule("environment.desk").Task.SET_UP, submodule("environment.wishes").wishes(), endings.append
    )
    wait_for(lambda: desk.status.startswith("Downloading"), 180)
    desk.cancel()
    wait_for(desk.take, 60)
    assert endings[0].cancelled, endings[0].sentences
    assert processes_with(str(folder)) == []
    desk.refresh(submodule("environment.wishes").wishes())
    assert "dtex.setup_generator: Resume Set-Up" in preferences_drawn().operators


def test_one_button_makes_it_ready(environment: Any) -> None:
    assert environment.state.value == "ready"
    assert environment.python.is_relative_to(environment.folder)
    assert any("Ready" in text for text in preferences_drawn().texts)
    assert (environment.folder / "setup.log").stat().st_size > 0


def test_a_material_comes_from_a_model_through_it(
    environment: Any, cube: bpy.types.Object, tmp_path: Path, runtime: Any
) -> None:
    model = tmp_path / "model"
    code = f"import pathlib, tiny_models; tiny_models.save_sd(pathlib.Path({str(model)!r}))"
    folder = ROOT / "tests" / "generator" / "diffusion"
    subprocess.run([str(environment.python), "-c", code], check=True, cwd=folder)
    done = bpy.ops.dtex.generate(prompt="red brick", model=str(model), width=128, height=128, seed=1, steps=2)
    assert done == {"FINISHED"}
    assert runtime.session.launch.command[0] == str(environment.python)
    assert "diffusion" in runtime.session.hello.capabilities
    textures = [node for node in own_nodes(cube.active_material).values() if node.type == "TEX_IMAGE"]
    assert len(textures) == 6
    assert {tuple(node.image.size) for node in textures} == {(128, 128)}


def test_pressing_it_again_finds_nothing_to_do(environment: Any) -> None:
    marker = environment.folder / "environment.json"
    before = marker.stat().st_mtime_ns, environment.python.stat().st_ino
    assert bpy.ops.dtex.setup_generator() == {"FINISHED"}
    assert (marker.stat().st_mtime_ns, environment.python.stat().st_ino) == before


def test_without_online_access_it_can_still_be_used_as_another_python(environment: Any) -> None:
    online(False)
    try:
        assert bpy.ops.dtex.use_existing_python(filepath=str(environment.python)) == {"FINISHED"}
        assert preferences().python_path == str(environment.python)
    finally:
        preferences().python_path = ""
        online(True)


def test_the_computer_is_examined(environment: Any, runtime: Any) -> None:
    assert bpy.ops.dtex.check_computer() == {"FINISHED"}
    found = {finding["what"] for finding in runtime.environment.findings}
    assert any(str(environment.folder) in finding["found"] for finding in runtime.environment.findings), found


def test_uninstalling_deletes_it_and_nothing_of_the_artists(environment: Any) -> None:
    own = environment.folder / "models" / "mine.safetensors"
    own.parent.mkdir(exist_ok=True)
    own.write_bytes(b"weights")
    assert bpy.ops.dtex.remove_generator() == {"FINISHED"}
    assert own.read_bytes() == b"weights"
    assert not environment.python.exists()
    assert [path.name for path in environment.folder.iterdir()] == ["models"]
    assert any("Not set up" in text for text in preferences_drawn().texts)


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    """Until it holds, as the timer would wait."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def processes_with(text: str) -> list[str]:
    """The command lines of this machine that hold a text; none where that cannot be seen."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if text in line:
                found.append(line)
    return found
