# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``dream-textures generate``, ``maps``, ``tile``, ``seams``, ``models``, ``setup``, ``doctor``."""

from __future__ import annotations

from .main import run

__all__ = ["run"]
