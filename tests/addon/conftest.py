# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's plain half, imported without Blender, and generators to supervise that are real programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ADDON = REPOSITORY / "dream_textures_addon"
FAKE = Path(__file__).with_name("fake_generator.py")

if "dream_textures_addon" not in sys.modules:
    # The package without its __init__, which is Blender's to run.
    spec = spec_from_loader("dream_textures_addon", loader=None, is_package=True)
    assert spec is not None and spec.submodule_search_locations is not None
    spec.submodule_search_locations.append(str(ADDON))
    sys.modules["dream_textures_addon"] = module_from_spec(spec)

from dream_textures_addon.launch import Launch, find_launch  # noqa: E402
from dream_textures_addon.session import Limits, Session  # noqa: E402
from dream_textures_addon.wire import RUNTIME  # noqa: E402

FakeSession = Callable[..., Session]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeSession]:
    """Makes sessions whose generator is ``fake_generator.py`` in the given mode; they are closed afterwards."""
    sessions: list[Session] = []

    def make(mode: str, *, on_log: Callable[[str], None] | None = None, **limits: float) -> Session:
        command = (sys.executable, "-B", "-u", str(FAKE), mode, str(tmp_path))
        launch = Launch(command, REPOSITORY, dict(os.environ), f"the fake generator ({mode})")
        given = {"start": 10.0, "silence": 10.0, "cancel": 10.0, "close": 1.0}
        given |= {"mercy": 0.3, "backoff": 0.1, **limits}
        sessions.append(Session(launch, on_log=on_log, limits=Limits(**given)))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


@pytest.fixture(scope="module")
def real() -> Iterator[Session]:
    """A session with the generator of this checkout, run by the Python of the tests."""
    if find_spec("numpy") is None:
        pytest.skip("The generator needs NumPy, which this Python does not have.")
    session = Session(find_launch("", os.environ, sys.executable, RUNTIME))
    yield session
    session.close()
