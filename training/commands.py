# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command lines of training have in common: their options, and how they end."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

from generator.progress import GenerationError


def command(module: str, does: str, out: Path) -> argparse.ArgumentParser:
    """The parser of ``python -m module``, whose results go to ``out`` if nothing else is said."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=does)
    parser.add_argument(
        "--out", type=Path, default=out, help="the folder for what is made (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


def trainer(
    module: str,
    does: str,
    out: Path,
    steps: int,
    rate: float | None = None,
    matrix_rate: float | None = None,
    batch: int | None = None,
) -> argparse.ArgumentParser:
    """The same for a command that trains: so many steps, at these rates, in batches; None is nothing to choose."""
    parser = command(module, does, out)
    limited(parser)
    parser.add_argument("--steps", type=int, default=steps, help="the last step; the rate falls towards it")
    if rate is not None:
        parser.add_argument("--rate", type=float, default=rate, help="AdamW's (default: %(default)s)")
    if matrix_rate is not None:
        parser.add_argument(
            "--matrix-rate", type=float, default=matrix_rate, help="Muon's, for matrices; 0: AdamW moves all"
        )
    if batch is not None:
        parser.add_argument(
            "--batch", type=int, default=batch, help="how many in a step (default: %(default)s)"
        )
    return parser


def limited(parser: argparse.ArgumentParser) -> None:
    """Let a command be told when to stop."""
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long (default: never)")


def finished(work: Callable[[], object]) -> int:
    """Do the work and print what it gives; 1, and a sentence, where something is missing or does not fit."""
    try:
        made = work()
        if made is not None:
            print(made)
    except GenerationError as error:
        print(f"{error.message} {error.advice}".rstrip(), file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
