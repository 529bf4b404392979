# SPDX-License-Identifier: GPL-3.0-or-later
"""Dream Textures for Blender: words and images become seamless materials, made by a process of its own."""

from __future__ import annotations

from . import operators, preview, pump, runtime_state, settings, ui
from .environment import watch

_MODULES = (settings, preview, runtime_state, pump, watch, operators, ui)


def register() -> None:
    """Called by Blender when the extension is enabled."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled; the generator ends with it."""
    for module in reversed(_MODULES):
        module.unregister()
