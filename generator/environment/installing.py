# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment with exactly the locked packages, through uv; nothing is built, and nothing is unhashed."""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import index
from .faults import of_uv
from .locks import Lock
from .places import python_of
from .planning import special_wheels, torch_is_near
from .pythons import Base, Uv
from .sources import PYPI, Sources, is_local
from .telling import Growth, Teller
from .verify import site_packages

LIMIT = 6 * 3600.0
"""Seconds for all downloads: three gigabytes at modem speed, and still an end."""

_DOWNLOADING = re.compile(r"\s*Downloading ([\w.-]+)")
_STAGES = (("Prepared", "Installing the packages"), ("Installed", "Compiling the packages"))
_NAMES = {"torch": "PyTorch", "triton": "Triton", "diffusers": "Diffusers", "transformers": "Transformers"}


def install(uv: Uv, lock: Lock, base: Base, target: Path, teller: Teller, again: Sequence[str]) -> None:
    """Make ``target`` on ``base``; what uv keeps of the packages ``again`` is fetched anew. Raises `Failure`."""
    teller.step("Making the environment")
    forget(uv, again)
    command = [uv.program, "venv", "--no-project", "--python", base.python, target]
    ran = uv.runner.run(command, env=uv.environment(), cwd=uv.places.folder, limit=120)
    if ran.status:
        raise of_uv("Making the environment", ran.lines, uv.places.folder, uv.sources.offline)
    add(uv, lock, target, teller)


def add(uv: Uv, lock: Lock, target: Path, teller: Teller, again: Sequence[str] = ()) -> None:
    """Install the lock into an environment that exists, and the packages ``again`` in any case."""
    beside = any(path != target for path in uv.places.environments.glob("*"))
    growth = Growth(uv.places.cache, lock.disk, lock.download, beside=beside)
    for part, torch in ((lock.general, False), (lock.special, True)):
        if part.strip():
            _install(uv, lock, part, target, teller, growth, torch=torch, again=again)


def forget(uv: Uv, packages: Sequence[str]) -> None:
    """Delete these packages from uv's cache: a damaged environment is linked to it, so it is damaged there too."""
    if packages and uv.places.cache.is_dir():
        command = [uv.program, "cache", "clean", "--force", *packages]
        uv.runner.run(command, env=uv.environment(), cwd=uv.places.folder, limit=300)


def _install(
    uv: Uv,
    lock: Lock,
    part: str,
    target: Path,
    teller: Teller,
    growth: Growth,
    *,
    torch: bool,
    again: Sequence[str],
) -> None:
    requirements = target / ("torch.txt" if torch else "packages.txt")
    requirements.write_text(part, encoding="utf-8")
    where, env = _sources(uv, lock) if torch else options(uv.sources)
    command = [
        uv.program, "pip", "install", "--python", python_of(target), "--require-hashes", "--no-deps",
        "--only-binary", ":all:", "--compile-bytecode", "--link-mode", _link_mode(),
        "--index-strategy", "unsafe-best-match",  # safe here: whichever index answers, the hash must be the locked one
        *where, *(word for name in again for word in ("--reinstall-package", name)), "-r", requirements,
    ]  # fmt: skip
    what = "Downloading PyTorch" if torch else "Downloading the packages"
    now = [what]

    def follow(line: str) -> None:
        if (found := _DOWNLOADING.match(line)) and found[1] in _NAMES:
            now[0] = f"Downloading {_NAMES[found[1]]}"
        for said, stage in _STAGES:
            if line.startswith(said):
                now[0] = stage

    def tick() -> None:
        if now[0].startswith("Downloading"):
            teller.step(now[0], growth.measure(), growth.total)
        else:
            teller.step(now[0])

    ran = uv.runner.run(
        command, env=uv.environment(**env), cwd=uv.places.folder, limit=LIMIT, on_line=follow, on_tick=tick
    )
    if ran.status:
        raise of_uv(what, ran.lines, uv.places.folder, uv.sources.offline or uv.sources.no_index)


def is_linked(environment: Path) -> bool:
    """Whether its files are links to the cache, or clones of it, so that they take no space twice."""
    if sys.platform == "darwin":
        return True
    site = site_packages(environment)
    files = itertools.islice(site.glob("*/*.py"), 50) if site is not None else ()
    return any(path.stat().st_nlink > 1 for path in files)


def options(sources: Sources) -> tuple[list[str], dict[str, str]]:
    """uv's options and variables for these sources; URLs go into variables, since they may hold a password."""
    indexes = sources.indexes()
    words = [word for folder in sources.folders() for word in ("--find-links", str(folder))]
    env = {}
    pages = [link for link in sources.find_links if not is_local(link)]
    if pages and not sources.offline:
        env["UV_FIND_LINKS"] = ",".join([*pages, *map(str, sources.folders())])
        words = []
    if sources.no_index:
        words.append("--no-index")
    else:
        # Without network the public index is named all the same: what uv has kept is filed under it.
        env["UV_DEFAULT_INDEX"] = indexes[-1] if indexes else sources.index
        if indexes[:-1]:
            env["UV_INDEX"] = " ".join(indexes[:-1])
    return words, env


def _sources(uv: Uv, lock: Lock) -> tuple[list[str], Mapping[str, str]]:
    """Where PyTorch comes from: a folder or index of one's own that has it, and else PyTorch's own index alone."""
    sources = uv.sources
    if sources.no_index or torch_is_near(sources, lock):
        return options(sources)
    own = [url for url in sources.indexes() if url.rstrip("/") != PYPI and not is_local(url)]
    note = uv.runner.log.write if uv.runner.log is not None else lambda line: None
    if own and not sources.torch_index_url:
        wanted = special_wheels(lock)
        if any(all(index.lists(sources, url, *pair, note) for pair in wanted.items()) for url in own):
            return options(sources)
    words, env = options(sources)
    env.pop("UV_INDEX", None)
    return words, {**env, "UV_DEFAULT_INDEX": sources.torch_index_url or lock.torch_index}


def _link_mode() -> str:
    """Links, so that the cache takes no space of its own; where there can be none, uv copies."""
    return os.environ.get("UV_LINK_MODE") or ("clone" if sys.platform == "darwin" else "hardlink")
