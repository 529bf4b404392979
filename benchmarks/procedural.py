# SPDX-License-Identifier: GPL-3.0-or-later
"""What a material of the built-in model costs on one core: every family's example prompt, with all six maps.

    python benchmarks/procedural.py [--size 1024] [--runs 3]

Each figure is the smallest of several runs in processor seconds, summed over all threads: what one core would need.
What else the machine does only adds to it.
"""

from __future__ import annotations

import argparse
import time

from generator import procedural


def seconds(prompt: str, size: int, runs: int) -> float:
    """The least processor time that ``size`` x ``size`` of this prompt took."""
    description = procedural.parse(prompt)
    taken = []
    for _ in range(runs):
        started = time.process_time()
        procedural.generate(description, size, size, seed=1)
        taken.append(time.process_time() - started)
    return min(taken)


def main() -> None:
    """Print the table, slowest first, and the worst stack of wear below it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    prompts = [family.example for family in procedural.families()]
    prompts += ["mossy red brick wall", "old mossy cracked wet snowy dirty brick wall"]
    table = sorted(
        ((seconds(prompt, options.size, options.runs), prompt) for prompt in prompts), reverse=True
    )
    print(
        f"Processor seconds for {options.size} x {options.size}, six maps, one core, least of {options.runs}\n"
    )
    for taken, prompt in table:
        print(f"{taken:6.2f}  {prompt}")


if __name__ == "__main__":
    main()
