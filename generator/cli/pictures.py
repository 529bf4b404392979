# SPDX-License-Identifier: GPL-3.0-or-later
"""``seams``: does this image tile?"""

from __future__ import annotations

import argparse
import json

from generator import seams as seam_measure
from generator.files import read_image
from generator.pixels import flatten_alpha

TILES, DOES_NOT_TILE, CANNOT_SAY = 0, 1, 2


def seams(options: argparse.Namespace) -> int:
    """Print the seam report of an image as JSON; the exit status is the verdict over the axes asked for."""
    report = seam_measure.measure(flatten_alpha(read_image(options.image)))
    axes = {"x": report.x, "y": report.y}
    asked = [axis for name, axis in axes.items() if options.axes in ("both", name)]
    verdicts = [axis.tiles for axis in asked]
    status = DOES_NOT_TILE if False in verdicts else CANNOT_SAY if None in verdicts else TILES
    print(
        json.dumps(
            {"file": str(options.image), "tiles": (True, False, None)[status], **report.to_json()}, indent=2
        )
    )
    return status
