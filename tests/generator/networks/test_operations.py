# SPDX-License-Identifier: GPL-3.0-or-later
"""The two kinds of operations give the same numbers, and neither knows where the border is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator.networks import Operations, best_operations, numpy_operations
from generator.networks.numpy_operations import NumpyOperations

ROOT = Path(__file__).resolve().parents[3]
RNG = np.random.default_rng(7)
FIELD = RNG.standard_normal((2, 8, 12, 20), dtype=np.float32)
WEIGHTS = {
    "three": RNG.standard_normal((5, 8, 3, 3), dtype=np.float32) / 8,
    "one": RNG.standard_normal((5, 8, 1, 1), dtype=np.float32) / 8,
    "five": RNG.standard_normal((5, 8, 5, 5), dtype=np.float32) / 8,
    "bias": RNG.standard_normal(5, dtype=np.float32),
    "slope": RNG.uniform(-0.5, 1.5, 8).astype(np.float32),
}
STEPS: dict[str, Callable[[Operations, Any, Any], Any]] = {
    "convolve 3": lambda o, w, x: o.convolve(x, w["three"], w["bias"]),
    "convolve 1": lambda o, w, x: o.convolve(x, w["one"], w["bias"]),
    "convolve 5": lambda o, w, x: o.convolve(x, w["five"], w["bias"]),
    "prelu": lambda o, w, x: o.prelu(x, w["slope"]),
    "leaky": lambda o, w, x: o.leaky(x),
    "normalise": lambda o, w, x: o.normalise(x),
    "unshuffle": lambda o, w, x: o.unshuffle(x, 2),
    "shuffle": lambda o, w, x: o.shuffle(x, 2),
    "nearest": lambda o, w, x: o.nearest(x, 3),
    "halve": lambda o, w, x: o.halve(x),
    "concatenate": lambda o, w, x: o.concatenate([x, o.leaky(x)]),
    "everywhere": lambda o, w, x: o.everywhere(x),
}


def _run(operations: Operations, step: str, field: np.ndarray) -> np.ndarray:
    made = STEPS[step](operations, operations.prepare(WEIGHTS), operations.to_field(field))
    return operations.to_array(made)


@pytest.mark.parametrize("step", STEPS)
def test_numpy_and_torch_agree(step: str) -> None:
    pytest.importorskip("torch")
    from generator.networks.torch_operations import TorchOperations

    here, there = _run(NumpyOperations(), step, FIELD), _run(TorchOperations(), step, FIELD)
    assert here.shape == there.shape and here.dtype == np.float32
    np.testing.assert_allclose(here, there, atol=1e-5)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_nothing_knows_where_the_border_is(step: str, kind: str) -> None:
    if kind == "torch":
        pytest.importorskip("torch")
        from generator.networks.torch_operations import TorchOperations as Kind
    else:
        Kind = NumpyOperations
    made = _run(Kind(), step, FIELD)
    rolled = _run(Kind(), step, np.roll(FIELD, (4, -6), axis=(2, 3)))
    shift = [0, 0]
    if made.shape[2] > 1:
        shift = [4 * made.shape[2] // FIELD.shape[2], -6 * made.shape[3] // FIELD.shape[3]]
    np.testing.assert_allclose(rolled, np.roll(made, shift, axis=(2, 3)), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (33, 5)])
def test_a_kernel_may_reach_round_a_small_torus_more_than_once(shape: tuple[int, int]) -> None:
    field = RNG.standard_normal((1, 8, *shape), dtype=np.float32)
    made = _run(NumpyOperations(), "convolve 5", field)
    repeated = np.tile(field, (1, 1, 5, 5))
    np.testing.assert_allclose(
        _run(NumpyOperations(), "convolve 5", repeated), np.tile(made, (1, 1, 5, 5)), atol=1e-5
    )
    if "torch" in sys.modules:
        from generator.networks.torch_operations import TorchOperations

        np.testing.assert_allclose(_run(TorchOperations(), "convolve 5", field), made, atol=1e-5)


def test_strips_change_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _run(NumpyOperations(), "convolve 3", FIELD)
    monkeypatch.setattr(numpy_operations, "_STRIP", 3 * 9 * 8 * 20)
    np.testing.assert_allclose(_run(NumpyOperations(), "convolve 3", FIELD), whole, atol=1e-6)


def test_work_can_be_stopped_between_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):
        pass

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Stop

    monkeypatch.setattr(numpy_operations, "_STRIP", 9 * 8 * 20)
    with pytest.raises(Stop):
        _run(NumpyOperations(check), "convolve 3", FIELD)


def test_numpy_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert best_operations().name == "numpy"


@pytest.mark.parametrize("inside", [None, "raise RuntimeError('no driver')", "nn = None"])
def test_a_torch_that_does_not_load_is_as_good_as_none(inside: str | None, tmp_path: Path) -> None:
    """A folder that an uninstallation left, or one that fails in a way of its own."""
    (tmp_path / "torch").mkdir()
    if inside is not None:
        (tmp_path / "torch" / "__init__.py").write_text(inside)
    code = "from generator.networks import best_operations; print(best_operations().name)"
    # The current folder comes before the libraries; what is no package comes after them.
    isolated = [
        sys.executable,
        "-c",
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; {code}",
    ]
    if inside is None:
        hidden = "; sys.path[:] = [p for p in sys.path if not __import__('os').path.isdir(p + '/torch/nn')]"
        numpy = f"; import numpy{hidden}; "
        isolated[-1] = isolated[-1].replace("; from", f"{numpy}from")
    done = subprocess.run(isolated, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "numpy"
