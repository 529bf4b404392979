# SPDX-License-Identifier: GPL-3.0-or-later
"""``dream-textures`` and ``python -m generator``: the command line, and ``serve`` for Blender."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the program; the return value is its exit status."""
    if sys.argv[1:2] == ["serve"]:
        # Before anything else is imported: from here on no library can print into the frames.
        from generator.streams import claim_standard_streams

        commands, events = claim_standard_streams()
        from generator.serve import serve

        return serve(commands, events)
    from generator.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
