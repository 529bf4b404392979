# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the weights of the seam verdict to the tuning part of the known cases, and writes them where they are used.

    python benchmarks/seam_weights.py [--evidence FILE]

Logistic regression with a ridge on standardised evidence, by Newton's method. What is held out is never looked at.
``--evidence`` keeps what was measured, or takes it from there, since measuring is what takes the time.
"""

from __future__ import annotations

import argparse
import pickle
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import numpy.typing as npt
import seam_cases

from generator.seams import evidence_of
from generator.seams.evidence import NAMES

TARGET = Path(__file__).resolve().parents[1] / "generator" / "seams" / "weights.py"
SIZES = {64: 0.3, 128: 1.0, 256: 1.0, 512: 0.4, 1024: 0.08}
_RIDGE = 3.0
_SMALL, _SMALL_WEIGHT = (
    100,
    0.5,
)  # Sources below so many pixels count for less: some of them nobody could judge.
_WHITE_WEIGHT = 0.1  # White noise has no cuts to set against it.
_CALM = 1.0  # A false alarm counts for so many misses: the verdict asks for more in small pictures instead.
Float64Array = npt.NDArray[np.float64]


def measured(source: seam_cases.Source) -> list[tuple[Float64Array, bool, float]]:
    """Evidence, whether there is a seam, and how much the example counts, for each axis that has an answer."""
    found = []
    weight = _WHITE_WEIGHT if source.family == "white" else 1.0
    weight *= _SMALL_WEIGHT if source.size < _SMALL else 1.0
    for case in seam_cases.cases(source):
        for numbers, tiles in zip(evidence_of(case.image), case.expected, strict=True):
            if numbers is not None and tiles is not None:
                found.append((numbers, not tiles, weight * (_CALM if tiles else 1.0)))
    return found


def fit(numbers: Float64Array, seam: Float64Array, weight: Float64Array) -> tuple[Float64Array, float]:
    """Weights ``(F,)`` and the intercept of the log odds of a seam, for ``(N, F)``, ``(N,)`` and ``(N,)``."""
    middle, spread = numbers.mean(axis=0), numbers.std(axis=0) + 1e-9
    design = np.column_stack(((numbers - middle) / spread, np.ones(len(numbers))))
    ridge = np.diag([_RIDGE] * numbers.shape[1] + [1e-6])
    solution = np.zeros(design.shape[1])
    for _ in range(60):
        odds = 1 / (1 + np.exp(-np.clip(design @ solution, -30, 30)))
        gradient = design.T @ (weight * (odds - seam)) + ridge @ solution
        curvature = design.T @ (design * (weight * odds * (1 - odds))[:, None]) + ridge
        solution = solution - np.linalg.solve(curvature, gradient)
    weights = solution[:-1] / spread
    return weights, float(solution[-1] - weights @ middle)


def module(weights: Float64Array, intercept: float, examples: int) -> str:
    """The source text of ``generator/seams/weights.py``."""
    lines = "\n".join(f'    "{name}": {weight:.4f},' for name, weight in zip(NAMES, weights, strict=True))
    return f'''# SPDX-License-Identifier: GPL-3.0-or-later
"""What each piece of evidence counts for: written by ``benchmarks/seam_weights.py``, from {examples} examples."""

from __future__ import annotations

INTERCEPT = {intercept:.4f}
WEIGHTS = {{
{lines}
}}
'''


def main() -> None:
    """Measure, fit and write."""
    parser = argparse.ArgumentParser(description="Fit the weights of the seam verdict.")
    parser.add_argument("--evidence", type=Path, help="a file that keeps the evidence")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.evidence and options.evidence.is_file():
        examples = pickle.loads(options.evidence.read_bytes())  # noqa: S301  (our own file)
    else:
        sources = [source for source in seam_cases.sources(SIZES) if source.part == "tuning"]
        with Pool(options.processes) as pool:
            examples = [example for found in pool.imap(measured, sources, chunksize=2) for example in found]
        if options.evidence:
            options.evidence.write_bytes(pickle.dumps(examples))
    numbers, seam, weight = (np.array(column, np.float64) for column in zip(*examples, strict=True))
    weights, intercept = fit(numbers, seam, weight)
    TARGET.write_text(module(weights, intercept, len(examples)), encoding="utf-8")
    wrong = ((numbers @ weights + intercept) > 0) != (seam > 0)
    print(f"{len(examples)} examples, {int(wrong.sum())} of them judged wrongly.")


if __name__ == "__main__":
    main()
