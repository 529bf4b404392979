# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes torch modules work on a torus: nothing they compute knows where the edges of their image are."""

from __future__ import annotations

from . import convolutions as convolutions  # its rules are what `wrap` goes by
from .denoisers import is_exact, on_torus
from .positions import periodic_positions
from .roll import rolled
from .strides import stride_of
from .swapping import TorusModule
from .wrapping import extend, rule, wrap

__all__ = [
    "TorusModule",
    "extend",
    "is_exact",
    "on_torus",
    "periodic_positions",
    "rolled",
    "rule",
    "stride_of",
    "wrap",
]
