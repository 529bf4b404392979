# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes torch modules work on a torus: nothing they compute knows where the edges of its image are."""

from __future__ import annotations

from .wrapping import TorusModule, extend, rule, wrap

__all__ = ["TorusModule", "extend", "rule", "wrap"]
