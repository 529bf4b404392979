# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock files themselves: everything pinned, everything hashed, and all that pyproject.toml asks for in them."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from generator.environment.foreign import MODULES, NEEDS
from generator.environment.locks import ACCELERATORS, LOCKS, Lock, find_lock, platform_name
from generator.environment.uv import VERSION, WHEELS

from .stage import ROOT

FILES = sorted(LOCKS.glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = [
    Requirement(text) for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["diffusion"])
]


def lock_of(name: str) -> Lock:
    found = re.fullmatch(r"(\w+-(?:x86_64|arm64))-(.+)", name)
    assert found
    return find_lock(found[2], on=found[1])


@pytest.fixture(params=[path.stem for path in FILES])
def lock(request: pytest.FixtureRequest) -> Lock:
    return lock_of(request.param)


def test_every_line_is_a_pin_with_hashes(lock: Lock) -> None:
    text = "".join(
        line for line in lock.text.replace("\\\n", " ").splitlines(True) if not line.startswith("#")
    )
    for line in text.splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.+]+(\s+--hash=sha256:[0-9a-f]{64})+", line.strip()), line


def test_it_holds_what_the_project_asks_for(lock: Lock) -> None:
    for wanted in WANTED:
        version = lock.pins[canonicalize_name(wanted.name)]
        assert wanted.specifier.contains(Version(version), prereleases=True), f"{wanted} is {version}"


def test_its_head_is_plausible(lock: Lock) -> None:
    assert lock.accelerator in ACCELERATORS
    assert 100e6 < lock.download < lock.disk < 40e9
    assert lock.pythons[0] == "3.12"
    assert bool(lock.special_pins) == bool(lock.torch_index)
    assert not lock.torch_index or lock.torch_index.startswith("https://download.pytorch.org/whl/")


def test_graphics_locks_hold_their_own_pytorch() -> None:
    for name, mark in {
        "linux-x86_64-cuda": "nvidia-cudnn-cu13",
        "linux-x86_64-cuda-legacy": "nvidia-cudnn-cu12",
        "linux-x86_64-rocm": "triton-rocm",
    }.items():
        assert mark in lock_of(name).pins
    for name, local in {"windows-x86_64-cuda": "+cu130", "windows-x86_64-cuda-legacy": "+cu126"}.items():
        assert lock_of(name).pins["torch"].endswith(local)
    for name in ("linux-x86_64-cpu", "linux-arm64-cpu", "windows-x86_64-cpu", "macos-arm64-mps"):
        assert not any(package.startswith("nvidia") for package in lock_of(name).pins)


def test_the_check_of_an_existing_python_asks_for_what_the_project_does() -> None:
    least = {canonicalize_name(wanted.name): next(iter(wanted.specifier)).version for wanted in WANTED}
    assert {name: ".".join(map(str, version)) for name, version in NEEDS.items()} == least
    assert {"pillow" if name == "PIL" else name for name in MODULES} <= set(NEEDS)


def test_every_platform_has_a_uv_and_none_shares_a_hash() -> None:
    assert f"uv=={VERSION}\n" in (ROOT / "requirements" / "lock.txt").read_text()
    hashes = [sha256 for _tag, sha256 in WHEELS.values()]
    assert len(set(hashes)) == len(hashes)
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in hashes)
    assert {re.sub(r"-[a-z-]+$", "", path.stem) for path in FILES} <= set(WHEELS)


def test_platforms_are_named_as_the_files_are() -> None:
    assert platform_name("linux", "x86_64") == "linux-x86_64"
    assert platform_name("win32", "AMD64") == "windows-x86_64"
    assert platform_name("darwin", "arm64") == "macos-arm64"
    assert platform_name("linux", "aarch64") == "linux-arm64"
