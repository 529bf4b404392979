# SPDX-License-Identifier: GPL-3.0-or-later
"""What networks on the torus are made of, once for torch and once for NumPy."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from generator.importing import IMPORTING
from generator.material import FloatArray

EPSILON = 1e-5
"""Added to the variance in `Operations.normalise`."""

Field = Any
"""A stack of feature maps ``(B, C, H, W)``, float32: a tensor or an array, as the operations at work have it."""

Prepared = Mapping[str, Any]
"""A network's weights by name, as these operations want them."""


class Operations(Protocol):
    """Everything is periodic: a convolution fetches neighbours modulo the size, so that all commutes with rolling."""

    name: str

    def prepare(self, tensors: Mapping[str, FloatArray]) -> Prepared:
        """Weights from a file, made ready once and used often."""
        ...

    def to_field(self, values: FloatArray) -> Field:
        """``(B, C, H, W)`` float32, as these operations hold it."""
        ...

    def to_array(self, field: Field) -> FloatArray:
        """The same back as a NumPy array."""
        ...

    def convolve(self, field: Field, weight: Any, bias: Any) -> Field:
        """An odd-sized square kernel ``(O, C, K, K)`` at stride 1 with circular borders; size kept."""
        ...

    def prelu(self, field: Field, slope: Any) -> Field:
        """``x`` where positive, elsewhere ``slope * x``, with one slope ``(C,)`` for each channel."""
        ...

    def leaky(self, field: Field) -> Field:
        """The same with a slope of 0.1 for all."""
        ...

    def normalise(self, field: Field) -> Field:
        """Mean 0 and variance 1 over the channels of each pixel by itself (Ba et al. 2016, without weights)."""
        ...

    def unshuffle(self, field: Field, factor: int) -> Field:
        """Blocks of pixels to channels, in the order of torch's ``pixel_unshuffle``."""
        ...

    def shuffle(self, field: Field, factor: int) -> Field:
        """Channels to blocks of pixels, the inverse."""
        ...

    def nearest(self, field: Field, factor: int) -> Field:
        """Every pixel repeated ``factor`` times each way."""
        ...

    def halve(self, field: Field) -> Field:
        """The mean of every 2 x 2 pixels; both sides must be even."""
        ...

    def concatenate(self, fields: list[Field]) -> Field:
        """Along the channels."""
        ...

    def everywhere(self, field: Field) -> Field:
        """The mean over the whole torus ``(B, C, 1, 1)``, which no roll changes."""
        ...


def best_operations(check: Callable[[], None] | None = None) -> Operations:
    """Torch's where it is installed, else NumPy's. ``check`` is called between pieces of work, and may raise."""
    if importlib.util.find_spec("torch") is not None:
        try:
            with IMPORTING:
                from generator.networks.torch_operations import TorchOperations

            return TorchOperations(check)
        except Exception:  # noqa: S110
            pass  # A torch that is installed and does not load, whatever it raises, is as good as none.
    from generator.networks.numpy_operations import NumpyOperations

    return NumpyOperations(check)
