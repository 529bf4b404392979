# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of `docs/reliability.md`: every test that tries a fault says here how it ended.

``python3 dev.py test`` gathers the rows and holds the page against them; see tests/reliability.py.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

VARIABLE = "DREAM_TEXTURES_FAULTS"
"""Environment variable: the file that rows are added to. Without it they go nowhere."""

AREAS = ("Start", "Protocol", "Death and silence", "Queue", "Memory", "Numbers", "Disk", "Set-up")


def ends(area: str, fault: str, outcome: str, sentence: str = "") -> None:
    """Add a row: what was done to the program, the state it ended in, and what the artist reads."""
    assert area in AREAS, area
    assert "Traceback" not in sentence, sentence
    path = os.environ.get(VARIABLE)
    if path:
        row = {"area": area, "fault": fault, "outcome": outcome, "sentence": _steady(sentence)}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _steady(sentence: str) -> str:
    """The sentence without what differs from run to run and from machine to machine."""
    text = re.sub(r"(/[\w.+-]+){2,}", "…", " ".join(sentence.split()))
    # Which format comes next depends on what the processor computes natively.
    text = re.sub(r"black in \w+; it is made again in \w+", "black in …; it is made again in …", text)
    return re.sub(r"\b\d+(\.\d+)? (GB|GiB|MB|MiB|bytes)", r"… \2", text)
