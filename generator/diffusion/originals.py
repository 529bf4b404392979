# SPDX-License-Identifier: GPL-3.0-or-later
"""A model's weights as they were read, for whoever changes them for a while: from its own files, without a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Files = Callable[[str], tuple[Path, ...]]
"""The safetensors files of a pipeline's part."""


def no_files(part: str) -> tuple[Path, ...]:
    """For a model that was not read from files."""
    return ()


class OriginalsLostError(Exception):
    """The model's files are no longer those that it was read from: read the model again."""


class Originals:
    """Gives every weight back as it was before it was first changed, to the last bit.

    The model's files hold it already, so a copy in memory is kept only of a weight that its file does not hold by
    the same name and value; each is compared once, before it is changed. ``dtype`` is what the model was read in.
    """

    def __init__(self, files: Files, dtype: torch.dtype) -> None:
        self._files = files
        self._dtype = dtype
        self._places: dict[str, dict[str, Path]] = {}
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._open: dict[Path, Any] = {}
        self._opened = ExitStack()
        self._stored: dict[tuple[str, str], tuple[Path, str]] = {}
        self._copies: dict[tuple[str, str], Tensor] = {}

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While open, files stay open once they were looked into. Raises `OriginalsLostError`."""
        try:
            with self._opened:
                yield
        finally:
            self._open.clear()

    def of(self, part: str, name: str, live: Tensor) -> Tensor:
        """The weight ``name`` of ``part`` before its first change, as finely as it is known, in main memory.

        ``live`` is that weight in the model; the first time it must not have been changed yet.
        """
        key = part, name
        if key not in self._stored and key not in self._copies:
            self._find(key, live)
        return self._copies[key] if key in self._copies else self._tensor(*self._stored[key])

    def restore(self, part: str, name: str, live: Tensor) -> None:
        """Write the original back."""
        original = self.of(part, name, live)
        live.copy_(original if (part, name) in self._copies else self._as_read(original, live))

    def _find(self, key: tuple[str, str], live: Tensor) -> None:
        part, name = key
        if part not in self._places:
            self._places[part] = {
                found: file
                for file in self._files(part)
                for found in self._handle(file).keys()  # noqa: SIM118 - not a dictionary
            }
        places = self._places[part]
        # Releases of transformers differ in whether they name the outermost module of a text encoder.
        for stored in (name, f"text_model.{name}"):
            if stored in places:
                tensor = self._tensor(places[stored], stored)
                if tensor.shape == live.shape and _same(self._as_read(tensor, live).to(live.device), live):
                    self._stored[key] = places[stored], stored
                    return
        self._copies[key] = live.detach().to("cpu", copy=True)

    def _as_read(self, stored: Tensor, live: Tensor) -> Tensor:
        # In two steps, as reading does where weights are kept in 8 bits.
        return stored.to(self._dtype).to(live.dtype)

    def _tensor(self, file: Path, name: str) -> Tensor:
        return self._handle(file).get_tensor(name)

    def _handle(self, file: Path) -> Any:
        from safetensors import safe_open

        if file not in self._open:
            try:
                state = file.stat()
                stamp = state.st_size, state.st_mtime_ns
                if self._stamps.setdefault(file, stamp) != stamp:
                    raise OriginalsLostError(f"{file} has changed")
                self._open[file] = self._opened.enter_context(safe_open(file, framework="pt"))
            except OSError as error:
                raise OriginalsLostError(str(error)) from error
        return self._open[file]


def _same(one: Tensor, other: Tensor) -> bool:
    if one.dtype.itemsize == 1:  # not every release compares 8-bit numbers
        one, other = one.view(torch.uint8), other.view(torch.uint8)
    return torch.equal(one, other)
