# SPDX-License-Identifier: GPL-3.0-or-later
"""A private pair of streams for frames, out of reach of everything else in this process."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def claim_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Private binary copies of stdin and stdout; the originals become empty input and stderr.

    It works on file descriptors, so that prints from C libraries and child processes are caught as well.
    """
    commands, events = os.dup(_STDIN), os.dup(_STDOUT)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (commands, events):
            msvcrt.setmode(descriptor, os.O_BINARY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _STDIN)
    os.close(nothing)
    os.dup2(_STDERR, _STDOUT)
    sys.stdout = sys.stderr
    return os.fdopen(commands, "rb"), os.fdopen(events, "wb")
