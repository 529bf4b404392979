# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the package index answers."""

from __future__ import annotations

from collections.abc import Iterator

from generator.environment import index, uv
from generator.environment.sources import Sources, host_of

from .finding import Finding


def index_answers(sources: Sources) -> Iterator[Finding]:
    """Ask it for one small page, for as long as a set-up would wait."""
    if sources.offline or sources.no_index:
        yield Finding("Package index", True, "not asked, since the network is not used")
        return
    problems: list[str] = []
    name, _sha256 = uv.wheel()
    answers = index.lists(sources, sources.index, "uv", [name], problems.append)
    host = host_of(sources.index) or sources.index
    if answers:
        yield Finding("Package index", True, f"{host} answers")
        return
    problem = problems[0] if problems else f"{host} answers, but does not have {name}"
    yield Finding(
        "Package index",
        False,
        problem,
        "Check the connection, the proxy and the address of the index, or use a folder of wheels.",
    )
