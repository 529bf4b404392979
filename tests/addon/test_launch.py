# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs the generator, and with which environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dream_textures_addon.launch import LaunchError, clean_environment, find_launch, find_python
from dream_textures_addon.wire import RUNTIME

BLENDER = sys.executable


def program(path: Path, *, executable: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755 if executable else 0o644)
    return path


def launched(preference: str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    return find_launch(preference, environ or {}, BLENDER, RUNTIME).command


def test_blenders_own_python_comes_last() -> None:
    launch = find_launch("", {}, BLENDER, RUNTIME)
    assert launch.command[0] == BLENDER
    assert launch.command[-3:] == ("-m", "generator", "serve")
    assert launch.cwd == RUNTIME
    assert "without PyTorch" in launch.description


def test_the_preference_comes_before_the_environment_variable(tmp_path: Path) -> None:
    mine, theirs = program(tmp_path / "mine/python3"), program(tmp_path / "theirs/python3")
    environ = {"DREAM_TEXTURES_PYTHON": str(theirs)}
    assert launched(str(mine), environ)[0] == str(mine)
    assert launched("  ", environ)[0] == str(theirs)


def test_what_was_set_up_comes_before_blenders_own_python_and_after_what_is_named(tmp_path: Path) -> None:
    private, named = program(tmp_path / "private/python"), program(tmp_path / "named/python")
    launch = find_launch("", {}, BLENDER, RUNTIME, private)
    assert launch.command == (str(private), *find_launch("", {}, BLENDER, RUNTIME).command[1:])
    assert str(private) in launch.description
    assert find_launch(str(named), {}, BLENDER, RUNTIME, private).command[0] == str(named)
    variable = {"DREAM_TEXTURES_PYTHON": str(named)}
    assert find_launch("", variable, BLENDER, RUNTIME, private).command[0] == str(named)


def test_the_python_behind_a_folder_or_a_program_is_found(tmp_path: Path) -> None:
    python, tool = program(tmp_path / "bin/python3"), program(tmp_path / "bin/dream-textures")
    for path in (python, tmp_path, tool):
        assert find_python(str(path), "a test") == python
    lonely = program(tmp_path / "elsewhere/dream-textures")
    for path, words in ((lonely, "holds no Python"), (program(tmp_path / "blender"), "is not a Python")):
        with pytest.raises(LaunchError, match=words):
            find_python(str(path), "a test")


@pytest.mark.parametrize("place", ["bin/python", "Scripts/python.exe", "python.exe", "bin/dream-textures"])
def test_the_folder_of_an_environment_will_do(tmp_path: Path, place: str) -> None:
    python = program(tmp_path / place)
    assert launched(str(tmp_path))[0] == str(python)


def test_a_dream_textures_program_serves_by_itself(tmp_path: Path) -> None:
    tool = program(tmp_path / "dream-textures")
    assert launched(str(tool)) == (str(tool), "serve")


def test_a_virtual_environments_link_is_kept_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    assert launched(str(tmp_path))[0] == str(tmp_path / "bin/python")


def test_quotes_and_a_home_folder_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = program(tmp_path / "python3")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert launched(f'"{python}"')[0] == str(python)
    assert launched("~/python3")[0] == str(python)


def test_a_relative_path_does_not_depend_on_the_generators_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "python3")
    monkeypatch.chdir(tmp_path)
    assert Path(launched("python3")[0]).is_absolute()


def test_each_wrong_path_gets_a_sentence_and_advice(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    wrong = {
        str(tmp_path / "nothing"): "There is no Python at",
        str(tmp_path / "empty"): "holds no Python",
        str(program(tmp_path / "blender")): "is not a Python",
        str(program(tmp_path / "python3.11", executable=False)): "may not be run",
    }
    for path, words in wrong.items():
        with pytest.raises(LaunchError, match=words) as caught:
            launched(path)
        assert caught.value.advice.endswith(".")


def test_the_sentence_says_where_the_wrong_path_came_from(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="environment variable DREAM_TEXTURES_PYTHON"):
        launched("", {"DREAM_TEXTURES_PYTHON": str(tmp_path / "nothing")})
    with pytest.raises(LaunchError, match="preferences"):
        launched(str(tmp_path / "nothing"))


def test_a_blender_without_python_says_so() -> None:
    with pytest.raises(LaunchError, match="own Python was not found"):
        find_launch("", {}, "", RUNTIME)


def test_variables_of_another_python_are_left_out() -> None:
    environ = {
        "PYTHONPATH": "/x",
        "PYTHONHOME": "/y",
        "VIRTUAL_ENV": "/v",
        "CONDA_PREFIX": "/c",
        "PATH": "/bin",
    }
    assert clean_environment(environ) == {"PATH": "/bin"}
    assert clean_environment({"DREAM_TEXTURES_PYTHON": "p"}) == {"DREAM_TEXTURES_PYTHON": "p"}


def test_the_generator_sees_the_packages_of_its_python_and_no_others(tmp_path: Path) -> None:
    """With the options and the environment of a launch: NumPy is found, PYTHONPATH and the user's folder are not."""
    stray = tmp_path / "stray"
    stray.mkdir()
    (stray / "numpy.py").write_text("raise ImportError('a stray numpy')")
    launch = find_launch("", {**os.environ, "PYTHONPATH": str(stray)}, BLENDER, RUNTIME)
    options = launch.command[: launch.command.index("-m")]
    code = "import sys, numpy, generator; print(sys.flags.utf8_mode, sys.dont_write_bytecode, generator.__file__)"
    done = subprocess.run(
        [*options, "-c", code], cwd=launch.cwd, env=launch.env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "True", str(RUNTIME / "generator/__init__.py")]
