# SPDX-License-Identifier: GPL-3.0-or-later
"""How well textures are made larger, on families that no network has seen: against the Lanczos filter.

python -m training.upscaler.evaluation --data training/out/data/held-out-256 --weights training/out/upscaler
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from generator.material import FloatArray
from generator.networks import read_weights
from generator.networks.weights import FOLDER
from generator.protocol import FACTORS
from generator.upscaling.methods import COLOUR, DATA, CompactNetwork, Enlarger, Lanczos
from training.commands import finished
from training.dataset import Materials, Sample
from training.upscaler.degrading import as_stored, shrink
from training.upscaler.samples import PLANES, colours, plane

KERNELS = ("area", "cubic")
"""How the pictures are made smaller: as painters and renderers mostly do it."""

_FLOOR = (1 / 255) ** 2 / 12
"""The power that rounding to 8 bits adds; what is below is no texture."""

Scores = dict[tuple[str, int, str], list[tuple[str, float, float]]]
"""By map, factor and method: family, PSNR and spectral distance of each picture."""


def psnr(made: FloatArray, truth: FloatArray) -> float:
    """In dB, for values in [0, 1]; 99 where they are the same."""
    error = float(np.mean(np.square(made - truth, dtype=np.float64)))
    return min(99.0, -10 * np.log10(max(error, 1e-12)))


def spectral_distance(made: FloatArray, truth: FloatArray) -> float:
    """By how many dB the power differs, as a mean over all spatial frequencies, for ``(H, W, C)`` on the torus.

    Rings of equal frequency count alike, so that the fine detail that a picture lacks is as much a fault as what is
    coarse and wrong.
    """
    levels = [10 * np.log10(_rings(picture) + _FLOOR) for picture in (made, truth)]
    return float(np.abs(levels[0] - levels[1]).mean())


def _rings(picture: FloatArray) -> FloatArray:
    """The mean power at each whole frequency, up to the finest that both axes hold."""
    rows, columns = picture.shape[:2]
    power = np.square(np.abs(np.fft.fft2(picture, axes=(0, 1), norm="ortho"))).mean(axis=2)
    down, across = np.fft.fftfreq(rows)[:, None] * rows, np.fft.fftfreq(columns)[None] * columns
    ring = np.round(np.hypot(down, across)).astype(int).ravel()
    last = min(rows, columns) // 2
    sums = np.bincount(ring, power.ravel())[1 : last + 1]
    return sums / np.bincount(ring)[1 : last + 1]


def enlargers(weights: Path, kind: str, factor: int) -> dict[str, Enlarger]:
    """Every way there is, by name: the filter, and each network of the folder, applied twice or reduced if need be."""
    found: dict[str, Enlarger] = {"Lanczos": Lanczos()}
    for scale in FACTORS:
        path = weights / f"upscaler-{kind}-x{scale}.safetensors"
        if path.is_file():
            name = (
                "network"
                if scale == factor
                else f"network x{scale} {'twice' if scale < factor else 'reduced'}"
            )
            found[name] = CompactNetwork(read_weights(path), name, lambda: None)
    return found


def pictures(sample: Sample, kind: str) -> dict[str, FloatArray]:
    """What is measured of one material, ``(H, W, C)`` in [0, 1] by name; what is even is left out."""
    if kind == COLOUR:
        return {"base colour": np.moveaxis(colours(sample), 0, 2)}
    planes = {name: plane(sample, name)[..., None] for name in PLANES}
    return {name: field for name, field in planes.items() if np.ptp(field) > 0.02}


def measure(
    materials: Materials,
    weights: Path,
    kind: str,
    factor: int,
    count: int,
    tell: Callable[[int], None] = lambda _done: None,
) -> Scores:
    """PSNR and spectral distance of every way, picture by picture."""
    ways = enlargers(weights, kind, factor)
    scores: Scores = defaultdict(list)
    for number in range(min(count, len(materials))):
        sample = materials[number]
        for name, truth in pictures(sample, kind).items():
            label = name.split(" ")[0] if kind == DATA else name
            for kernel in KERNELS:
                small = _smaller(truth, factor, kernel)
                for way, enlarger in ways.items():
                    made = enlarger(small, factor, (True, True), lambda _share: None)
                    score = sample.entry.family, psnr(made, truth), spectral_distance(made, truth)
                    scores[label, factor, way].append(score)
        tell(number + 1)
    return scores


def _smaller(truth: FloatArray, factor: int, kernel: str) -> FloatArray:
    tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(truth, 2, 0)))[None]
    return np.moveaxis(as_stored(shrink(tensor, factor, kernel))[0].numpy(), 0, 2)


def table(
    data: Path = Path("training/out/data/held-out-256"),
    weights: Path = FOLDER,
    count: int = 42,
    tell: Callable[[int], None] = lambda _done: None,
) -> str:
    """The tables as Markdown: over all, and by family for the base colour. Raises ``OSError`` without materials."""
    materials = Materials(data)
    scores: Scores = {}
    for kind in (COLOUR, DATA):
        for factor in FACTORS:
            scores |= measure(materials, weights, kind, factor, count, tell)
    lines = [
        "\n## Making textures larger\n",
        f"{min(count, len(materials))} materials of {materials.size} pixels, of families that no network has seen, "
        f"made smaller ({' and '.join(KERNELS)}), rounded to 8 bits and made larger again. PSNR: more is better. "
        "Spectral distance: by how many dB the strength of each frequency is missed; less is better.\n",
        *_rows(scores),
    ]
    lines += ["", "Base colour by family, PSNR / spectral distance:\n"]
    return "\n".join([*lines, *_by_family(scores)]) + "\n"


def _rows(scores: Scores) -> list[str]:
    lines = ["| map | factor | way | PSNR (dB) | spectral distance (dB) |", "|---|---|---|---|---|"]
    for (name, factor, way), rows in scores.items():
        lines.append(f"| {name} | {factor} | {way} | {_mean(rows, 1):.2f} | {_mean(rows, 2):.2f} |")
    return lines


def _by_family(scores: Scores) -> list[str]:
    chosen = {(factor, way): rows for (name, factor, way), rows in scores.items() if name == "base colour"}
    heads = [f"{way}, {factor}" for factor, way in chosen]
    lines = [f"| family | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for family in sorted({row[0] for rows in chosen.values() for row in rows}):
        cells = []
        for rows in chosen.values():
            own = [row for row in rows if row[0] == family]
            cells.append(f"{_mean(own, 1):.2f} / {_mean(own, 2):.2f}")
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return lines


def _mean(rows: list[tuple[str, float, float]], place: int) -> float:
    return float(np.mean([row[place] for row in rows]))  # type: ignore[arg-type]


def write_cards(
    data: Path, weights: Path, count: int, tell: Callable[[int], None] = lambda _done: None
) -> list[Path]:
    """A model card beside each network in the folder: what it is, what it learnt from, and the figures."""
    materials, written = Materials(data), []
    for kind in (COLOUR, DATA):
        for factor in FACTORS:
            path = weights / f"upscaler-{kind}-x{factor}.safetensors"
            if path.is_file():
                rows = _rows(measure(materials, weights, kind, factor, count, tell))
                about = read_weights(path).metadata
                card = path.with_suffix(".md")
                card.write_text("\n".join([*_about(path.stem, kind, about), *rows]) + "\n", encoding="utf-8")
                written.append(card)
    return written


def _about(name: str, kind: str, about: dict[str, str]) -> list[str]:
    what = (
        "base colours (three channels, sRGB)" if kind == COLOUR else "every other map, one channel at a time"
    )
    families = about.get("families", "").split()
    return [
        f"# {name}\n",
        f"Makes textures {about.get('scale')} times as large: {what}. SRVGGNetCompact with {about.get('features')} "
        f"features and {about.get('depth')} convolutions, {int(about.get('parameters', 0)):,} parameters in 16 bits; "
        "run on a torus, so that what tiled still tiles. Any program that uses spandrel loads it.\n",
        f"Trained from nothing on {about.get('materials')} procedural materials of {about.get('size')} pixels made by "
        f"Dream Textures itself, so that no picture of anybody's is in it; {about.get('step')} steps, "
        f"{about.get('hours')} hours on processors. Families: {', '.join(families)}. "
        f"Made again by `{about.get('command', 'python -m training.upscaler')}`. "
        "Licence: GPL-3.0-or-later, as the rest.\n",
        "It adds the detail that such textures mostly have at that place. It does not know what was there, and is not "
        "for pictures of people or of writing.\n",
        "Measured on families that it has never seen, made smaller, rounded to 8 bits and made larger again:\n",
    ]


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when there is nothing to measure on."""
    parser = argparse.ArgumentParser(
        prog="python -m training.upscaler.evaluation",
        description="Measure how well textures are made larger.",
    )
    parser.add_argument("--data", type=Path, default=Path("training/out/data/held-out-256"))
    parser.add_argument("--weights", type=Path, default=FOLDER, help="the folder with upscaler-*.safetensors")
    parser.add_argument("--count", type=int, default=42, help="how many materials")
    parser.add_argument("--cards", action="store_true", help="write a model card beside each network instead")
    told = parser.parse_args(arguments)

    def tell(done: int) -> None:
        if done % 7 == 0:
            print(f"{done} materials", file=sys.stderr, flush=True)

    def work() -> str:
        if told.cards:
            return "\n".join(map(str, write_cards(told.data, told.weights, told.count, tell)))
        return table(told.data, told.weights, told.count, tell)

    return finished(work)


if __name__ == "__main__":
    sys.exit(main())
