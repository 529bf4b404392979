# SPDX-License-Identifier: GPL-3.0-or-later
"""How far estimated maps are from true ones, per map and under other lights, on families never trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from generator.material import FloatArray, Material
from training.dataset import Materials
from training.lighting import Lights, Surfaces, random_lights, render, to_linear, to_srgb
from training.maps.samples import finished, surface_of
from training.photos import KINDS, photograph

Estimator = Callable[[FloatArray], Material]
"""From a periodic picture ``(H, W, 3)``, sRGB in [0, 1], to its maps."""

MEASURES = {
    "basecolor": "base colour, mean difference of 255",
    "normal": "normal, degrees",
    "height": "height, RMS in per mille of the side",
    "heightmap": "height map, mean difference of 255",
    "roughness": "roughness, mean difference of 255",
    "metallic": "metallic, mean difference of 255",
    "ao": "occlusion, mean difference of 255",
    "rendered": "under other lights, mean difference of 255",
}
"""What is measured, and in what."""

_LIGHTS = 4
_LIGHT_SEED = 20_000
"""No training draws from this seed."""


@dataclass(frozen=True)
class Row:
    """The errors of one estimator on one picture."""

    estimator: str
    family: str
    kind: str
    errors: dict[str, float]


def to_surface(material: Material) -> Surfaces:
    """Estimated maps as a batch of one; its normals are taken as they are."""

    def field(values: FloatArray) -> Tensor:
        planes = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes, np.float32))[None]

    made = finished(
        {
            "colour": to_linear(field(material.basecolor)),
            "height": field(material.height) * (material.relief * min(material.height.shape)),
            **{name: field(getattr(material, name)) for name in ("roughness", "metallic", "ao")},
        }
    )
    return Surfaces(**{**vars(made), "normal": torch.nn.functional.normalize(field(material.normal), dim=1)})


def errors(seen: Surfaces, truth: Surfaces, random: torch.Generator) -> dict[str, float]:
    """`MEASURES` of one estimate."""

    def levels(a: Tensor, b: Tensor) -> float:
        return 255 * float((a - b).abs().mean())

    cosine = (seen.normal * truth.normal).sum(1).clamp(-1, 1)
    side = min(truth.height.shape[-2:])
    return {
        "basecolor": levels(to_srgb(seen.colour), to_srgb(truth.colour)),
        "normal": float(torch.rad2deg(torch.acos(cosine)).mean()),
        "height": 1000 * float((seen.height - truth.height).square().mean().sqrt()) / side,
        "heightmap": levels(_filled(seen.height), _filled(truth.height)),
        **{k: levels(getattr(seen, k), getattr(truth, k)) for k in ("roughness", "metallic", "ao")},
        "rendered": float(np.mean([_relit(seen, truth, random) for _ in range(_LIGHTS)])),
    }


def _filled(height: Tensor) -> Tensor:
    """The height as a file has it, from 0 to 1."""
    low, high = height.amin(), height.amax()
    return (height - low) / (high - low).clamp(min=1e-4)


def _relit(seen: Surfaces, truth: Surfaces, random: torch.Generator) -> float:
    """The difference under one light, both exposed alike so that the true one is of medium brightness."""
    lights: Lights = random_lights(1, random, oblique=True)
    made, wanted = render(seen, lights), render(truth, lights)
    exposure = 0.2 / wanted.mean().clamp(min=1e-3)
    return 255 * float((to_srgb(made * exposure) - to_srgb(wanted * exposure)).abs().mean())


def pictures(materials: Materials, count: int) -> Iterator[tuple[str, str, int, FloatArray, Surfaces]]:
    """Family, kind, number, picture and truth: every kind of picture of the first ``count`` materials."""
    for number in range(min(count, len(materials))):
        sample = materials[number]
        truth = surface_of(sample)
        random = torch.Generator().manual_seed(_LIGHT_SEED + number)
        for kind in KINDS:
            shown = photograph(truth, [kind], random)
            picture = np.ascontiguousarray(shown[0].permute(1, 2, 0).numpy())
            yield sample.entry.family, kind, number, picture, truth


def measure(
    materials: Materials,
    estimators: dict[str, Estimator],
    count: int,
    tell: Callable[[int], None] = lambda _: None,
) -> list[Row]:
    """The errors of every estimator on every picture."""
    rows = []
    with torch.no_grad():
        for done, (family, kind, number, picture, truth) in enumerate(pictures(materials, count)):
            for name, estimator in estimators.items():
                random = torch.Generator().manual_seed(_LIGHT_SEED + number)
                found = errors(to_surface(estimator(picture)), truth, random)
                rows.append(Row(name, family, kind, found))
            tell(done + 1)
    return rows


def mean(rows: Sequence[Row], measure: str, **wanted: str) -> float:
    """The mean of one measure over the rows with these values; not a number where there are none."""
    values = [row.errors[measure] for row in rows if all(getattr(row, k) == v for k, v in wanted.items())]
    return float(np.mean(values)) if values else float("nan")


def table(rows: Sequence[Row]) -> str:
    """All measures of all estimators as a table in Markdown, with the share that is left of the first one's error."""
    names = list(dict.fromkeys(row.estimator for row in rows))
    others = names[1:]
    head = ["error", *names, *(f"{name} / {names[0]}" for name in others)]
    lines = [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
    for measure, title in MEASURES.items():
        values = [mean(rows, measure, estimator=name) for name in names]
        shares = [f"{value / max(values[0], 1e-9):.2f}" for value in values[1:]]
        lines.append(_line([title, *(f"{value:.2f}" for value in values), *shares]))
    return "\n".join(lines)


def shares_table(rows: Sequence[Row], by: str) -> str:
    """What is left of the first estimator's error with the last one, for each ``family`` or ``kind``."""
    names = list(dict.fromkeys(row.estimator for row in rows))
    groups = sorted({getattr(row, by) for row in rows})
    lines = [_line([by, *MEASURES]), _line(["---"] + ["---:"] * len(MEASURES))]
    for group in groups:
        cells = []
        for measure in MEASURES:
            first, last = (mean(rows, measure, estimator=n, **{by: group}) for n in (names[0], names[-1]))
            cells.append(f"{first:.1f} → {last:.1f}")
        lines.append(_line([group, *cells]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
