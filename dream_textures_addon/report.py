# SPDX-License-Identifier: GPL-3.0-or-later
"""The report that an artist sends to whoever can help: what is needed to find the cause, and nothing personal."""

from __future__ import annotations

import contextlib
import getpass
import json
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .wire import protocol

LOG_LINES = 50

_SECRETS = (
    # A token by its shape: Hugging Face, GitHub, OpenAI, Stability, GitLab.
    (r"\b(hf_|gh[pousr]_|github_pat_|sk-|glpat-)[A-Za-z0-9_-]{8,}", r"\1..."),
    (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}", r"\1 ..."),
    (
        r"(?i)((?:api[_-]?key|token|secret|password|passwd|authorization)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&]+",
        r"\1...",
    ),
    (r"(\w+://)[^\s/@:]+(?::[^\s/@]*)?@", r"\1...@"),
    (r"(?i)\b[\w.+-]+@[\w-]+\.[\w.-]+", "...@..."),
)
_PATTERNS = tuple((re.compile(pattern), by) for pattern, by in _SECRETS)


@dataclass(frozen=True)
class Report:
    """What is known when something went wrong. ``lines`` come first, then the request, the failure and the log."""

    lines: Sequence[str]
    request: protocol.Request | None = None
    failure: Sequence[str] = ()
    log: Sequence[str] = field(default=())

    def text(self) -> str:
        """The report, without names and tokens."""
        parts = list(self.lines)
        if self.request is not None:
            parts.append(f"Request: {json.dumps(request_without_names(self.request))}")
        parts += [line for line in self.failure if line]
        parts += ["Last words of the generator:", *self.log[-LOG_LINES:]]
        return without_names("\n".join(parts))


def request_without_names(request: protocol.Request) -> dict:
    """The request as JSON, but for the name of its source and the folders that lead to its model and LoRAs."""
    plain = request.to_json()
    if plain["source"] is not None:
        plain["source"] = {**plain["source"], "name": ""}
    if not plain["model"].startswith("builtin:"):
        plain["model"] = _last(plain["model"])
    plain["loras"] = [{**lora, "file": _last(lora["file"])} for lora in plain["loras"]]
    return plain


def _last(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def without_names(text: str, names: Iterable[str] | None = None) -> str:
    """``text`` without tokens, passwords, mail addresses, the home folder, and the names of user and computer."""
    home = str(Path.home())
    for spelling in (home, home.replace("\\", "\\\\"), home.replace("\\", "/")):
        text = text.replace(spelling, "~")
    for pattern, by in _PATTERNS:
        text = pattern.sub(by, text)
    # Longer ones first: a computer is often called after its owner.
    for name in sorted(_own_names() if names is None else names, key=len, reverse=True):
        if len(name) > 2:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "<name>", text)
    return text


def _own_names() -> list[str]:
    names = [Path.home().name, socket.gethostname()]
    with contextlib.suppress(OSError, KeyError, ImportError):  # a user without a name has none to hide
        names.append(getpass.getuser())
    # Names of accounts that say nothing of anybody, and stand in many a path and message.
    return [
        name for name in names if name.lower() not in ("root", "user", "admin", "home", "localhost", "python")
    ]
