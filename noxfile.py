# SPDX-License-Identifier: GPL-3.0-or-later
"""How everything is run and tested; ``python3 dev.py SESSION`` installs nox and calls this.

Each environment is what some user has: the command line with NumPy and Pillow alone, the generator with torch,
and one real Blender a version, with Blender's own NumPy and no torch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"  # with pip, whose settings people have already made
nox.options.error_on_missing_interpreters = True
nox.options.sessions = [
    "lint",
    "command_line",
    "generator",
    "blender",
    "environment",
    "window",
    "reliability",
]

BLENDER_VERSIONS = ("4.2.23", "4.5.15", "5.0.1")
TORCH_PYTHON = (
    Path(__file__).parent
    / ".nox"
    / "generator"
    / ("Scripts" if sys.platform == "win32" else "bin")
    / "python"
)
FAULTS = Path(__file__).parent / ".nox" / "faults"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


@nox.session
def texture(session: nox.Session) -> None:
    """Make a texture: dev.py texture "mossy red brick wall" [any option of dream-textures generate]."""
    _install_command_line(session)
    arguments = list(session.posargs) or ["mossy red brick wall"]
    if "--out" not in arguments:
        arguments += ["--out", "out"]
    session.run("dream-textures", "generate", *arguments)


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint and types of everything, in the environment that can see every import."""
    _install_generator(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pyright")


@nox.session
def command_line(session: nox.Session) -> None:
    """What ``pip install .`` gives: the program itself, without torch, called as a stranger would."""
    _install_command_line(session)
    session.install("-r", "requirements/test.txt")
    session.run("pytest", "tests/command_line", *session.posargs, env=_rows(session))


@nox.session
def generator(session: nox.Session) -> None:
    """The generator with torch and diffusers, and the add-on's part that needs no Blender."""
    _install_generator(session)
    session.run(
        "pytest",
        "tests/generator",
        "tests/training",
        "tests/addon",
        "tests/test_structure.py",
        *session.posargs,
        env=OFFLINE | _rows(session),
    )


@nox.session
@nox.parametrize("version", BLENDER_VERSIONS)
def blender(session: nox.Session, version: str) -> None:
    """The built extension in a real Blender, without a window."""
    session.install("-r", f"requirements/blender-{version}.txt")
    env = _rows(session)
    if (
        TORCH_PYTHON.is_file()
    ):  # the session "generator" has run, so that there is a Python with torch to name
        env["DREAM_TEXTURES_TEST_PYTHON"] = str(TORCH_PYTHON)
    session.run("pytest", "tests/blender", *session.posargs, env=env)


@nox.session
def environment(session: nox.Session) -> None:
    """The set-up of the private environment, for real, by a plain Python that has nothing else."""
    session.install("-r", "requirements/test.txt")
    session.run("pytest", "tests/environment", *session.posargs, env=_rows(session))


@nox.session
def lock(session: nox.Session) -> None:
    """Make the lock files of the private environment again: dev.py lock [linux-x86_64-cuda ...]."""
    session.install("-r", "requirements/lock.txt")
    session.run("python", "requirements/lock_environment.py", *session.posargs)


@nox.session
def window(session: nox.Session) -> None:
    """The built extension in a real Blender with its window open, on a virtual screen."""
    session.install("-r", "requirements/test.txt")
    session.run("python", "tests/window/run.py", *session.posargs)
    session.run("python", "tests/window/run_crash.py", *session.posargs)


@nox.session(venv_backend="none")
def reliability(session: nox.Session) -> None:
    """Hold docs/reliability.md against what the other sessions saw; with --write, write it."""
    session.run(sys.executable, "tests/reliability.py", str(FAULTS), *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run one of benchmarks/: dev.py bench torus_law [its own options]."""
    _install_generator(session)
    names = sorted(path.stem for path in Path("benchmarks").glob("*.py"))
    if not session.posargs or session.posargs[0] not in names:
        session.error(f"Name one of: {', '.join(names)}")
    session.run("python", f"benchmarks/{session.posargs[0]}.py", *session.posargs[1:], env=OFFLINE)


def _rows(session: nox.Session) -> dict[str, str]:
    """Where this session's tests note how each fault ended; what an earlier run noted is forgotten."""
    FAULTS.mkdir(parents=True, exist_ok=True)
    rows = FAULTS / f"{session.name}.jsonl"
    rows.unlink(missing_ok=True)
    return {"DREAM_TEXTURES_FAULTS": str(rows)}


def _install_command_line(session: nox.Session) -> None:
    session.install("-c", "requirements/command_line.txt", ".")


def _install_generator(session: nox.Session) -> None:
    session.install("-r", "requirements/generator.txt")
    session.install("--no-deps", "-r", "requirements/spandrel.txt")
    session.install("--no-deps", "-e", ".")
