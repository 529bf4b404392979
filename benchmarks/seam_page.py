# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the seam verdict, ``docs/seam-verdict.md``, from counted errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import seam_cases

COMMAND = "python benchmarks/seam_verdict.py --markdown docs/seam-verdict.md"


@dataclass(frozen=True)
class Row:
    """A line of a table: false alarms among borders that tile, misses among cuts, and answers that were not given."""

    name: str
    alarms: int
    whole: int
    misses: int
    cuts: int
    unsaid: int

    def cells(self) -> tuple[str, str, str, str]:
        everything = self.whole + self.cuts + self.unsaid
        wrong = _share(self.alarms, self.whole), _share(self.misses, self.cuts)
        return self.name, *wrong, _share(self.unsaid, everything)


def _share(wrong: int, all_: int) -> str:
    return f"{wrong} of {all_} ({100 * wrong / all_:.1f} %)" if all_ else "-"


def plain(tables: dict[str, list[Row]]) -> str:
    """The tables for a terminal."""
    lines = []
    for heading, rows in tables.items():
        lines += ["", f"{heading:52} {'called broken but tiles':>26} {'missed cuts':>22} {'not said':>22}"]
        lines += [
            f"  {name:50} {alarms:>26} {misses:>22} {unsaid:>22}"
            for name, alarms, misses, unsaid in (row.cells() for row in rows)
        ]
    return "\n".join(lines)


def markdown(
    tables: dict[str, list[Row]],
    excluded: Sequence[tuple[str, int]],
    materials: int,
    fields: int,
    pictures: int,
    sizes: Sequence[int],
) -> str:
    """The whole page."""
    hidden = ", ".join(f"{count} of {name}" for name, count in excluded) or "none"
    parts = [
        _TEXT.format(
            command=COMMAND,
            materials=materials,
            fields=fields,
            pictures=pictures,
            sizes=", ".join(map(str, sizes)),
            low=round(100 * seam_cases.KEPT[0]),
            high=round(100 * seam_cases.KEPT[1]),
            unlike=seam_cases.LEAST_UNLIKE,
            levels=seam_cases.LEAST_CHANGE * 255,
            share=round(100 * seam_cases.LEAST_SHARE),
            hidden=hidden,
        )
    ]
    for heading, rows in tables.items():
        parts.append(
            f"\n### {heading}\n\n| | called broken, but tiles | cuts that were missed | not said |\n|---|---|---|---|\n"
        )
        parts += ["| " + " | ".join(row.cells()) + " |\n" for row in rows]
    return "".join(parts)


_TEXT = """# Does it tile? How often the verdict is right

Every finished image and map carries a seam report per axis: three figures and a verdict. This page says what the
verdict rests on and how often it errs, on {pictures} pictures whose answer is known. It is written by

    {command}

## What is measured

The border of a picture is one line among many. What is measured at it is measured at the lines inside as well, and at
*cuts*: lines made on purpose by joining what lies left of one place with what lies right of another. A seam is a
border that looks like the cuts and not like the lines. No threshold has to know how rough a texture is, since both
sides of the comparison come from the same picture.

- **Jumps, bends, steps and slopes** on twelve scales, at the border, at up to 480 lines inside and at two to four
  hundred cuts. Fisher's discriminant finds the direction that parts lines from cuts in this very picture, and the
  border's place along it is what counts most. How far apart the two lie is a measure of whether *any* seam could be
  seen: in white noise none can.
- **Standing out**: whether the border exceeds all lines inside, as a whole and in any of eight parts. This finds what
  is no cut: a faint step, a line drawn by a model that pads with zeros.
- **Pieces**: a small classifier (ridge regression over principal components and 128 random ramps) learns from the
  picture which small pieces left and right of a line belong together, at full and at half size, and each line is
  judged by what was learned elsewhere. This finds stone that meets stone without a joint.
- **Rhythm**: whether a regular pattern repeats across the border as well as inside.

Their weighted sum is the logarithm of the odds that there is a seam. The weights, in `generator/seams/weights.py`, come
from a logistic regression on the tuning part: `python benchmarks/seam_weights.py`. The three figures of a report
(ratio, z-score, second difference) are what they are called, and are shown for orientation.

In a picture of up to 256 pixels odds of less than seven to one are not said: the verdict is then "cannot be said", with
its figures beside it. The larger the picture, the less is asked for; from 512 pixels on hardly anything is left unsaid.

## The pictures

{materials} materials of the built-in model (all of its families, several prompts with sizes, colours and wear) and
{fields} noise fields (white to brown), with sides of {sizes} pixels. All tile by construction, and are saved as they
would be in a file: height in 16 bits, all else in 8. Each is used

- rolled to a random place: it must tile on both axes;
- cropped to {low} to {high} % of each side, at a random place: it must tile on neither;
- cropped in X alone: it must tile in Y and not in X;
- some noise with a faint ramp over part of its rows: it must not tile in X.

Of each material the colour is used, and one of its other maps (normal, roughness, height, occlusion, metal) rolled and
cropped. Every second family, and every second prompt and seed of the others, were held out: the weights were not fitted
to them. The held-out part is not quite blind, though: some of its errors were looked at while the rules were made, and
how sure a verdict must be was settled with both parts in view.

**Left out**, by a rule that looks at the whole picture and at where it was cut, never at the verdict: crops in which
no seam can be seen. Columns far apart must differ by {unlike} times as much as neighbours, in pixels or in boxes of
2, 4 or 8; and what follows the cut must differ from what went on there before by at least {levels:.1f} levels of 256
and {share} % of what places far apart differ by (else nothing varies there, or a whole number of periods was kept).
These axes were {hidden}. Axes along which nothing varies at all are not counted.
Crops whose cut happens to fall into a joint, or where rough matter meets rough matter, are not left out.

## The figures
"""
