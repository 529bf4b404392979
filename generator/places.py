# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the generator keeps the little that it learns: the user's folder for such things on each system."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path

STATE = "DREAM_TEXTURES_STATE"
"""Environment variable: the folder to use instead."""

_NAME = "dream-textures"


def state_folder() -> Path:
    """The folder for what can be lost without harm. It may not exist yet."""
    chosen = os.environ.get(STATE, "")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / _NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / _NAME
    given = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path there is invalid and to be ignored.
    base = Path(given) if given and Path(given).is_absolute() else Path.home() / ".local" / "state"
    return base / _NAME


def write_whole(path: Path, text: str) -> None:
    """Write a small file whole or not at all, together with its folder. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
