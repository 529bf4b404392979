# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Debian 13 in a folder, with Blender 4.3 and a virtual screen: the same on every machine that can make it.

It takes a minute and 1.8 GB once; later runs find it ready. Programs in it see neither the network nor the
processes of the machine, and none of them outlives the run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

VARIABLE = "DREAM_TEXTURES_WINDOW"
SUITE, MIRROR = "trixie", "http://deb.debian.org/debian"
# Debian's Blender comes without the NumPy that every build of blender.org bundles.
PACKAGES = ("blender", "python3-numpy", "xvfb", "libgl1-mesa-dri", "imagemagick")
EDITION = f"{SUITE} {' '.join(PACKAGES)}"


class Unavailable(Exception):
    """Such a system cannot be made on this machine; the text is a sentence."""


def prepare() -> Path:
    """The folder of the system, made now if it is not there yet. Raises `Unavailable`."""
    if not sys.platform.startswith("linux"):
        raise Unavailable("A Debian in a folder needs Linux.")
    if os.geteuid() != 0:
        raise Unavailable("A Debian in a folder can only be made and entered by root.")
    if shutil.which("unshare") is None:
        raise Unavailable("The program unshare (of util-linux) is missing.")
    cache = Path(os.environ.get(VARIABLE, "~/.cache/dream-textures-window")).expanduser()
    root, marker = cache / "root", cache / "ready"
    if marker.is_file() and marker.read_text(encoding="utf-8") == EDITION:
        return root
    cache.mkdir(parents=True, exist_ok=True)
    marker.unlink(missing_ok=True)
    if root.exists():
        shutil.rmtree(root)
    print(f"Making a Debian with Blender in {root} (about a minute, 1.8 GB, once)", flush=True)
    _run(cache, [*_debootstrap(cache), "--variant=minbase", SUITE, str(root), MIRROR])
    _run(cache, ["chroot", str(root), "apt-get", "update"])
    _run(cache, ["chroot", str(root), "apt-get", "install", "-y", "--no-install-recommends", *PACKAGES])
    _run(cache, ["chroot", str(root), "apt-get", "clean"])
    marker.write_text(EDITION, encoding="utf-8")
    return root


def enter(
    root: Path,
    command: Sequence[str],
    folders: Mapping[str, Path],
    environment: Mapping[str, str],
    timeout: float,
) -> int:
    """Run a command inside; ``folders`` says which of ours appears where. Its exit status, or 124 after ``timeout``.

    Own namespaces for mounts, processes and the network: with the command ends everything that it started.
    """
    lines = ["set -e", f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev"]
    lines += [f"mount -t tmpfs tmpfs {root}/tmp"]
    for place, folder in folders.items():
        lines += [f"mkdir -p {root}{place}", f"mount --bind '{folder}' {root}{place}"]
    lines += [f'exec chroot {root} "$@"']
    program = [
        "unshare",
        "--mount",
        "--pid",
        "--net",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        "\n".join(lines),
        "sh",
    ]
    clean = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", "LANG": "C.UTF-8"}
    try:
        return subprocess.run(
            [*program, *command], env={**clean, **environment}, timeout=timeout, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return 124


def _debootstrap(cache: Path) -> list[str]:
    """The program's command line; where it is not installed, its package is unpacked beside the root."""
    if shutil.which("debootstrap"):
        return ["debootstrap"]
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable(
            "The program debootstrap is missing, and this machine has no apt-get to fetch it with."
        )
    folder = cache / "debootstrap"
    folder.mkdir(exist_ok=True)
    _run(cache, ["apt-get", "download", "debootstrap"], cwd=folder)
    (package,) = folder.glob("debootstrap_*.deb")
    _run(cache, ["dpkg-deb", "-x", str(package), str(folder)])
    return [
        "env",
        f"DEBOOTSTRAP_DIR={folder}/usr/share/debootstrap",
        "sh",
        f"{folder}/usr/sbin/debootstrap",
    ]


def _run(cache: Path, command: list[str], cwd: Path | None = None) -> None:
    log = cache / "log"
    with log.open("ab") as output:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
            check=False,
        )
    if done.returncode:
        raise Unavailable(f"{command[0]} ended with status {done.returncode}; its output is in {log}.")
