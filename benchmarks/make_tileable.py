# SPDX-License-Identifier: GPL-3.0-or-later
"""How well pictures that do not tile are made to: crops of every family of the built-in model, and any photo given.

    python benchmarks/make_tileable.py [PHOTO ...] [--size 512] [--seed 5] [--out DIR]

One line per picture: the way that was chosen; jump across the border over the mean jump inside (1 is perfect; walls
and tiles go far below and above it, since joints jump), before and after, in X and Y; on how many axes a seam is still
seen; and three figures of resemblance, each 0 for a perfect one:

strange   how much further windows across the border are from the picture's windows than those are from each other
colours   distance between both colour histograms (first Wasserstein distance), in hundredths of full range
grain     mean absolute difference between neighbours, result over source, as a logarithm

and processor seconds. ``--out`` writes a sheet for each: the picture, repeated 2 x 2, and the result right of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from generator import procedural, seams
from generator.files import read_image
from generator.material import FloatArray
from generator.pixels import to_uint8
from generator.resample import resize
from generator.tileable import tile

KEPT = (0.6, 0.93)
"""The share of each side that a crop keeps: drawn from this range."""
SHEET = 480  # Pixels of a sheet's longer side, for either half.


def crops(size: int, seed: int) -> Iterator[tuple[str, FloatArray]]:
    """A part of one texture of each family, cut anywhere, so that it does not tile."""
    rng = np.random.default_rng(seed)
    for family in procedural.families():
        picture = procedural.generate(procedural.parse(family.example), size, size, 3).basecolor
        picture = np.roll(picture, tuple(rng.integers(0, size, 2)), axis=(0, 1))
        rows, columns = (int(size * share) for share in rng.uniform(*KEPT, 2))
        yield family.name, np.ascontiguousarray(picture[:rows, :columns])


def photos(paths: list[Path]) -> Iterator[tuple[str, FloatArray]]:
    """Pictures from files."""
    for path in paths:
        yield f"photo_{path.stem}", read_image(path).astype(np.float32) / np.float32(255)


def grain(image: FloatArray) -> float:
    """Mean absolute difference between neighbours."""
    return float(np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean())


def sheet(before: FloatArray, after: FloatArray) -> Image.Image:
    """Both, repeated 2 x 2, side by side."""
    rows, columns = before.shape[:2]
    scale = SHEET / (2 * max(rows, columns))
    width, height = round(columns * scale), round(rows * scale)
    halves = [np.tile(resize(image[..., :3], width, height), (2, 2, 1)) for image in (before, after)]
    gap = np.ones((2 * height, 8, 3), np.float32)
    return Image.fromarray(to_uint8(np.concatenate((halves[0], gap, halves[1]), axis=1)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="How well pictures are made to tile.")
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--size", type=int, default=512, help="of the textures that crops are taken from")
    parser.add_argument("--seed", type=int, default=5, help="of the crops; 0 leaves them out")
    parser.add_argument("--out", type=Path, help="where sheets are written")
    options = parser.parse_args()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    print(
        f"{'picture':14} {'way':16} {'ratio before':13} {'ratio after':13} seams strange colours  grain seconds"
    )
    pictures = list(photos(options.photos))
    totals = []
    for name, picture in (*pictures, *(crops(options.size, options.seed) if options.seed else ())):
        before = seams.measure(picture)
        started = time.process_time()
        result = tile(picture)
        taken = time.process_time() - started
        after = seams.measure(result.picture)
        like = result.score.likeness
        change = float(np.log(grain(result.picture) / max(grain(picture), 1e-6)))
        ratios = (f"{report.x.ratio:5.2f} {report.y.ratio:5.2f}" for report in (before, after))
        first, second = ratios
        print(
            f"{name:14} {result.method:16} {first:13} {second:13} {result.score.seams:5} {like.strange:7.3f} "
            f"{100 * like.colours:7.2f} {change:6.2f} {taken:7.1f}",
            flush=True,
        )
        totals.append((result.score.seams, like.strange, taken))
        if options.out:
            sheet(picture, result.picture).save(options.out / f"tile_{name}.jpg", quality=82)
    if totals:
        clean = sum(seen == 0 for seen, _, _ in totals)
        mean = np.mean([strange for _, strange, _ in totals])
        print(f"{clean} of {len(totals)} without a seam; strange {mean:.3f} on average", flush=True)


if __name__ == "__main__":
    main()
