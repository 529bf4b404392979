# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Python that diffusion models run in: made, checked, mended, updated and removed without a terminal.

Everything here needs the standard library alone, for it runs in Blender's own Python, before there is another.
What is installed is locked to the last byte: see ``locks/`` and, for how they are made, ``requirements/``.
"""

from __future__ import annotations

from .cancelling import Cancel, cancelling
from .faults import Failure
from .foreign import Report, examine_python
from .locks import ACCELERATORS, LOCKS, find_lock
from .making import Done, set_up
from .planning import Plan, Wish, plan
from .removal import remove
from .sources import Sources

__all__ = [
    "ACCELERATORS",
    "LOCKS",
    "Cancel",
    "Done",
    "Failure",
    "Plan",
    "Report",
    "Sources",
    "Wish",
    "cancelling",
    "examine_python",
    "find_lock",
    "plan",
    "remove",
    "set_up",
]
