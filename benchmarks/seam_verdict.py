# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the seam verdict errs, on pictures whose answer is known: see ``seam_cases.py`` for how they are made.

    python benchmarks/seam_verdict.py [--quick] [--markdown FILE]

Every picture counts twice, once per axis. All that the verdict's weights were fitted to is counted apart from what
was held out.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import seam_cases
import seam_page

from generator.seams import AxisReport, measure

SIZES = {128: 0.5, 256: 0.5, 512: 0.35, 1024: 0.1, 2048: 0.02}
QUICK = {128: 0.08, 256: 0.08, 512: 0.02}


@dataclass(frozen=True)
class Judged:
    """One axis of one picture: what was expected and what was said, True for "tiles"; None is no answer.

    ``varies`` is false where nothing varies along the axis, so that there is nothing to say.
    """

    source: seam_cases.Source
    map: str
    cut: str
    axis: str
    expected: bool | None
    said: bool | None
    varies: bool

    @property
    def unsaid(self) -> bool:
        return self.expected is not None and self.said is None and self.varies

    @property
    def counts(self) -> bool:
        return self.expected is not None and self.said is not None

    @property
    def wrong(self) -> bool:
        return self.counts and self.said is not self.expected


def judge(source: seam_cases.Source) -> list[Judged]:
    """All axes of all pictures that are made from a source."""
    found = []
    for case in seam_cases.cases(source):
        report = measure(case.image)
        for axis, expected in zip("xy", case.expected, strict=True):
            one = getattr(report, axis)
            varies = one != AxisReport(1.0, 0.0, 1.0, None)
            found.append(Judged(source, case.map, case.cut, axis, expected, one.tiles, varies))
    return found


def rows(judged: list[Judged], key: Callable[[Judged], object]) -> list[seam_page.Row]:
    """Per value of the key: false alarms on what tiles, and misses of what does not."""
    groups: dict[object, list[Judged]] = {}
    for one in judged:
        groups.setdefault(key(one), []).append(one)
    result = []
    for name, group in groups.items():
        whole, cut = ([j for j in group if j.counts and j.expected is answer] for answer in (True, False))
        result.append(
            seam_page.Row(
                str(name),
                sum(j.wrong for j in whole),
                len(whole),
                sum(j.wrong for j in cut),
                len(cut),
                sum(j.unsaid for j in group),
            )
        )
    return result


def held_out(one: Judged) -> bool:
    return one.source.part != "tuning"


def tables(judged: list[Judged]) -> dict[str, list[seam_page.Row]]:
    """All tables of the page, under their headings."""
    unseen = [one for one in judged if held_out(one)]
    families = rows(unseen, lambda j: j.source.family)
    return {
        "All": rows(judged, lambda j: "held out" if held_out(j) else "tuning"),
        "By what was held out": rows(unseen, lambda j: j.source.part),
        "Held out, by the side of the picture that is whole": rows(unseen, lambda j: f"{j.source.size} px"),
        "Held out, by kind": rows(unseen, lambda j: j.map),
        "Held out, by cut": rows(unseen, lambda j: j.cut),
        "Held out, the families with the most errors": sorted(
            (row for row in families if row.alarms + row.misses), key=lambda r: -(r.alarms + r.misses)
        )[:8],
    }


def excluded(judged: list[Judged]) -> list[tuple[str, int]]:
    """Cut axes that are not counted, since no seam can be seen, by kind of picture."""
    hidden = Counter(
        "white noise" if j.source.family == "white" else j.map
        for j in judged
        if j.expected is None and j.cut != "stepped"
    )
    return hidden.most_common()


def main() -> None:
    """Prints the tables, and writes the page."""
    parser = argparse.ArgumentParser(description="How often the seam verdict errs.")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller pictures")
    parser.add_argument("--markdown", type=Path, help="write the page to this file")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    sources = list(seam_cases.sources(QUICK if options.quick else SIZES))
    # The largest first, lest one process be left with them in the end.
    sources.sort(key=lambda source: -source.size)
    judged: list[Judged] = []
    started = time.monotonic()
    with Pool(options.processes) as pool:
        for number, found in enumerate(pool.imap_unordered(judge, sources), start=1):
            judged += found
            if number % 25 == 0:
                print(f"{number} of {len(sources)} sources, {time.monotonic() - started:.0f} s", flush=True)
    wrong = sorted((j for j in judged if j.wrong), key=lambda j: (held_out(j), j.source.size))
    for j in wrong:
        name = j.source.prompt or j.source.family
        print(f"{j.source.part:12} {j.source.size:5} {name} ({j.map}, {j.cut}), {j.axis}: tiles is {j.said}")
    found = tables(judged)
    print(seam_page.plain(found))
    materials = sum(not source.is_noise for source in sources)
    pictures = len({(j.source, j.map, j.cut) for j in judged})
    if options.markdown:
        page = seam_page.markdown(
            found,
            excluded(judged),
            materials,
            len(sources) - materials,
            pictures,
            sorted({s.size for s in sources}),
        )
        options.markdown.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
