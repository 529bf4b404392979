# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights on their way from the files to where they are computed with, in a thread, while libraries are imported.

The files are mapped: each page is read once, as it is stored, and each weight is cast once, where it is going to
live, into the order in memory that convolutions want. No more than one weight exists twice.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from generator.shortage import forget_frames, share_one_heap

PATIENCE = 300.0
"""Seconds to wait for a part that a slow drive brings; it is then read in the plain way."""

Tensors = dict[str, Tensor]


def brought(tensor: Tensor, device: torch.device, dtype: torch.dtype, channels_last: bool) -> Tensor:
    """A weight on ``device`` in ``dtype``, where it is a floating-point number; itself if it is so already.

    ``channels_last`` is the order for weights of convolutions; others keep theirs.
    """
    layout = torch.channels_last if channels_last and tensor.ndim == 4 else torch.preserve_format
    dtype = dtype if tensor.is_floating_point() else tensor.dtype
    # First where it is going to be: a graphics card casts faster than it is sent anything.
    return tensor.to(device).to(dtype, memory_format=layout)


class Ahead:
    """Begins at once to bring the weights in ``files`` to ``device``, part after part, as `brought` does."""

    def __init__(
        self,
        files: Mapping[str, tuple[Path, ...]],
        device: torch.device,
        dtype: torch.dtype,
        channels_last: bool,
    ) -> None:
        self.device, self.dtype = device, dtype
        self.held = 0
        """Bytes of main memory that have been filled so far."""
        self._files = files
        self._channels_last = channels_last
        self._done: dict[str, Tensors] = {}
        self._ready = {name: threading.Event() for name in files}
        self._stopped = False
        self._threads = torch.get_num_threads()  # asked for once, a thread keeps its number
        share_one_heap()
        self._thread = threading.Thread(target=self._bring, name="weights", daemon=True)
        self._thread.start()

    def take(self, name: str) -> Tensors:
        """All weights of a part by their names in the files, once; waits for them.

        None at all where that went wrong: whoever then reads them in the plain way will see what it was.
        """
        if name in self._ready and not self._ready[name].wait(PATIENCE):
            return {}
        return self._done.pop(name, {})

    def stop(self) -> None:
        """Let go of all that was not taken. Waits for the weight under way."""
        self._stopped = True
        self._thread.join(PATIENCE)
        self._done.clear()

    def _bring(self) -> None:
        if self.device.type == "cpu" and "generator.diffusion.model" not in sys.modules:
            torch.set_num_threads(1)  # the other cores import
        try:
            self._bring_all()
        finally:
            # Also what threads begin with that have not computed anything yet.
            torch.set_num_threads(self._threads)

    def _bring_all(self) -> None:
        for name, files in self._files.items():
            try:
                if not self._stopped:
                    self._done[name] = self._part(files)
            except Exception as error:
                forget_frames(error)
            finally:
                self._ready[name].set()

    def _part(self, files: tuple[Path, ...]) -> Tensors:
        tensors: Tensors = {}
        for file in files:
            tensors.update(load_file(file))
        for name, mapped in tensors.items():
            if self._stopped:
                return {}
            tensors[name] = brought(mapped, self.device, self.dtype, self._channels_last)
            if tensors[name] is not mapped and self.device.type == "cpu":
                self.held += tensors[name].nbytes
        return tensors
