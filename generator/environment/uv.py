# SPDX-License-Identifier: GPL-3.0-or-later
"""The uv program: one version, fetched as a wheel whose hash is known, and never run before that was checked."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from . import index
from .cancelling import Cancel
from .faults import Failure, of_os
from .locks import platform_name
from .places import put
from .sources import Sources, host_of, without_secrets

VERSION = "0.13.9"
WHEEL_BYTES = 18_000_000
"""About what one wheel weighs."""

_X86, _ARM = "manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_28_aarch64"
WHEELS: Mapping[str, tuple[str, str]] = {
    "windows-x86_64": ("win_amd64", "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b"),
    "windows-arm64": ("win_arm64", "eeb92051c2123b9730c46b04cc843cfa4bc7d7b0aec56df431a2215ef4cb0273"),
    "macos-x86_64": (
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    "macos-arm64": ("macosx_11_0_arm64", "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63"),
    "linux-x86_64": (_X86, "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19"),
    "linux-arm64": (_ARM, "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375"),
    "linux-x86_64-musl": (
        "musllinux_1_1_x86_64",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    ),
    "linux-arm64-musl": (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
}
"""Platform tag and SHA-256 of the wheels on pypi.org."""

_EXECUTABLE = "uv.exe" if sys.platform == "win32" else "uv"
_MEMBER = f"uv-{VERSION}.data/scripts/{_EXECUTABLE}"


def wheel(on: str = "") -> tuple[str, str]:
    """File name and SHA-256 of the wheel for this platform. Raises `Failure` where there is none."""
    on = on or platform_name() + ("-musl" if _is_musl() else "")
    if on not in WHEELS:
        raise Failure(
            "python", f"There is no set-up for this kind of computer ({on}).", "Use an existing Python."
        )
    tag, sha256 = WHEELS[on]
    return f"uv-{VERSION}-py3-none-{tag}.whl", sha256


def ready(tools: Path) -> Path | None:
    """The uv that is there already, if it is the one that was extracted."""
    executable, note = tools / VERSION / _EXECUTABLE, tools / VERSION / "sha256"
    try:
        if note.read_text(encoding="ascii").strip() == _digest(executable):
            return executable
    except (OSError, UnicodeError):
        pass
    return None


def obtain(
    sources: Sources,
    tools: Path,
    cancel: Cancel,
    log: Callable[[str], None],
    progress: Callable[[int, int | None], None],
) -> Path:
    """The uv program below ``tools``, fetched if need be. Raises `Failure`."""
    found = ready(tools)
    if found is not None:
        return found
    name, sha256 = wheel()
    target = tools / name
    problems: list[str] = []

    def note(problem: str) -> None:
        problems.append(problem)
        log(problem)

    for link in index.find(sources, "uv", [name], note):
        try:
            index.fetch(sources, link, sha256, target, cancel, progress)
            log(f"uv {VERSION} from {without_secrets(link)}")
            return _extract(target, tools / VERSION)
        except index.UnreachableError as error:
            note(f"{host_of(link) or link}: {error}")
        except OSError as error:
            raise of_os(error, tools) from error
    if sources.offline or sources.no_index:
        raise Failure(
            "offline",
            "The program uv, which installs packages, is in no folder of wheels, and the network is not used.",
            f"Allow online access, or put {name} into a folder of wheels.",
        )
    reason = problems[-1] if problems else f"{host_of(sources.index) or sources.index} does not have it"
    raise Failure(
        "network",
        f"The program uv, which installs packages, could not be fetched ({reason}).",
        f"Check the connection, the proxy and the index, or put {name} into a folder of wheels.",
    )


def _extract(archive: Path, folder: Path) -> Path:
    executable = folder / _EXECUTABLE
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    with (
        zipfile.ZipFile(archive) as opened,
        opened.open(_MEMBER) as packed,
        (fresh / _EXECUTABLE).open("wb") as out,
    ):
        shutil.copyfileobj(packed, out)
    (fresh / _EXECUTABLE).chmod(0o755)
    (fresh / "sha256").write_text(_digest(fresh / _EXECUTABLE), encoding="ascii")
    shutil.rmtree(folder, ignore_errors=True)
    put(fresh, folder)
    archive.unlink()
    return executable


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_musl() -> bool:
    return sys.platform == "linux" and platform.libc_ver()[0] != "glibc"
