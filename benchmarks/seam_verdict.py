# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the seam verdict errs, on pictures whose answer is known.

    python benchmarks/seam_verdict.py [--quick]

Periodic fields tile by construction; crops of larger ones do not. A crop of white noise is left out: it has no seam
that anybody could see. Spectra are named by energy per octave in two dimensions: amplitude falls as the wave number
to the power given, pink being 1. Every picture counts twice, once per axis.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from generator import procedural
from generator.material import FloatArray
from generator.seams import measure

SPECTRA = {"white": 0.0, "pinkish": 0.5, "pink": 1.0, "pink-brown": 1.5, "brown": 2.0}
KEPT = (0.6, 0.93)
"""The share of each side that a crop keeps: drawn from this range."""


def noise(size: int, exponent: float, seed: int) -> FloatArray:
    """A periodic Gaussian field ``(size, size)`` about 0.5 whose amplitudes fall as k to the minus ``exponent``."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((size, size)))
    wave_number = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]) * size
    wave_number[0, 0] = 1.0
    field = np.fft.irfft2(spectrum / wave_number**exponent, (size, size))
    return (0.5 + 0.12 * (field - field.mean()) / field.std()).astype(np.float32)


def shifted(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Another part of the same torus, so that the border lies anywhere in the pattern."""
    return np.roll(image, tuple(rng.integers(0, image.shape[:2])), axis=(0, 1))


def cropped(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A part of a picture, between six and nine tenths of each side."""
    rows, columns = (int(n * share) for n, share in zip(image.shape[:2], rng.uniform(*KEPT, 2), strict=True))
    return shifted(image, rng)[:rows, :columns]


def stepped(image: FloatArray, height: float, share: float) -> FloatArray:
    """A periodic picture with a ramp laid over part of its rows, which jumps by ``height`` at the border in X."""
    ramp = np.linspace(-0.5, 0.5, image.shape[1], dtype=np.float32) * np.float32(height)
    result = image.copy()
    result[: int(image.shape[0] * share)] += ramp
    return result


def count(pictures: Iterator[FloatArray], tiles: bool, axes: str = "xy") -> tuple[int, int]:
    """Wrong verdicts, and all verdicts given."""
    verdicts = [getattr(report, axis).tiles for report in map(measure, pictures) for axis in axes]
    given = [verdict for verdict in verdicts if verdict is not None]
    return sum(verdict is not tiles for verdict in given), len(given)


def show(name: str, result: tuple[int, int]) -> None:
    wrong, total = result
    print(f"{name:44} {wrong:5} of {total:5}   {100 * wrong / max(total, 1):5.1f} %", flush=True)


def material_pictures(size: int, seeds: int, cut: Callable[..., FloatArray]) -> Iterator[FloatArray]:
    """Pictures of every family of the procedural model."""
    rng = np.random.default_rng(11)
    for family in procedural.families():
        for seed in range(seeds):
            description = procedural.parse(family.name)
            yield cut(procedural.generate(description, size, size, seed).basecolor, rng)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="How often the seam verdict errs.")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller pictures")
    quick = parser.parse_args().quick
    sizes = (64, 128, 256) if quick else (64, 128, 256, 512, 1024)
    print(f"{'':44} wrong verdicts")
    for size in sizes:
        seeds = range(10 if quick else 12 if size > 256 else 40)
        for name, exponent in SPECTRA.items():
            show(f"{name} {size}, periodic", count((noise(size, exponent, s) for s in seeds), True))
            if exponent > 0:
                crops = (noise(size * 3 // 2, exponent, s)[:size, :size] for s in seeds)
                show(f"{name} {size}, crop", count(crops, False))
        for height, share in ((0.1, 1.0), (0.1, 0.4), (0.03, 1.0)):
            steps = (stepped(noise(size, 1.5, s), height, share) for s in seeds)
            show(f"pink-brown {size}, step {height} on {share:.0%}", count(steps, False, "x"))
    for size in (192,) if quick else (256, 512):
        seeds = 1 if quick else 3
        show(f"procedural {size}, periodic", count(material_pictures(size, seeds, shifted), True))
        show(f"procedural {size}, crop", count(material_pictures(size, seeds, cropped), False))


if __name__ == "__main__":
    main()
