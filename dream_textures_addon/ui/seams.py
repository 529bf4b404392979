# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured at the borders: a line for everyone, and the figures for whoever opens them."""

from __future__ import annotations

import bpy

from ..jobs import Job
from ..wire import protocol

words = protocol.seam_words
_FIGURES = (("Step", "ratio"), ("Spread", "z_score"), ("Bend", "second_difference"))
"""The columns: the step across the border by those inside, its z-score, and the same ratio for second differences."""

_LABELS = {
    "basecolor": "Base Color",
    "normal": "Normal",
    "roughness": "Roughness",
    "height": "Height",
    "ao": "Occlusion",
    "metallic": "Metallic",
}


def seam_line(job: Job, index: int = 0) -> tuple[str, bool]:
    """What was measured at the borders of an image's maps, in words, and whether all is as it was wanted."""
    results = [result for result in job.results if result.index == index]
    if not results:
        return "", True
    axes = words.axes_of(results[0].recipe.get("seamless"))
    if results[0].before is not None:
        said = words.verdict(results[0].seams, axes)
        before = words.ratios(results[0].before, axes)
        fine = not words.broken_axes(results[0].seams, axes)
        return f"{said[0].upper()}{said[1:]} (before: {before})", fine
    broken = [
        f"{result.map} in {words.spoken(axis)}"
        for result in results
        for axis in words.broken_axes(result.seams, axes)
    ]
    if broken:
        return f"Does not tile: {', '.join(broken)}", False
    return (f"Tiles in {words.spoken(axes)}", True) if axes else ("Made without tiling", True)


def draw_figures(layout: bpy.types.UILayout, job: Job) -> None:
    """A part that is closed at first, with the figures of each map and axis."""
    header, body = layout.panel("dtex_seams", default_closed=True)
    header.label(text="Seams in Figures")
    if body is None:
        return
    for index in job.indices:
        if len(job.indices) > 1:
            body.label(text=f"Seed {job.request.image_seed(index)}")
        row = body.row()
        names = row.column(align=True)
        names.label(text="")
        columns = row.row(align=True)
        figures = [(name, columns.column(align=True)) for _, name in _FIGURES]
        for (title, _), (_, column) in zip(_FIGURES, figures, strict=True):
            column.label(text=title)
        for result in job.image(index).values():
            reports = (
                {"": result.seams} if result.before is None else {"": result.seams, "Before": result.before}
            )
            for when, report in reports.items():
                for axis, label in words.AXES:
                    names.label(text=f"{when or _LABELS.get(result.map, result.map)} {label}")
                    for name, column in figures:
                        column.label(text=f"{words.figure(report, axis, name):.2f}")
    body.label(text="A picture that tiles has about 1, 0 and 1")
