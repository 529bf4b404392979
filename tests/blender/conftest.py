# SPDX-License-Identifier: GPL-3.0-or-later
"""The built extension, installed into a real Blender as an artist would, with the generator that it carries.

Blender runs as a module, without a window: timers do not fire, so that the tests call the pump themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.dream_textures_addon"

# Before Blender starts: nothing of this user's settings, and the generator that comes with the zip.
RESOURCES = tempfile.mkdtemp(prefix="blender-")
os.environ["BLENDER_USER_RESOURCES"] = RESOURCES
os.environ.pop("DREAM_TEXTURES_PYTHON", None)

import bpy  # noqa: E402
import numpy as np  # noqa: E402

from tests.addon.setup_stage import Stage  # noqa: E402

SIZE = 128


_status = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Note how the tests went."""
    session.config.stash[_status] = int(exitstatus)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without the interpreter's own ending.

    Blender 4.2 as a module frees its editors in C++ destructors after Python is gone, and crashes there as soon as
    any function in a script still refers to ``bpy``, add-on or not. By now every test has been judged and printed.
    """
    shutil.rmtree(RESOURCES, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.stash.get(_status, 1))


def submodule(name: str) -> Any:
    """A module of the installed add-on."""
    return sys.modules[f"{MODULE}.{name}"]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The add-on from the built zip, enabled; disabled at the end, which ends its generator."""
    folder = tmp_path_factory.mktemp("zip")
    subprocess.run([sys.executable, str(ROOT / "build_addon.py"), "--out", str(folder)], check=True)
    (built,) = folder.glob("*.zip")
    bpy.ops.extensions.package_install_files(
        filepath=str(built), repo="user_default", enable_on_install=True, overwrite=True
    )
    yield sys.modules[MODULE]
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture
def scene(installed: ModuleType) -> Iterator[bpy.types.Scene]:
    """Blender's first scene, its cube active, with small textures for short tests."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    scene = bpy.context.scene
    scene.dtex.size = "custom"
    scene.dtex.width = scene.dtex.height = SIZE
    scene.dtex.random_seed = False
    yield scene
    board = submodule("runtime_state").runtime().board
    assert board.active is None, "a test left a job running"
    for job in board:
        submodule("dispatch").forget(job)


@pytest.fixture
def cube(scene: bpy.types.Scene) -> bpy.types.Object:
    """The cube of the first scene: it has UVs and a material."""
    return scene.objects["Cube"]


@pytest.fixture
def runtime(installed: ModuleType) -> Any:
    """What runs while the add-on is enabled."""
    return submodule("runtime_state").runtime()


@pytest.fixture
def drain(runtime: Any) -> Callable[..., None]:
    """Pump as the timer would until a condition holds."""
    pump = submodule("pump")

    def drain_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            pump.drain()
            time.sleep(0.02)

    return drain_until


@pytest.fixture
def start(scene: bpy.types.Scene) -> Callable[..., Any]:
    """Start a job as the button does in a window: it returns at once."""

    def start_job(**wishes: Any) -> Any:
        settings = bpy.context.scene.dtex  # of the file that is open now
        for name, value in wishes.items():
            setattr(settings, name, value)
        compose = submodule("compose")
        return submodule("submission").start(bpy.context, compose.Wishes(settings), compose.compose_texture)

    return start_job


@pytest.fixture
def generator_python(installed: ModuleType) -> Iterator[Callable[[str], None]]:
    """Names another Python in the preferences, as the artist would; taken back afterwards."""
    preferences = bpy.context.preferences.addons[MODULE].preferences

    def choose(path: str) -> None:
        preferences.python_path = path

    yield choose
    preferences.python_path = ""


def preferences() -> Any:
    """The add-on's own."""
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
    desk.tool, desk.news = tool, ""
    desk.trouble = desk.checked = desk.findings = desk.plan = None
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
        end = time.monotonic() + 20
        while watch._tick() is not None and not (until and until()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    return settle


def image_pixels(image: bpy.types.Image) -> np.ndarray:
    """An image's pixels as Blender has them, ``(H, W, channels)``, bottom row first."""
    flat = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], image.channels)


def own_nodes(material: bpy.types.Material) -> dict[str, bpy.types.Node]:
    """Our nodes of a material by their role."""
    return {node["dtex_role"]: node for node in material.node_tree.nodes if "dtex_role" in node}


def principled(material: bpy.types.Material) -> bpy.types.Node:
    """The only Principled shader of a material."""
    (shader,) = [node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED"]
    return shader


def feeding(socket: bpy.types.NodeSocket) -> bpy.types.Node | None:
    """The node that is linked into a socket."""
    return socket.links[0].from_node if socket.is_linked else None
