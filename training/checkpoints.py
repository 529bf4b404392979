# SPDX-License-Identifier: GPL-3.0-or-later
"""A training's state on disk, written in one step so that no interruption costs more than a few minutes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.optimisers import Optimisers, moments

FINISHED = "finished"
"""An empty file in the folder of what is finished, however many steps are wanted, and cannot be gone on with."""


def refuse_finished(out: Path) -> None:
    """Raises ``ValueError`` where ``out`` is finished."""
    if (out / FINISHED).is_file():
        raise ValueError(f"{out} is finished and has nothing to go on from; choose another folder.")


def save_state(
    path: Path,
    optimisers: Optimisers,
    averaged: Mapping[str, Tensor],
    step: int,
    seconds: float,
) -> None:
    """Everything that the next step depends on."""
    tensors = {f"weights.{name}": value.detach().contiguous() for name, value in optimisers.leaves.items()}
    tensors |= {f"averaged.{name}": value.contiguous() for name, value in averaged.items()}
    for name, state in optimisers.states().items():
        tensors |= {f"{moment}.{name}": value.contiguous() for moment, value in state.items()}
    _write(path, tensors, {"step": str(step), "seconds": f"{seconds:.1f}"})


def load_state(path: Path, optimisers: Optimisers, averaged: Mapping[str, Tensor]) -> tuple[int, float]:
    """Put a saved state into these optimisers and averages; gives its step and the seconds spent so far.

    Raises ``ValueError`` where the checkpoint is of another network.
    """
    with safe_open(path, framework="pt") as file:
        about, names = file.metadata(), set(file.keys())
        if {name.removeprefix("weights.") for name in names if name.startswith("weights.")} != set(
            optimisers.leaves
        ):
            raise ValueError(f"{path} is the checkpoint of another network; choose another folder.")
        step = int(about["step"])
        with torch.no_grad():
            for name, value in optimisers.leaves.items():
                saved = file.get_tensor(f"weights.{name}")
                if saved.shape != value.shape:
                    raise ValueError(f"{path} is the checkpoint of another network; choose another folder.")
                value.copy_(saved)
                averaged[name].copy_(file.get_tensor(f"averaged.{name}"))
                saved_moments = moments(sorted(names), name).items()
                state = {moment: file.get_tensor(key).to(value.device) for moment, key in saved_moments}
                if state:
                    optimisers.remember(name, state, step)
    return step, float(about["seconds"])


def reached(path: Path) -> tuple[int, float]:
    """The step of a checkpoint, and the seconds spent until then."""
    with safe_open(path, framework="pt") as file:
        about = file.metadata()
    return int(about["step"]), float(about["seconds"])


def export(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Weights as the product reads them: halves, with what they are in the file's own metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, {name: value.detach().half().contiguous() for name, value in weights.items()}, metadata)


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    partial = path.with_suffix(".part")
    save_file(dict(tensors), partial, dict(metadata))
    partial.replace(path)


class Log:
    """One JSON object a line: step, seconds, and the mean of each part of the loss since the line before."""

    every = 20
    """Steps from line to line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        line = {"step": step, "seconds": round(seconds, 1), **{k: round(v, 6) for k, v in values.items()}}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the lines of steps that were lost with an interruption, and half a line."""
        lines = [line for line in read_log(self._path) if line["step"] <= step]
        self._path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def read_log(path: Path) -> list[dict[str, float]]:
    """The lines of a log that are whole."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines
