# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preferences and Blender's own settings say about the generator's environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

from .commands import Wishes, brings_wheels, folder_at

_ADDON = __package__.rpartition(".")[0] if __package__ else ""
_FOLDER = "generator"
_WHEELS = "or choose a folder of wheels under Folder and Network in the preferences"
SWITCHED_OFF = (
    "Blender may not use the network. Allow it in Preferences > System > Network > Allow Online Access, "
    + _WHEELS
)
STARTED_OFFLINE = (
    "Blender was started without the network (--offline-mode). Start it without that option, " + _WHEELS
)


def preferences() -> Any:
    """The add-on's preferences, or None where they are not there (yet)."""
    addon = bpy.context.preferences.addons.get(_ADDON)
    return None if addon is None else addon.preferences


def default_folder() -> Path:
    """Where the environment lies if no other folder is chosen; Blender deletes it with the extension."""
    try:
        return Path(bpy.utils.extension_path_user(_ADDON, path=_FOLDER, create=False))
    except ValueError:  # enabled from a checkout, not as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path=f"dream_textures/{_FOLDER}"))


def wishes() -> Wishes:
    """The preferences as they are now."""
    chosen = preferences()

    def text(name: str) -> str:
        return str(getattr(chosen, name, "")).strip()

    return Wishes(
        folder=folder_at(_from_blender(text("environment_folder")), default_folder()),
        accelerator=text("accelerator") or "auto",
        base_python=_from_blender(text("base_python")),
        index_url=text("index_url"),
        torch_index_url=text("torch_index_url"),
        python_mirror=text("python_mirror"),
        wheels=_from_blender(text("wheels")),
        proxy=text("proxy"),
        offline=not bpy.app.online_access,
    )


def why_not() -> str:
    """Why nothing may be installed now, as a tooltip says it; empty where it may."""
    if bpy.app.online_access or brings_wheels(wishes(), os.environ):
        return ""
    return STARTED_OFFLINE if bpy.app.online_access_override else SWITCHED_OFF


def _from_blender(path: str) -> str:
    """A path without Blender's ``//`` for "beside the file"; addresses stay as they are."""
    return bpy.path.abspath(path) if path.startswith("//") else path
