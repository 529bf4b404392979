# SPDX-License-Identifier: GPL-3.0-or-later
"""Build `docs/reliability.md` from what the tests noted, or hold the page against it.

    python tests/reliability.py FOLDER            exit 1 where the tests saw what the page does not say
    python tests/reliability.py FOLDER --write    write it

FOLDER holds the files of rows that tests/faults.py writes, one for each session of noxfile.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.faults import AREAS  # noqa: E402

PAGE = ROOT / "docs" / "reliability.md"
_HEAD = """# What happens when something fails

Each row is a fault that the tests cause for real: generators that are programs and misbehave, the real generator that
is killed, stopped, or made to fail inside, disks that are full, set-ups that are torn down half-way. The last column is
what the artist reads. `python3 dev.py test` causes all of them again and fails where one ends in another way than here;
`python3 dev.py reliability --write` writes it from the last run.

"Set aside" means that the job ended as failed, with a report and a Retry, and that the jobs behind it went on.
"""


def main(arguments: list[str]) -> int:
    """Compare or write; the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    rows = read_rows(options.folder)
    if not rows:
        print("No test has noted anything yet: run python3 dev.py test first.", file=sys.stderr)
        return 1
    if options.write:
        PAGE.write_text(build(rows), encoding="utf-8")
        return 0
    written = _endings(PAGE.read_text(encoding="utf-8").splitlines() if PAGE.is_file() else [])
    seen = _endings(build(rows).splitlines())
    wrong = [line for ending, line in seen.items() if ending not in written]
    if wrong:
        print("The tests saw what docs/reliability.md does not say:", *wrong, sep="\n", file=sys.stderr)
        print("Look whether this is meant, then: python3 dev.py reliability --write", file=sys.stderr)
        return 1
    print(f"docs/reliability.md says what the tests saw: {len(rows)} faults.")
    # The tests themselves hold the sentences to what matters in them; systems differ in their own words.
    worded = [line for ending, line in seen.items() if line != written[ending]]
    # Some faults need a system of their own, such as a disk that root can make small.
    unseen = [line for ending, line in written.items() if ending not in seen]
    for what, lines in (("In other words here:", worded), ("Not caused in this run:", unseen)):
        if lines:
            print(what, *lines, sep="\n")
    return 0


def _endings(lines: list[str]) -> dict[tuple[str, ...], str]:
    """The rows of a page by fault and outcome."""
    cells = {tuple(line.split(" | ")[:2]): line for line in lines if line.startswith("| ")}
    return {key: line for key, line in cells.items() if key[0] != "| Fault"}


def read_rows(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """All rows by area and fault; the same fault in several Blenders is one row."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            known = rows.setdefault((row["area"], row["fault"]), row)
            if known["outcome"] != row["outcome"]:
                raise SystemExit(f"{row['fault']} ended in two ways: {known['outcome']} and {row['outcome']}")
    return rows


def build(rows: dict[tuple[str, str], dict[str, str]]) -> str:
    """The page."""
    parts = [_HEAD]
    for area in AREAS:
        mine = sorted((row for key, row in rows.items() if key[0] == area), key=lambda row: row["fault"])
        if mine:
            parts += [f"## {area}\n", "| Fault | How it ends | What the artist reads |\n|---|---|---|"]
            parts += [
                "| " + " | ".join(_cell(row[key]) for key in ("fault", "outcome", "sentence")) + " |"
                for row in mine
            ]
            parts.append("")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
