# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this process goes on after its first job: what pays only in the long run is not begun in any other."""

from __future__ import annotations

import threading

STAYS = threading.Event()
"""Set by ``serve``."""
