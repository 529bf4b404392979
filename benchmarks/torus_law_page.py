# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that `torus_law` writes: its two tables, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torus_law import Exact, Positioned

PAGE = """# Which models tile, and how exactly

A texture tiles when the model that made it does not know where its edges are. This can be tested without trained
weights, and to the last digit: whoever rolls a model's input must get the same output, rolled.

    f(roll(x)) == roll(f(x))

What follows is made by

    {command}

with small random networks of diffusers' own classes, in float64. The figures are the greatest difference over the
greatest value: 1e-15 is rounding, 0.1 to 1 is a model that knows its edges. `--check` ends with an error when a bound
is not kept; the tests hold the same networks to the same bounds.

## Networks of convolutions: exact

*unpatched* is the network as it is. *every Conv2d circular* is what other tools do: it cannot wrap one axis alone, and
it leaves a seam wherever a network pads by other means, as the encoder of every Stable Diffusion model does. *wrapped*
is `generator.torus.wrap`, for both axes and for one alone; along the other axis each network then computes what it
always did, to the last bit, which the tests show by comparing with an independent implementation.

{exact}

The bound of AutoencoderDC and Sana is the precision of float32, in which their linear attention sums over the image
whatever it is given. Sizes must be multiples of the stride (`generator.torus.stride_of`), else a downsampling rounds
and no padding helps.
"""

POSITIONS = """
## Transformers with positions: as good as it gets

These are told where each token lies. `generator.torus.periodic_positions` moves every frequency of their positions to
the nearest harmonic of the image, so that the last token is a neighbour of the first; `generator.torus.rolled` moves
the image under the model by another offset at each step, the same for all networks of that step, so that no place is
always the edge.

The law is shown with random weights. With rotary positions (Flux, Qwen-Image, Z-Image) attention within the image
becomes exactly toroidal, and 1e-7 remains without text; what is left in the table is the attention to the words, which
lie at one place of the grid. Sin-cos positions (SD3, PixArt, Sana) are added to the tokens and stay absolute; they only
become continuous.

So the measure is the finished picture. Each small model was trained for {training} steps to denoise crops that do not
tile, and so it has learnt to draw pictures that do not. Then it drew {pictures} pictures. The seam ratio is the jump of
the latents across the border over that at the other lines where patches meet, mean and spread over pictures and axes; 1
is a picture that tiles. The training is short, so that the figures compare two ways of sampling, not families.

{positioned}
"""


def page(
    exact: Sequence[Exact], positioned: Sequence[Positioned], command: str, training: int, pictures: int
) -> str:
    """The whole page in Markdown."""
    head = (
        "network", "direction", "unpatched", "every Conv2d circular", "wrapped", "x only", "y only", "bound", "",
    )  # fmt: skip
    rows = [
        (
            row.case.family,
            row.case.direction,
            f"{row.unpatched:.2g}",
            f"{row.circular:.2g}",
            *(f"{value:.0e}" if value else "0" for value in (row.ours, row.along_x, row.along_y)),
            f"{row.case.bound:.0e}",
            verdict(row.kept),
        )
        for row in exact
    ]
    other_head = (
        "model",
        "law, unpatched",
        "law, periodic positions",
        "seam ratio as it is",
        "on the torus",
        "",
    )
    other_rows = [
        (
            row.family,
            f"{row.unpatched:.2g}",
            f"{row.periodic:.2g}",
            str(row.plain_seam),
            str(row.our_seam),
            verdict(row.kept),
        )
        for row in positioned
    ]
    text = PAGE.format(command=command, exact=table(head, rows))
    if positioned:
        others = table(other_head, other_rows)
        text += POSITIONS.format(positioned=others, training=training, pictures=pictures)
    return text


def verdict(kept: bool) -> str:
    return "ok" if kept else "not kept"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
