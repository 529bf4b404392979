# SPDX-License-Identifier: GPL-3.0-or-later
"""A model file of the artist's: whatever spandrel reads, made to work on a torus where it can be.

spandrel asks for torchvision, which two of its architectures import and no upscaler among them uses; where
torchvision is not installed they do without. Nothing in a file is ever executed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from generator.importing import IMPORTING
from generator.material import FloatArray
from generator.networks import WeightsError, read_weights
from generator.progress import GenerationError, Progress
from generator.shortage import is_out_of_memory, trim_heap
from generator.upscaling.methods import CompactNetwork, Enlarger, Tick, repeated
from generator.upscaling.pieces import Axes

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS = (".safetensors", ".pth", ".ckpt")
_SIDES = (256, 128, 64)
"""Pixels of a piece, halo included; smaller ones are tried where the memory does not hold the larger."""
_MARGIN, _OVERLAP = 16, 8
_TRIAL, _SHIFT = 64, 16
_LIMIT = 1e-3
"""How far the law of the torus may be missed by rounding alone; what is broken misses it by 0.01 to 1."""

_INSTALL = "Install it into the generator's Python: pip install --no-deps spandrel einops."
_NEEDS_TORCH = (
    "In Blender, press Set Up Generator in the preferences of Dream Textures. Elsewhere, install torch, and spandrel "
    "with: pip install --no-deps spandrel einops."
)


class Loaded(Enlarger, Protocol):
    """An enlarger out of a file."""

    @property
    def channels(self) -> int:
        """How many channels it takes: 1 or 3."""
        ...


def load(path: Path, device: str, progress: Progress) -> Loaded:
    """The model in this file. Raises `GenerationError` with a sentence where it cannot be used."""
    if path.suffix.lower() not in ENDINGS:
        raise _refused(path, f"is no model file: those end in {', '.join(ENDINGS)}.")
    if not path.is_file():
        raise GenerationError("no_such_model", f"There is no model file {path}.", "Check the path.")
    progress.loading(f"Opening {path.name}")
    own = _as_compact(path, progress)
    if own is not None:
        return own
    if importlib.util.find_spec("torch") is None:
        raise GenerationError(
            "needs_torch",
            f"{path.name} needs torch, and the Python that runs the generator lacks it.",
            _NEEDS_TORCH,
        )
    with IMPORTING:
        import torch as torch
    return _Foreign(_described(path), path, device, progress)


def _as_compact(path: Path, progress: Progress) -> CompactNetwork | None:
    """The file as a network that we can run ourselves, exactly and without torch; None where it is another."""
    if path.suffix.lower() != ".safetensors":
        return None
    try:
        return CompactNetwork(read_weights(path), path.name, progress.check)
    except WeightsError:
        return None  # spandrel says what it is, or that it is nothing


class _Foreign:
    """A model that spandrel has read, on its device."""

    def __init__(self, descriptor: Any, path: Path, device: str, progress: Progress) -> None:
        from generator.diffusion.hardware import choose_device

        descriptor.to(choose_device(device)).eval()
        self.name = f"{path.name} ({descriptor.architecture.name})"
        self.channels = int(descriptor.input_channels)
        self._scale = int(descriptor.scale)
        self._model = descriptor
        self._progress = progress
        needs = descriptor.size_requirements
        self._multiple, self._minimum = max(1, int(needs.multiple_of)), max(1, int(needs.minimum))
        self._found: dict[Axes, float] = {}

    def __call__(self, picture: FloatArray, factor: int, wraps: Axes, tick: Tick) -> FloatArray:
        if self.channels == 1 and picture.shape[2] > 1:
            parts = [
                self(picture[..., channel : channel + 1], factor, wraps, tick)
                for channel in range(picture.shape[2])
            ]
            return np.concatenate(parts, axis=2)
        return repeated(self._once, self._scale, picture, factor, wraps, tick)

    def _once(self, picture: FloatArray, wraps: Axes, tick: Tick) -> FloatArray:
        import torch

        from generator.torus import wrap

        image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(picture, 2, 0)))[None]
        # A size that the model would have to pad has edges again.
        whole = all(side % self._multiple == 0 and side >= self._minimum for side in image.shape[-2:])
        with torch.inference_mode(), wrap(self._model.model, *wraps):
            exact = whole and self._law(wraps) < _LIMIT
            for side in _SIDES:
                try:
                    made = self._in_tiles(image, side, wraps, exact, tick)
                    return np.moveaxis(made[0].clamp_(0, 1).numpy(), 0, 2)
                except Exception as error:
                    if side == _SIDES[-1] or not is_out_of_memory(error):
                        raise
                trim_heap()
        raise AssertionError("the last size either works or raises")

    def _law(self, wraps: Axes) -> float:
        """How far the model misses the law of the torus; asked once for each choice of axes, and told if far."""
        import torch

        from generator.torus.law import violation

        if not any(wraps):
            return 0.0
        if wraps not in self._found:
            side = -(-max(_TRIAL, self._minimum) // self._multiple) * self._multiple
            shift = -(-_SHIFT // self._multiple) * self._multiple
            generator = torch.Generator("cpu").manual_seed(0)
            noise = torch.rand((1, self.channels, side, side), generator=generator)
            down, right = shift if wraps[1] else 0, shift if wraps[0] else 0
            found = violation(self._run, noise, (down, right), self._scale)
            self._found[wraps] = found
            if found >= _LIMIT:
                self._progress.notice(
                    f"{self.name} knows where the edges of its picture are (off by {found:.1%}), so it is given "
                    "pieces with a border from the opposite sides, and joins them by fading."
                )
        return self._found[wraps]

    def _in_tiles(self, image: Tensor, side: int, wraps: Axes, exact: bool, tick: Tick) -> Tensor:
        from generator.torus.tiles import Tiles, tiled

        rows, columns = image.shape[-2:]
        tiles = Tiles(side, _MARGIN, _OVERLAP)
        count = (-(-rows // tiles.step) if rows > side else 1) * (
            -(-columns // tiles.step) if columns > side else 1
        )
        done = -1

        def check() -> None:
            nonlocal done
            done += 1
            tick(min(done / count, 1.0))

        # Where the model is not exact, an axis that is not cut needs its border all the same.
        border = (wraps[0] and not exact and columns <= side, wraps[1] and not exact and rows <= side)
        coder = self._bordered(border) if any(border) else self._run
        return tiled(coder, image, tiles, (1, self._scale), *wraps, check)

    def _bordered(self, axes: Axes) -> Callable[[Tensor], Tensor]:
        from generator.torus import extend

        across, down = (_MARGIN if axis else 0 for axis in axes)
        scale = self._scale

        def run(piece: Tensor) -> Tensor:
            rows, columns = piece.shape[-2:]
            made = self._run(extend(piece, across, across, down, down))
            return made[
                ...,
                down * scale : (down + rows) * scale,
                across * scale : (across + columns) * scale,
            ]

        return run

    def _run(self, piece: Tensor) -> Tensor:
        return self._model(piece.to(self._model.device)).float().cpu()


def _described(path: Path) -> Any:
    """spandrel's description of the model in this file, with its weights."""
    try:
        spandrel = library()
    except ImportError as error:
        raise GenerationError(
            "needs_spandrel", f"{path.name} needs the library spandrel ({error}).", _INSTALL
        ) from error
    try:
        state = spandrel.canonicalize_state_dict(_tensors(path))
        descriptor = spandrel.ModelLoader().load_from_state_dict(state)
    except GenerationError:
        raise
    except spandrel.UnsupportedModelError as error:
        raise _refused(path, "holds a model of a kind that spandrel does not know.") from error
    except Exception as error:  # an architecture fails in its own way on weights that do not fit it
        if is_out_of_memory(error):
            raise
        raise _refused(path, f"cannot be loaded ({type(error).__name__}: {error}).") from error
    channels = (descriptor.input_channels, descriptor.output_channels)
    if not isinstance(descriptor, spandrel.ImageModelDescriptor) or channels not in ((1, 1), (3, 3)):
        raise _refused(path, "is no model that makes a picture of a picture.")
    if descriptor.scale < 2:
        raise _refused(path, "does not make pictures larger.")
    return descriptor


def library() -> Any:
    """The module spandrel, whether or not torchvision is installed. Raises ``ImportError``."""
    # What stands in for torchvision must not be seen by transformers, which may be imported in the background.
    with IMPORTING, _without_torchvision():
        return importlib.import_module("spandrel")


def _tensors(path: Path) -> dict[str, Any]:
    """The tensors in a file; of a pickle nothing but tensors, numbers and texts is ever made."""
    import pickle

    import torch

    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        advice = "Ask its author for a .safetensors file."
        raise GenerationError(
            "bad_model", f"{path.name} holds more than weights, or is damaged, and is not opened.", advice
        ) from error
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise _refused(path, f"cannot be read ({type(error).__name__}).") from error
    if not isinstance(found, dict):
        raise _refused(path, "holds no weights.")
    return found


def _refused(path: Path, why: str) -> GenerationError:
    return GenerationError("bad_model", f"{path.name} {why}", "Choose another model file.")


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """While open, importing the two names that spandrel wants of torchvision works, though it is not installed."""
    if importlib.util.find_spec("torchvision") is not None or "spandrel" in sys.modules:
        yield
        return
    functional = ModuleType("torchvision.transforms.functional")
    functional.InterpolationMode = type("InterpolationMode", (), {"BILINEAR": "bilinear"})  # type: ignore[attr-defined]
    functional.rotate = functional.normalize = _missing  # type: ignore[attr-defined]
    names = {
        "torchvision": ModuleType("torchvision"),
        "torchvision.transforms": ModuleType("torchvision.transforms"),
        "torchvision.transforms.functional": functional,
    }
    sys.modules.update(names)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)


def _missing(*_arguments: object, **_options: object) -> None:
    raise GenerationError(
        "needs_torchvision", "This kind of model needs the library torchvision.", "Choose another file."
    )
