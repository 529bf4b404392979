# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at this installation and what surrounds it: what works, what does not, and what to do about it.

Runs in any Python, also in one that has neither NumPy nor anything else.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from generator.environment import LOCKS, Sources
from generator.environment.planning import long_paths
from generator.environment.probe import probe

from . import installation, reach, surroundings
from .finding import Finding

__all__ = ["Finding", "examine"]


def examine(folder: Path | None = None, *, offline: bool = False, network: bool = False) -> list[Finding]:
    """Everything looked at, in the order in which people want to know it.

    ``folder`` is the private environment's, if there is one to be looked at; ``offline`` says that Blender may
    not use the network; with ``network`` the package index is asked whether it answers.
    """
    return list(_examine(folder, offline, network))


def _examine(folder: Path | None, offline: bool, network: bool) -> Iterator[Finding]:
    yield from installation.program()
    if folder is None or Path(sys.executable).is_relative_to(folder):
        # Blender's own Python, which looks after the environment, needs none of the packages in there.
        yield from installation.packages()
        yield from installation.devices()
    yield from installation.known_models()
    sources = Sources.from_surroundings(offline=offline)
    if folder is not None:
        yield from surroundings.environment_state(folder, LOCKS)
        yield from surroundings.folder_path(folder, sys.platform, long_paths())
    yield from surroundings.disks(
        {
            **({"Environment's folder": folder} if folder is not None else {}),
            "Home folder": Path.home(),
            "Temporary folder": Path(tempfile.gettempdir()),
        }
    )
    yield from surroundings.packaging(Path(sys.executable), os.environ, sys.platform)
    yield from surroundings.graphics(probe(), sys.platform)
    yield from surroundings.proxies(os.environ, sources.proxy)
    yield from surroundings.offline_switches(os.environ, offline)
    if network:
        yield from reach.index_answers(sources)
