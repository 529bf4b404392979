# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete what a set-up made, and only that."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from generator.protocol.environment import MARKER

from .busy import alone
from .faults import Failure, of_os
from .places import Places


@dataclass(frozen=True)
class Removed:
    """What is gone, in words and as paths."""

    state: str
    python: str
    changed: bool
    message: str
    deleted: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


def remove(folder: Path) -> Removed:
    """Delete the environment in ``folder``, and the folder itself where nothing else is in it. Raises `Failure`."""
    places = Places(folder)
    if not (folder / MARKER).is_file():
        return Removed("absent", "", False, f"There is no environment in {folder}, so nothing was deleted.")
    deleted: list[str] = []
    try:
        with alone(places.lock):
            # First it stops being an environment: whatever happens then, nothing half is ever taken for a whole.
            places.mark("incomplete", environment="")
            for path in (*places.made()[:5], *folder.glob(f".{MARKER}-*")):
                if _delete(path):
                    deleted.append(str(path))
        for path in (places.lock, places.marker):
            if _delete(path):
                deleted.append(str(path))
        if not any(folder.iterdir()):
            folder.rmdir()
            deleted.append(str(folder))
    except OSError as error:
        raise of_os(error, folder) from error
    left = f" Kept, since it is not ours: {', '.join(_names(folder))}." if folder.exists() else ""
    return Removed(
        "absent", "", True, f"Deleted {', '.join(deleted)}.{left} Models were not touched.", deleted
    )


def _delete(path: Path) -> bool:
    if path.is_symlink():
        raise Failure(
            "permission", f"{path} is a link to somewhere else, and was not followed.", "Remove it yourself."
        )
    if path.is_dir():
        shutil.rmtree(path, onerror=_once_more)
        return True
    if path.exists():
        path.unlink()
        return True
    return False


def _once_more(function: Any, name: str, problem: Any) -> None:
    """Windows refuses to delete what is read-only; everything else is told."""
    if os.access(name, os.W_OK) or function not in (os.unlink, os.remove, os.rmdir):
        raise problem[1]
    Path(name).chmod(0o700)
    function(name)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
