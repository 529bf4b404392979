# SPDX-License-Identifier: GPL-3.0-or-later
"""A set-up with locks of one's own, in a process that can be killed. Prints events as the command line does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from generator.environment import Failure, Sources, Wish, cancelling, set_up


def main() -> None:
    asked = json.loads(sys.argv[1])
    wish = Wish(
        Path(asked["folder"]),
        accelerator="cpu",
        python=Path(asked["python"]),
        sources=Sources(find_links=tuple(asked["links"]), offline=True),
        locks=Path(asked["locks"]),
    )
    try:
        with cancelling(watch_stdin=asked.get("watch_stdin", False)) as cancel:
            done = set_up(wish, lambda event: print(json.dumps(event), flush=True), cancel)
        print(json.dumps({"event": "done", **done.to_json()}), flush=True)
    except Failure as failure:
        print(json.dumps({"event": "failed", "kind": failure.kind, "message": str(failure)}), flush=True)


main()
