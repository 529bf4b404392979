# SPDX-License-Identifier: GPL-3.0-or-later
"""Seam reports in words: the same for the terminal and for the panel.

A report is what `generator.seams` measures, as it travels in a `Result`: for ``x`` and ``y`` the ratio of the step
across the border to the steps inside, its z-score, the same ratio for second differences, and the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AXES = (("x", "X"), ("y", "Y"))


def axes_of(seamless: object) -> str:
    """Which axes a request promised: ``xy``, ``x``, ``y`` or nothing."""
    return {"both": "xy", "x": "x", "y": "y"}.get(str(seamless), "")


def broken_axes(report: Mapping[str, Any], axes: str = "xy") -> str:
    """Those of the axes along which the picture has a visible border."""
    return "".join(axis for axis in axes if report.get(axis, {}).get("tiles") is False)


def verdict(report: Mapping[str, Any], axes: str = "xy") -> str:
    """What becomes of the picture when it is repeated, such as ``tiles in X, not in Y``.

    An axis that cannot be judged, because nothing varies along it or the picture is too small, counts as tiling.
    """
    broken = broken_axes(report, axes)
    sound = "".join(axis for axis in axes if axis not in broken)
    if not axes:
        return "was made without tiling"
    if not broken:
        return f"tiles in {spoken(sound)}"
    return (
        f"tiles in {spoken(sound)}, not in {spoken(broken)}"
        if sound
        else f"does not tile in {spoken(broken)}"
    )


def spoken(axes: str) -> str:
    """``X and Y`` for ``xy``."""
    return " and ".join(label for axis, label in AXES if axis in axes)


def ratios(report: Mapping[str, Any], axes: str = "xy") -> str:
    """The ratios of these axes in their order, such as ``1.01, 0.99``; about 1 where a picture tiles."""
    return ", ".join(f"{figure(report, axis, 'ratio'):.2f}" for axis in axes)


def figure(report: Mapping[str, Any], axis: str, name: str) -> float:
    """One measured number, or NaN where the report lacks it."""
    value = report.get(axis, {}).get(name)
    return float(value) if isinstance(value, (int, float)) else float("nan")
