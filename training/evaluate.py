# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the networks on families that they were never trained on, and write the tables and a contact sheet.

    python -m training.evaluate --data training/out/data/held-out-256 training/out/data/held-out-1024

prints the tables, and writes ``docs/maps-evaluation.md`` and ``docs/images/maps_evaluation.jpg``. Weights are the
product's own unless others are named. All is measured on the first folder, and the maps on the others as well: larger
pictures are also looked at in smaller copies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from generator.maps import analyse
from generator.maps.estimate import NAME
from generator.maps.seeing import read_network, see_material
from generator.material import FloatArray
from generator.networks import read_weights, shipped_weights
from generator.pixels import to_uint8
from training.dataset import HELD_OUT, Materials
from training.lighting import Surfaces, random_lights, render, to_srgb
from training.maps.card import card
from training.maps.evaluation import Estimator, Row, measure, pictures, shares_table, table, to_surface
from training.upscaler.evaluation import table as upscaler_table

Bytes = npt.NDArray[np.uint8]

_THUMB = 144
_MOST_ROWS = 8


def estimators(weights: Path | None) -> dict[str, Estimator]:
    """Image analysis, and the network where there is one."""
    made: dict[str, Estimator] = {"analysis": analyse}
    if weights is not None:
        made["network"] = partial(see_material, read_network(weights))
    return made


def contact_sheet(materials: Materials, chosen: dict[str, Estimator]) -> Image.Image:
    """One row a family: a lit picture, then for each estimator and the truth its maps and it relit."""
    families = sorted({entry.family for entry in materials.entries})[:_MOST_ROWS]
    wanted = {family: "sun" if number % 2 else "sky" for number, family in enumerate(families)}
    rows = []
    with torch.no_grad():
        for family, kind, _, picture, truth in pictures(materials, len(materials)):
            if wanted.get(family) != kind:
                continue
            del wanted[family]
            surfaces = [to_surface(estimator(picture)) for estimator in chosen.values()] + [truth]
            rows.append(np.concatenate([_thumb(picture)] + [_panel(s) for s in surfaces], axis=1))
            if not wanted:
                break
    return Image.fromarray(np.concatenate(rows))


def _panel(surface: Surfaces) -> Bytes:
    """Relit, base colour, normal, height and roughness of one surface, side by side."""
    lights = random_lights(1, torch.Generator().manual_seed(3))
    light = render(surface, lights)
    height = 0.5 + surface.height / (0.08 * surface.height.shape[-1])
    fields = [
        to_srgb(light * (0.22 / light.mean())),
        to_srgb(surface.colour),
        surface.normal * 0.5 + 0.5,
        height,
        surface.roughness,
    ]
    shown = [field[0].expand(3, -1, -1).permute(1, 2, 0).numpy() for field in fields]
    gap = np.full((_THUMB, 8, 3), 255, np.uint8)
    return np.concatenate([gap, *(_thumb(picture) for picture in shown)], axis=1)


def _thumb(picture: FloatArray) -> Bytes:
    return np.asarray(Image.fromarray(to_uint8(picture)).resize((_THUMB, _THUMB), Image.Resampling.LANCZOS))


def report(materials: Materials, weights: Path | None, rows: Sequence[Row], count: int) -> str:
    """The page with all tables, in Markdown."""
    families = ", ".join(sorted({entry.family for entry in materials.entries}))
    parts = [
        "# How good the estimated maps are\n",
        f"Measured on {min(count, len(materials))} materials of families that no network was trained on ({families}), "
        f"{materials.size} pixels a side, each seen in five kinds of pictures: its base colour as it is, with some "
        "occlusion in it, under a cloudy sky, in the sun, and by a lamp near the camera. "
        "`python -m training.evaluate` makes this page.\n",
        table(rows) + "\n",
    ]
    if weights is not None:
        about = read_weights(weights).metadata
        told = ", ".join(
            f"{key} {about[key]}" for key in ("parameters", "materials", "step", "hours") if key in about
        )
        parts += [f"The network: {told}.\n"]
        parts += ["## By kind of picture, analysis → network\n", shares_table(rows, "kind") + "\n"]
        parts += ["## By family, analysis → network\n", shares_table(rows, "family") + "\n"]
    parts += [
        "![Pictures and their maps](images/maps_evaluation.jpg)\n",
        "A picture, then relit, base colour, normal, height and roughness: by image analysis, by the network (where "
        "there is one), and the truth.\n",
    ]
    return "\n".join(parts)


def read_held_out(folder: Path) -> Materials:
    """The materials of a folder. Raises ``ValueError`` where there are some that networks have been trained on."""
    materials = Materials(folder)
    known = sorted({entry.family for entry in materials.entries} - set(HELD_OUT))
    if known:
        raise ValueError(
            f"{folder} holds {known[0]}, which networks are trained on; nothing is measured on that."
        )
    return materials


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when there is nothing to measure on."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description="Measure the networks.")
    parser.add_argument("--data", type=Path, nargs="+", default=[Path("training/out/data/held-out-256")])
    parser.add_argument("--weights", type=Path, default=shipped_weights(NAME))
    parser.add_argument("--count", type=int, default=140, help="how many materials")
    parser.add_argument(
        "--out", type=Path, default=Path("docs"), help="the folder for the page and the sheet"
    )
    parser.add_argument("--card", action="store_true", help="write the model card beside the weights as well")
    options = parser.parse_args(arguments)
    try:
        materials, *others = [read_held_out(folder) for folder in options.data]

        def tell(done: int) -> None:
            if done % 25 == 0:
                print(f"{done} pictures", file=sys.stderr, flush=True)

        rows = measure(materials, estimators(options.weights), options.count, tell)
        page = report(materials, options.weights, rows, options.count)
        for larger in others:
            found = measure(larger, estimators(options.weights), options.count, tell)
            number = min(options.count, len(larger))
            page += f"\n## At {larger.size} pixels, {number} materials\n\n{table(found)}\n"
        page += upscaler_table(options.data[0])
        sheet = contact_sheet(materials, estimators(options.weights))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    (options.out / "images").mkdir(parents=True, exist_ok=True)
    (options.out / "maps-evaluation.md").write_text(page, encoding="utf-8")
    sheet.save(options.out / "images" / "maps_evaluation.jpg", quality=85)
    if options.card and options.weights is not None:
        about = read_weights(options.weights).metadata
        measured = min(options.count, len(materials))
        options.weights.with_suffix(".md").write_text(card(about, table(rows), measured), encoding="utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
