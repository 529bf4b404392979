# SPDX-License-Identifier: GPL-3.0-or-later
"""Where packages come from: options first, then uv's variables, pip's variables, pip's files, and pypi.org."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PYPI = "https://pypi.org/simple"
_TRUE = ("1", "true", "yes", "on")

_KEPT = re.compile(
    r"UV_(SYSTEM_CERTS|NATIVE_TLS|INSECURE_HOST|HTTP_\w+|KEYRING_PROVIDER|CONCURRENT_\w+|LINK_MODE"
    r"|CONFIG_FILE|NO_CONFIG|INDEX_\w+_(USERNAME|PASSWORD))"
)
_FOREIGN = (
    "PYTHON",
    "VIRTUAL_ENV",
    "CONDA",
    "__PYVENV_LAUNCHER__",
    "UV_",
    "PIP_",
    "LD_LIBRARY_PATH",
    "DYLD_",
)


@dataclass(frozen=True)
class Sources:
    """Indexes, folders of wheels and proxies. Empty texts mean the public default."""

    index_url: str = ""
    torch_index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    python_mirror: str = ""
    proxy: str = ""
    certificates: str = ""
    offline: bool = False
    no_index: bool = False

    @classmethod
    def from_surroundings(
        cls,
        environ: Mapping[str, str] | None = None,
        pip_files: tuple[Path, ...] | None = None,
        **options: Any,
    ) -> Sources:
        """What this machine is set up with; ``options`` that are not empty win over it."""
        environ = os.environ if environ is None else environ
        pip = {
            **_pip_settings(pip_config_files(environ) if pip_files is None else pip_files),
            **_pip_variables(environ),
        }
        find_links = (*_split(environ.get("UV_FIND_LINKS", ""), ","), *_split(pip.get("find-links", "")))
        extra = (
            *_split(environ.get("UV_INDEX", "")),
            *_split(environ.get("UV_EXTRA_INDEX_URL", "")),
            *_split(pip.get("extra-index-url", "")),
        )
        found = cls(
            index_url=environ.get("UV_DEFAULT_INDEX")
            or environ.get("UV_INDEX_URL")
            or pip.get("index-url", ""),
            extra_index_urls=tuple(
                dict.fromkeys(url.rpartition("=")[2] if _named(url) else url for url in extra)
            ),
            find_links=find_links,
            python_mirror=environ.get("UV_PYTHON_INSTALL_MIRROR", ""),
            proxy=pip.get("proxy", ""),
            certificates=environ.get("SSL_CERT_FILE") or pip.get("cert", ""),
            offline=environ.get("UV_OFFLINE", "").lower() in _TRUE,
            no_index=pip.get("no-index", "").lower() in _TRUE,
        )
        given = {name: value for name, value in options.items() if value}
        if "find_links" in given:
            given["find_links"] = (*given["find_links"], *find_links)
        merged = replace(found, **given)
        return replace(merged, find_links=tuple(dict.fromkeys(_absolute(link) for link in merged.find_links)))

    @property
    def index(self) -> str:
        """The main package index."""
        return self.index_url or PYPI

    def indexes(self) -> tuple[str, ...]:
        """Every index that may be asked, the extra ones first; none where pip is told to use none."""
        if self.no_index:
            return ()
        found = (*self.extra_index_urls, self.index)
        return tuple(url for url in found if not self.offline or is_local(url))

    def folders(self) -> tuple[Path, ...]:
        """The folders of wheels that exist."""
        paths = (local_path(link) for link in self.find_links if is_local(link))
        return tuple(path for path in paths if path.is_dir())

    def environment(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment variables for uv: the given ones, without what misleads it, with these sources."""
        environ = os.environ if environ is None else environ
        found = {
            name: value
            for name, value in environ.items()
            if not name.upper().startswith(_FOREIGN) or _KEPT.fullmatch(name.upper())
        }
        if self.proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                found.pop(name.lower(), None)
                found[name] = self.proxy
        if self.certificates:
            found["SSL_CERT_FILE"] = self.certificates
        if self.offline:
            found["UV_OFFLINE"] = "1"
        if self.python_mirror:
            found["UV_PYTHON_INSTALL_MIRROR"] = self.python_mirror
        return found


def is_local(link: str) -> bool:
    """Whether an index or a page of wheels is a folder of this machine."""
    return "://" not in link or link.startswith("file:")


def local_path(link: str) -> Path:
    """The folder of a local link."""
    if not link.startswith("file:"):
        return Path(link).expanduser()
    from urllib.request import url2pathname

    return Path(url2pathname(urlsplit(link).path))


def host_of(url: str) -> str:
    """The host that a URL names, without user and password; empty for a local one."""
    return "" if is_local(url) else urlsplit(url).hostname or ""


def without_secrets(text: str) -> str:
    """``text`` with the user and password of every URL taken out."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def pip_config_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """pip's configuration files on this machine, later ones winning, as ``pip config debug`` lists them."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return ()
    home = Path.home()
    if sys.platform == "win32":
        found = [
            Path(environ.get("PROGRAMDATA", r"C:\ProgramData")) / "pip" / "pip.ini",
            home / "pip" / "pip.ini",
            Path(environ.get("APPDATA", str(home))) / "pip" / "pip.ini",
        ]
    else:
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        found = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
        if sys.platform == "darwin":
            found += [
                Path("/Library/Application Support/pip/pip.conf"),
                home / "Library" / "Application Support" / "pip" / "pip.conf",
            ]
        found.append(config / "pip" / "pip.conf")
    if environ.get("PIP_CONFIG_FILE"):
        found.append(Path(environ["PIP_CONFIG_FILE"]))
    return tuple(found)


def _pip_settings(files: tuple[Path, ...]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for path in files:
        # strict=False, as pip reads them: one file may have the same section twice.
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({name.replace("_", "-"): value for name, value in parser.items(section)})
    return settings


def _pip_variables(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name[4:].lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
    }


def _split(text: str, separator: str = "") -> Iterator[str]:
    """The parts of a list that is written with spaces or, for uv's folders, with commas; quotes keep a space."""
    if separator and separator in text:
        yield from (part.strip() for part in text.split(separator) if part.strip())
        return
    if not text.strip():
        return
    if is_local(text) and Path(text.strip()).expanduser().exists():
        yield text.strip()
        return
    try:
        yield from shlex.split(text, posix=sys.platform != "win32")
    except ValueError:
        yield from text.split()


def _named(url: str) -> bool:
    """Whether an index of UV_INDEX is written as ``name=url``."""
    return bool(re.match(r"[\w.-]+=", url))


def _absolute(link: str) -> str:
    return link if "://" in link or link.startswith("file:") else str(Path(link).expanduser().absolute())
