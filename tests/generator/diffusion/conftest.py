# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests here share their models; where torch or diffusers is missing there is nothing to test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for tiny_models and the like

collect_ignore_glob = [] if find_spec("torch") and find_spec("diffusers") else ["test_*.py"]


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is learnt in one test shall not be known in another, nor to the user of this machine."""
    monkeypatch.setenv("DREAM_TEXTURES_STATE", str(tmp_path / "state"))
    for variable in ("DREAM_TEXTURES_ACCELERATION", "DREAM_TEXTURES_BATCH", "DREAM_TEXTURES_MODELS"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "state"


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Asks for batches of so many images, as a user may."""
    return lambda count: monkeypatch.setenv("DREAM_TEXTURES_BATCH", str(count))


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small random model folder of each family. Not to be changed; copy it first."""
    import tiny_models
    import torch

    # Threads that wait for each other on a busy machine cost more than they save on models this small.
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("models")
    return {
        "sd1": tiny_models.save_sd(root / "sd1", "sd1"),
        "sd2": tiny_models.save_sd(root / "sd2", "sd2"),
        "sdxl": tiny_models.save_sdxl(root / "sdxl"),
    }


@pytest.fixture(scope="session")
def models(folders: dict[str, Path]) -> dict[str, Any]:
    """The same, loaded on the CPU in float32."""
    from recorder import Recorder

    from generator import diffusion

    return {name: diffusion.load(folder, "fp32", "cpu", Recorder()) for name, folder in folders.items()}


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A network of three blocks, taken for one that a compiler should know."""
    import torch
    from repeating import Network

    from generator.diffusion import compiling

    monkeypatch.setattr(compiling, "BLOCKS", ("Block",))
    torch.manual_seed(0)
    return Network().eval()
