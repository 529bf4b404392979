# SPDX-License-Identifier: GPL-3.0-or-later
"""Small wheels and locks, as real as large ones."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

from generator.environment.locks import platform_name

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def make_wheel(folder: Path, name: str, version: str, files: dict[str, bytes] | None = None) -> Path:
    """A wheel with the module ``name``, which knows its version; ``files`` are added or take the module's place."""
    module = f"VERSION = {version!r}\n".encode()
    content = {f"{name}/__init__.py": module, f"{name}/data.bin": b"data" * 100, **(files or {})}
    info = f"{name}-{version}.dist-info"
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    content[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(f"{path},sha256={_hash(data)},{len(data)}\n" for path, data in content.items())
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, data in content.items():
            archive.writestr(inner, data)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


class Lock:
    """A lock file for this platform and the processor, in the making."""

    def __init__(self, folder: Path, disk: int = 1_000_000) -> None:
        self.path = folder / f"{platform_name()}-cpu.txt"
        self.disk = disk
        self.lines: list[str] = []

    def add(self, name: str, version: str, wheel: Path) -> None:
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.lines.append(f"{name}=={version} --hash=sha256:{sha256}")

    def write(self) -> None:
        said = [f"#: download {self.disk}", f"#: disk {self.disk}", f"#: python {PYTHON}"]
        self.path.write_text("\n".join([*said, *self.lines]) + "\n", encoding="utf-8")
