# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread at a time imports large libraries.

Python locks each module, not a library: where one thread imports ``torch.nn`` while another is half-way through
``torch``, each sees what the other has not finished, and both imports fail.
"""

from __future__ import annotations

import threading

IMPORTING = threading.RLock()
"""Held by whoever imports torch, or what imports it, where another thread may do so too."""
