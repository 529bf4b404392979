# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist can do, one file per verb."""

from __future__ import annotations

from . import (
    apply_material,
    cancel,
    copy_report,
    generate,
    generator_process,
    make_maps,
    make_seamless,
    save_maps,
    show_tiled,
    use_image,
)

_MODULES = (
    generate,
    make_maps,
    make_seamless,
    cancel,
    apply_material,
    use_image,
    show_tiled,
    save_maps,
    copy_report,
    generator_process,
)


def register() -> None:
    """Make the operators known to Blender."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Take them away again."""
    for module in reversed(_MODULES):
        module.unregister()
