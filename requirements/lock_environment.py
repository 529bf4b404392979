# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the lock files of the private environment, ``generator/environment/locks/``: ``python3 dev.py lock``.

uv resolves what pyproject.toml asks for, held to the versions of ``requirements/generator.txt`` with which
everything is tested. Then, for each package, the wheels that suit the platform are looked up on pypi.org, and their
hashes and sizes written down. PyTorch builds that only its own index has come from ``torch_wheels.toml``.
"""

from __future__ import annotations

import functools
import html.parser
import io
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "generator" / "environment" / "locks"
INDEX = "https://pypi.org/simple"
PYTHONS = ("3.12", "3.13", "3.11")
"""What the environment may stand on, best first."""

TORCH_NEEDS = ("filelock", "typing-extensions", "setuptools", "sympy", "networkx", "jinja2", "fsspec")
"""What every build of PyTorch needs besides its own libraries; for builds whose metadata pypi.org does not have."""


@dataclass(frozen=True)
class Target:
    """One lock. ``torch`` is a version on pypi.org, or with ``index`` the one that this index serves."""

    platform: str
    accelerator: str
    uv_platform: str
    torch: str
    index: str = ""
    pythons: tuple[str, ...] = PYTHONS
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def path(self) -> Path:
        """Where the lock lies."""
        return LOCKS / f"{self.platform}-{self.accelerator}.txt"


_LINUX, _ARM = ("linux-x86_64", "x86_64-manylinux_2_28"), ("linux-arm64", "aarch64-manylinux_2_28")
_WINDOWS, _MAC = ("windows-x86_64", "x86_64-pc-windows-msvc"), ("macos-arm64", "aarch64-apple-darwin")
_PYTORCH = "https://download.pytorch.org/whl/"


def target(platform: tuple[str, str], accelerator: str, *rest: Any, **more: Any) -> Target:
    """A target with the platform's two names in their places."""
    return Target(platform[0], accelerator, platform[1], *rest, **more)


TARGETS = (
    target(_LINUX, "cuda", "2.13.0"),
    target(
        _LINUX,
        "cuda-legacy",
        "2.7.1",
        notes=("The newest PyTorch on pypi.org that is built with CUDA 12.6.",),
    ),
    target(_LINUX, "rocm", "2.10.0+rocm7.1", _PYTORCH + "rocm7.1", ("3.12",)),
    target(_LINUX, "cpu", "2.13.0+cpu", _PYTORCH + "cpu"),
    target(_ARM, "cuda", "2.13.0"),
    target(_ARM, "cpu", "2.13.0+cpu", _PYTORCH + "cpu"),
    target(_WINDOWS, "cuda", "2.13.0+cu130", _PYTORCH + "cu130", ("3.12", "3.13")),
    target(_WINDOWS, "cuda-legacy", "2.13.0+cu126", _PYTORCH + "cu126", ("3.12",)),
    target(_WINDOWS, "cpu", "2.13.0"),
    target(_MAC, "mps", "2.13.0"),
)


@dataclass(frozen=True)
class Wheel:
    """One file of a release: its hash, and its bytes packed and unpacked."""

    name: str
    sha256: str
    size: int
    unpacked: int


def main(words: Sequence[str]) -> int:
    """Write the locks whose names begin with one of ``words``, or all."""
    for item in TARGETS:
        if not words or any(item.path.stem.startswith(word) for word in words):
            text = lock(item)
            item.path.parent.mkdir(exist_ok=True)
            item.path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{item.path.name}: {text.count('==')} packages, {_said(text, 'download')} bytes")
    return 0


def lock(item: Target) -> str:
    """The text of one lock file."""
    pins = resolve(item)
    special = special_wheels(item) if item.index else {}
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(pins, pool.map(lambda pin: wheels(item, *pin), pins), strict=True))
    best = item.pythons[0]
    packed = sum(_best(files, best).size for files in found.values())
    unpacked = sum(_best(files, best).unpacked for files in found.values())
    for files in special.values():
        first = files[f"cp{best.replace('.', '')}"]
        packed, unpacked = packed + first["bytes"], unpacked + first["disk"]
    lines = [
        "# Made by `python3 dev.py lock` and not edited. Installed with --require-hashes.",
        *(f"# {note}" for note in item.notes),
        f"#: download {packed}",
        f"#: disk {unpacked}",
        f"#: python {' '.join(item.pythons)}",
    ]
    for (name, version), files in found.items():
        lines += _entry(f"{name}=={version}", sorted({file.sha256 for file in files}))
    if special:
        lines += ["# What follows is served by PyTorch's own index alone.", f"#: index {item.index}"]
        for requirement, files in special.items():
            lines += _entry(requirement, [entry["sha256"] for entry in files.values()])
    return "\n".join(lines) + "\n"


def resolve(item: Target) -> list[tuple[str, str]]:
    """Name and version of every package but those of a special index. The same on each Python, or it is an error."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["diffusion"],
        *_lines("spandrel.txt"),
    ]
    held = [line for line in _lines("generator.txt") if not line.startswith("torch==")]
    if item.index:
        wanted = [line for line in wanted if not line.startswith("torch")] + list(TORCH_NEEDS)
    else:
        held.append(f"torch=={item.torch}")
    answers = {python: tuple(_compile(item, python, wanted, held)) for python in item.pythons}
    if len(set(answers.values())) > 1:
        raise SystemExit(
            f"{item.path.name}: the Pythons need different packages; the lock would need markers."
        )
    return list(answers[item.pythons[0]])


def _lines(name: str) -> list[str]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _compile(
    item: Target, python: str, wanted: Iterable[str], held: Iterable[str]
) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        # Spandrel names torchvision, which no upscaler uses.
        left_out = ["torchvision", "torch"] if item.index else ["torchvision"]
        lists = {"wanted": wanted, "held": held, "left_out": left_out}
        paths = {name: Path(folder) / f"{name}.txt" for name in lists}
        for name, content in lists.items():
            paths[name].write_text("\n".join(content) + "\n", encoding="utf-8")
        command = [
            "uv", "pip", "compile", paths["wanted"], "--constraints", paths["held"], "--excludes", paths["left_out"],
            "--no-config", "--default-index", INDEX, "--python-platform", item.uv_platform, "--python-version", python,
            "--only-binary", ":all:", "--no-header", "--no-annotate", "--quiet",
        ]  # fmt: skip
        # PyTorch's wheels for the Mac ask for macOS 14, and uv resolves for 13 unless it is told.
        ran = subprocess.run(
            list(map(str, command)), check=False, capture_output=True, text=True,
            env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},
        )  # fmt: skip
    if ran.returncode:
        raise SystemExit(f"{item.path.name}: {ran.stderr}")
    for line in ran.stdout.splitlines():
        found = re.match(r"([\w.-]+)(?:\[[^\]]*\])?==(\S+)", line)
        if found:
            yield found[1], found[2]


def special_wheels(item: Target) -> dict[str, dict[str, Any]]:
    """The entries of ``torch_wheels.toml`` for this target, by requirement."""
    table = tomllib.loads((ROOT / "requirements" / "torch_wheels.toml").read_text(encoding="utf-8"))
    found = table[item.index][item.platform]
    if f"torch=={item.torch}" not in found:
        raise SystemExit(f"torch_wheels.toml has no torch=={item.torch} for {item.path.name}")
    return found


@functools.cache
def tags(platform: str, python: str) -> frozenset[Tag]:
    """The wheels that a Python of this version takes on this platform."""
    version = tuple(map(int, python.split(".")))
    if platform == "macos-arm64":
        platforms = list(mac_platforms((14, 0), "arm64"))
    elif platform == "windows-x86_64":
        platforms = ["win_amd64"]
    else:
        arch = "x86_64" if platform.endswith("x86_64") else "aarch64"
        platforms = [f"manylinux_2_{minor}_{arch}" for minor in range(5, 41)]
        platforms += [f"{name}_{arch}" for name in ("manylinux1", "manylinux2010", "manylinux2014", "linux")]
    interpreter = f"cp{version[0]}{version[1]}"
    return frozenset(
        [*cpython_tags(version, platforms=platforms), *compatible_tags(version, interpreter, platforms)]
    )


def wheels(item: Target, name: str, version: str) -> list[Wheel]:
    """All wheels of a release that any of the target's Pythons takes."""
    wanted = frozenset().union(*(tags(item.platform, python) for python in item.pythons))
    found = []
    for file, url, sha256 in _files(name):
        try:
            _name, release, _build, its_tags = parse_wheel_filename(file)
        except InvalidWheelFilename:
            continue
        if release == Version(version) and its_tags & wanted:
            size, unpacked = _weigh(url)
            found.append(Wheel(file, sha256, size, unpacked))
    if not found:
        raise SystemExit(f"{item.path.name}: no wheel of {name} {version}")
    for python in item.pythons:
        if not any(parse_wheel_filename(wheel.name)[3] & tags(item.platform, python) for wheel in found):
            raise SystemExit(f"{item.path.name}: no wheel of {name} {version} for Python {python}")
    return found


def _best(files: list[Wheel], python: str) -> Wheel:
    """The heaviest of those for this Python, so that nobody is promised too little."""
    tag = f"cp{python.replace('.', '')}"
    mine = [wheel for wheel in files if f"-{tag}-{tag}-" in wheel.name] or files
    return max(mine, key=lambda wheel: wheel.unpacked)


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self._href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self._href = said.get("href") if tag == "a" and "data-yanked" not in said else None

    def handle_data(self, data: str) -> None:
        if self._href and "#sha256=" in self._href:
            url, _, sha256 = self._href.partition("#sha256=")
            self.found.append((data.strip(), url, sha256))
            self._href = None


@functools.cache
def _files(name: str) -> list[tuple[str, str, str]]:
    page = f"{INDEX}/{canonicalize_name(name)}/"
    with urllib.request.urlopen(page, timeout=60) as stream:  # noqa: S310 - the address is a constant
        parser = _Links()
        parser.feed(stream.read().decode())
    return [(file, urljoin(page, url), sha256) for file, url, sha256 in parser.found]


@functools.cache
def _weigh(url: str) -> tuple[int, int]:
    """Bytes of a wheel packed and unpacked, from its table of contents alone."""
    remote = _Remote(url)
    with zipfile.ZipFile(io.BufferedReader(remote, 1 << 20)) as archive:  # type: ignore[arg-type]
        return remote.size, sum(entry.file_size for entry in archive.infolist())


class _Remote(io.RawIOBase):
    """A file on a server that is read in parts."""

    def __init__(self, url: str) -> None:
        self._url, self._at = url, 0
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            self.size = int(answer.headers["Content-Length"])

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is fetched for it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fetch as much as fits."""
        end = min(self._at + len(buffer), self.size)
        if self._at >= end:
            return 0
        wanted = {"Range": f"bytes={self._at}-{end - 1}"}
        request = urllib.request.Request(self._url, headers=wanted)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            data = answer.read()
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _entry(requirement: str, hashes: Sequence[str]) -> list[str]:
    lines = [requirement, *(f"    --hash=sha256:{sha256}" for sha256 in hashes)]
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _said(text: str, name: str) -> str:
    found = re.search(rf"^#: {name} (\d+)$", text, re.MULTILINE)
    return f"{int(found[1]):,}" if found else "?"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
