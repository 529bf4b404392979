# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the starter on combinations that it has never seen, and write the table and the contact sheets.

    python -m training.starter.evaluate --model training/out/starter/model --out docs

writes ``starter-evaluation.md`` there, ``images/starter_sheet.jpg`` and ``images/starter_side_by_side.jpg``. What the
procedural model makes of the same prompts is judged as well: no model can be more right than its teacher. The maps
networks are judged by `training.evaluate`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from generator.material import FloatArray
from training.commands import finished
from training.sheets import encoded
from training.starter import export, judges
from training.starter.asking import Asked, Maker, in_pairs
from training.starter.captions import held_out_prompts
from training.starter.contact import contact_sheet
from training.starter.judges import read_judge
from training.starter.measures import COLOUR, DIVERSITY, FAMILY, SEAM, STRENGTHS, Figures, measure

COUNT, SIZE, SHEET, SHEET_SIZE, FEW = 500, 128, 64, 512, 24
LARGEST_SHEET = 1_600_000
"""Bytes of one contact sheet."""


def table(figures: Figures, about: dict[str, str]) -> str:
    """The figures as Markdown; ``about`` is what is known of the judges."""
    left, reached = (
        " → ".join(f"{value:.3f}" for value in values) for values in (figures.left, figures.reached)
    )
    strengths = ", ".join(map(str, STRENGTHS))
    fast, side = figures.fast, figures.timed
    return "\n".join([
        f"Of {figures.count} prompts for materials in colours that they were never named in, {figures.size} pixels a "
        f"side. The judges are right about {float(about['family']):.0%} of families and {float(about['colour']):.0%} "
        "of colours of pictures of a third split.",
        "",
        "| | starter | procedural | wanted |",
        "|---|---|---|---|",
        f"| family right | {figures.family:.1%} | {figures.family_of_data:.1%} | {FAMILY:.0%} |",
        f"| colour right | {figures.colour:.1%} | {figures.colour_of_data:.1%} | {COLOUR:.0%} |",
        f"| diversity between seeds, over the data's | {figures.diversity:.2f} | 1 | {DIVERSITY} |",
        f"| jump across the border over the jumps inside | {figures.seam:.3f} | | 1 +- {SEAM} |",
        f"| from a picture, strengths {strengths}: distance left behind | {left} | | rises |",
        f"| and certainty of the prompt | {reached} | | rises |",
        f"| in {fast.steps} steps ({fast.count} prompts): family right | {fast.family:.1%}; in all steps "
        f"{fast.family_of_all:.1%} | | |",
        f"| and colour right | {fast.colour:.1%}; in all steps {fast.colour_of_all:.1%} | | |",
        *(
            f"| seconds for {side} x {side}, {torch.get_num_threads()} threads of a processor, {one.precision}, "
            f"{one.steps} steps | {one.seconds:.1f} | | {one.wanted:g} |"
            for one in figures.times
        ),
        "",
        f"It falls short in: {', '.join(figures.short)}." if figures.short else "It meets all of them.",
    ])  # fmt: skip


def page(figures: Figures, about: dict[str, str], drawn: int) -> str:
    """The page that goes to the documentation; ``drawn`` prompts are on its sheets."""
    return "\n\n".join([
        "# How good the starter is",
        table(figures, about),
        "![Held-out prompts](images/starter_sheet.jpg)",
        f"The first {drawn} of these prompts, {figures.timed} pixels a side.",
        "![Side by side](images/starter_side_by_side.jpg)",
        "Each prompt twice: the starter, then the procedural model.",
        "`python -m training.starter.evaluate` makes this page.",
    ]) + "\n"  # fmt: skip


def draw(maker: Maker, asked: Sequence[Asked], folder: Path, size: int) -> None:
    """Write both contact sheets."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = list(in_pairs(maker, asked, size))
    alone: list[tuple[str, list[FloatArray]]] = [(one[0], [made]) for one, made, _ in pairs]
    beside = [(one[0], [made, true]) for one, made, true in pairs]
    for name, cells in (("starter_sheet", alone), ("starter_side_by_side", beside)):
        (folder / f"{name}.jpg").write_bytes(encoded(contact_sheet(cells), LARGEST_SHEET))


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when there is nothing to judge, or nobody to judge it."""
    parser = argparse.ArgumentParser(
        prog="python -m training.starter.evaluate", description="Judge the starter."
    )
    parser.add_argument("--model", type=Path, default=export.OUT)
    parser.add_argument("--judges", type=Path, default=judges.OUT / "judge.safetensors")
    parser.add_argument("--out", type=Path, default=Path("training/out/starter/evaluation"))
    parser.add_argument("--count", type=int, default=COUNT, help="how many prompts")
    parser.add_argument("--size", type=int, default=SIZE, help="pixels a side of what is judged")
    parser.add_argument("--few", type=int, default=FEW, help="how many prompts are asked for many pictures")
    parser.add_argument("--sheet", type=int, default=SHEET, help="how many prompts are drawn")
    parser.add_argument("--sheet-size", type=int, default=SHEET_SIZE, help="pixels a side of what is drawn")
    parser.add_argument("--steps", type=int, help="of the sampler, instead of the model's own number")
    parser.add_argument("--guidance", type=float, help="instead of the model's own")
    parser.add_argument("--scheduler", default="", help="by the product's name, instead of the model's own")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "fp16", "bf16"))
    parser.add_argument("--card", action="store_true", help="put the table into the model's card as well")
    told = parser.parse_args(arguments)
    asked = held_out_prompts(told.count)
    settings = {"steps": told.steps, "guidance": told.guidance, "scheduler": told.scheduler}
    chosen = {name: value for name, value in settings.items() if value is not None}

    def work() -> str:
        judge, about = read_judge(told.judges)
        maker = Maker(told.model, told.precision, **chosen)
        draw(maker, asked[: told.sheet], told.out / "images", told.sheet_size)
        figures = measure(maker, judge, asked, told.size, told.sheet_size, told.few)
        maker.close()
        text = page(figures, about, min(told.sheet, len(asked)))
        (told.out / "starter-evaluation.md").write_text(text, encoding="utf-8")
        if told.card:
            export.add_figures(told.model, table(figures, about))
        return text

    return finished(work)


if __name__ == "__main__":
    sys.exit(main())
