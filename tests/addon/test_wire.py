# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol is found beside or inside the add-on, and nothing else of the generator comes along."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dream_textures_addon import wire

ADDON = Path(wire.__file__).parent
CODE = """
import sys
sys.path.insert(0, {folder!r})
import types
package = types.ModuleType("addon"); package.__path__ = [{addon!r}]; sys.modules["addon"] = package
before, path = set(sys.modules), list(sys.path)
from addon.wire import RUNTIME, protocol
assert sys.path == path
print(RUNTIME)
print(protocol.Request(prompt="brick").prompt, protocol.Request.__module__)
print(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} - set(sys.stdlib_module_names)))
"""


def imported(addon: Path) -> list[str]:
    code = CODE.format(folder=str(addon.parent), addon=str(addon))
    return subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_the_protocol_comes_from_the_checkout() -> None:
    assert imported(ADDON) == [str(ADDON.parent), "brick addon.wire_protocol.request", "['addon']"]


def test_the_protocol_comes_from_the_built_add_on(tmp_path: Path) -> None:
    addon = tmp_path / "addon"
    addon.mkdir()
    shutil.copy(ADDON / "wire.py", addon)
    shutil.copytree(ADDON.parent / "generator/protocol", addon / "runtime/generator/protocol")
    (addon / "runtime/generator/__init__.py").write_text("raise AssertionError('not meant to run')")
    assert imported(addon) == [str(addon / "runtime"), "brick addon.wire_protocol.request", "['addon']"]


def test_an_add_on_without_its_generator_says_so(tmp_path: Path) -> None:
    (tmp_path / "addon").mkdir()
    shutil.copy(ADDON / "wire.py", tmp_path / "addon")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        imported(tmp_path / "addon")
    assert "install the built zip again" in caught.value.stderr


def test_a_reload_keeps_the_classes_that_live_objects_have() -> None:
    request = wire.protocol.Request(prompt="brick")
    reloaded = importlib.reload(wire)
    assert isinstance(request, reloaded.protocol.Request)
