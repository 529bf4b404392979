# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist sees, one file per place in Blender."""

from __future__ import annotations

from . import image_editor, preferences, shader_editor, view3d

_MODULES = (preferences, view3d, shader_editor, image_editor)


def register() -> None:
    """Show the panels."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Take them away again."""
    for module in reversed(_MODULES):
        module.unregister()
