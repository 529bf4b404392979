# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an environment is what its lock says, down to the bytes of every file that was installed."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Damage:
    """One package that is not as it was installed, and how."""

    package: str
    problem: str


def site_packages(environment: Path) -> Path | None:
    """Where a virtual environment keeps its packages, or None."""
    candidates = [environment / "Lib" / "site-packages", *environment.glob("lib/python3.*/site-packages")]
    return next((path for path in candidates if path.is_dir()), None)


def find_damage(
    environment: Path,
    pins: Mapping[str, str],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Damage]:
    """Packages that are missing, of another version or altered; one entry each. Reads every file once.

    ``on_progress`` is told how many bytes of how many are checked, and may raise to stop.
    """
    site = site_packages(environment)
    if site is None:
        return [Damage(name, "is not there") for name in sorted(pins)]
    installed = _installed(site)
    found, records = [], []
    for name, version in sorted(pins.items()):
        folder = installed.get(name)
        if folder is None:
            found.append(Damage(name, "is not there"))
        elif _plain(folder.name.removesuffix(".dist-info").rpartition("-")[2]) != _plain(version):
            found.append(Damage(name, f"is not version {version}"))
        else:
            records.append((name, folder))
    listed = [(name, _record(folder, site)) for name, folder in records]
    total = sum(size for _name, files in listed for _path, _hash, size in files or ())
    done = 0
    for name, files in listed:
        problem = "has no list of its files" if files is None else ""
        for path, expected, size in files or ():
            on_progress(done, total)
            problem = _check(path, expected, size)
            done += size
            if problem:
                break
        if problem:
            found.append(Damage(name, problem))
    return found


def versions(environment: Path) -> dict[str, str]:
    """Version by normalised name of what is installed."""
    site = site_packages(environment)
    found = _installed(site) if site is not None else {}
    return {name: folder.name.removesuffix(".dist-info").rpartition("-")[2] for name, folder in found.items()}


def _installed(site: Path) -> dict[str, Path]:
    found = {}
    for folder in site.glob("*.dist-info"):
        name = folder.name.removesuffix(".dist-info").rpartition("-")[0]
        found[re.sub(r"[-_.]+", "-", name).lower()] = folder
    return found


def _plain(version: str) -> str:
    """A version without leading zeros, which wheels may write and locks do not."""
    return re.sub(r"(?<![\w])0+(?=\d)", "", version.lower())


def _record(folder: Path, site: Path) -> list[tuple[Path, str, int]] | None:
    try:
        with (folder / "RECORD").open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.reader(stream) if len(row) == 3]
    except (OSError, UnicodeError, csv.Error):
        return None
    root = site.parent.parent.parent
    files = []
    for name, expected, size in rows:
        path = (site / name).resolve() if ".." in name else site / name
        # What lies outside the environment is not ours to read; rows without a hash are made at installation.
        if (
            expected.startswith("sha256=")
            and size.isdigit()
            and (".." not in name or path.is_relative_to(root))
        ):
            files.append((path, expected, int(size)))
    return files or None


def _check(path: Path, expected: str, size: int) -> str:
    try:
        if path.stat().st_size != size:
            return f"{path.name} has another size"
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        return f"{path.name}: {error.strerror}"
    said = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    return "" if expected == f"sha256={said}" else f"{path.name} has other contents"
