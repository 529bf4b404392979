# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong while an environment is made, in sentences; and how to read it out of what uv printed.

The stable kinds are ``no_space``, ``offline``, ``network``, ``hash``, ``permission``, ``busy``, ``cancelled``,
``python``, ``broken`` and ``internal``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from pathlib import Path

_WINDOWS_DISK_FULL = 112
_LOCKED_ON_WINDOWS = (5, 32)


class Failure(Exception):
    """The set-up cannot go on. The text and ``advice`` are sentences for the artist, ``kind`` is stable."""

    def __init__(self, kind: str, message: str, advice: str = "", log: Path | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.advice = advice
        self.log = log


def no_space(folder: Path, needed: int, free: int) -> Failure:
    """There is less room than the environment takes; both in bytes."""
    return Failure(
        "no_space",
        f"There is not enough space for the environment in {folder}: it needs {size(needed)}, "
        f"and {size(free)} are free.",
        "Free some space, or choose a folder on another disk.",
    )


def of_os(error: OSError, folder: Path) -> Failure:
    """An error of the operating system, met while something was written below ``folder``."""
    windows = getattr(error, "winerror", None)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or windows == _WINDOWS_DISK_FULL:
        return Failure(
            "no_space",
            f"The disk of {folder} is full.",
            "Free some space, or choose a folder on another disk.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) or windows in _LOCKED_ON_WINDOWS:
        return Failure(
            "permission",
            f"{error.filename or folder} cannot be written: {error.strerror}.",
            "Choose a folder of your own. If it is one, close other Blender windows, and let the virus scanner pass.",
        )
    return Failure(
        "internal", f"{error.filename or folder}: {error.strerror or error}.", "The log says more."
    )


def of_uv(doing: str, lines: Sequence[str], folder: Path, offline: bool) -> Failure:
    """Why uv ended with an error, from the lines that it printed last."""
    text = "\n".join(lines)
    cause = _cause(lines)
    for kind, pattern, message, advice in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            if kind == "network" and offline:
                break
            said = message.format(doing=doing, folder=folder, cause=cause, host=_host(text))
            return Failure(kind, said, advice)
    if offline:
        return Failure(
            "offline",
            f"{doing} needs files that are not here, and the network is not used. {cause}",
            "Allow online access, or name a folder that holds all wheels.",
        )
    return Failure("internal", f"{doing} failed: {cause}", "Try again. If it stays so, the log says more.")


def _cause(lines: Sequence[str]) -> str:
    missing = re.findall(r"Because (?:only )?([\w.-]+)\S* (?:was|were) not found", " ".join(lines))
    if missing:
        return f"There is no {missing[-1]} that fits."
    causes = [line.split("cause:", 1)[1].strip() for line in lines if "cause:" in line]
    errors = [line.split("error:", 1)[1].strip() for line in lines if line.lstrip().startswith("error:")]
    found = (
        causes[-1:] or errors[-1:] or [line for line in lines if line.strip()][-1:] or ["It said nothing."]
    )
    text = found[0].strip()[:300]
    return text if text.endswith(".") else f"{text}."


def _host(text: str) -> str:
    found = re.search(r"https?://(?:[^/@\s]*@)?([^/:\s`]+)", text)
    return f" from {found[1]}" if found else ""


_KNOWN = (
    (
        "no_space",
        r"no space left on device|os error 28\b|os error 112\b|disk quota|os error 122\b",
        "The disk of {folder} became full.",
        "Free some space, or choose a folder on another disk; what is there already is used again.",
    ),
    (
        "hash",
        r"hash mismatch|hash-checking|missing a hash|in --require-hashes mode|no hashes",
        "{doing}: a file is not the one that was locked, and was not installed. {cause}",
        "Try again. If it stays so, the index, mirror or proxy in use hands out changed files: use another.",
    ),
    (
        "offline",
        r"network was disabled|--offline|when the network is disabled",
        "{doing} needs files that are not here, and the network is not used. {cause}",
        "Allow online access, or name a folder that holds all wheels.",
    ),
    (
        "network",
        r"proxy|407 |unauthorized|\b401\b|\b403\b",
        "{doing}: the server or the proxy refused the download. {cause}",
        "Check the proxy and the index, and the user and password in their addresses.",
    ),
    (
        "network",
        r"certificate|invalid peer|unknownissuer|tls",
        "{doing}: the certificate of the server is not trusted. {cause}",
        "If your network inspects traffic, name its certificate file in the environment variable SSL_CERT_FILE.",
    ),
    (
        "network",
        r"dns error|connection refused|client error|timed out|timeout|connect|error sending|error decoding|50\d ",
        "{doing}: the download{host} failed. {cause}",
        "Check the connection and try again: what was downloaded is kept.",
    ),
    (
        "permission",
        r"permission denied|access is denied|os error 5\b|os error 13\b|os error 30\b|os error 32\b|read-only file",
        "{doing}: a file in {folder} could not be written. {cause}",
        "Choose a folder of your own. If it is one, close other Blender windows, and let the virus scanner pass.",
    ),
    (
        "python",
        r"no interpreter found|not compatible with this python|requires-python|python abi",
        "{doing}: this Python does not suit the locked packages. {cause}",
        "Let Dream Textures fetch Python 3.12, or name one with version 3.12.",
    ),
)


def size(count: int) -> str:
    """Bytes as people read them: ``640 MB``, ``2.6 GB``."""
    if count >= 995_000_000:
        return f"{count / 1e9:.1f} GB"
    return f"{max(count, 0) / 1e6:.0f} MB"
