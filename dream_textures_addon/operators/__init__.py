# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist can do, one file per verb."""

from __future__ import annotations

from . import (
    apply_material,
    cancel,
    copy_report,
    discard_jobs,
    environment_check,
    environment_remove,
    environment_setup,
    generate,
    generator_process,
    loras,
    make_maps,
    make_seamless,
    move_job,
    open_log,
    place_job,
    resume_jobs,
    retry,
    save_maps,
    show_tiled,
    upscale,
    use_existing_python,
    use_image,
)

_MODULES = (
    generate,
    make_maps,
    make_seamless,
    upscale,
    cancel,
    move_job,
    retry,
    resume_jobs,
    place_job,
    discard_jobs,
    apply_material,
    use_image,
    loras,
    show_tiled,
    save_maps,
    copy_report,
    generator_process,
    environment_setup,
    environment_remove,
    environment_check,
    use_existing_python,
    open_log,
)


def register() -> None:
    """Make the operators known to Blender."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Take them away again."""
    for module in reversed(_MODULES):
        module.unregister()
