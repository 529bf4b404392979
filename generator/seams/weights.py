# SPDX-License-Identifier: GPL-3.0-or-later
"""What each piece of evidence counts for: written by ``benchmarks/seam_weights.py``, from 1762 examples."""

from __future__ import annotations

INTERCEPT = -0.7558
WEIGHTS = {
    "jump score": -0.1356,
    "jump excess": -0.0789,
    "isolated score": 0.3501,
    "isolated excess": 0.0333,
    "other score": 0.1298,
    "other excess": 0.0390,
    "part score": -0.1062,
    "part excess": -0.0005,
    "sharp score": -0.1904,
    "sharp excess": -0.0308,
    "rhythm loss beyond least": 2.4708,
    "rhythm loss in deviations": 0.3233,
    "rhythm loss": 2.5640,
    "cut log ratio": 0.3353,
    "cut from lines": 0.5974,
    "cut from cuts": 0.4722,
    "cut excess": 0.5278,
    "cut power": 0.0312,
    "cut from lines by power": 0.7618,
    "cut share by power": 0.6203,
    "pairs full border": 1.2603,
    "pairs full loss": -0.3479,
    "pairs full deviations": 0.3367,
    "pairs full excess": 0.2362,
    "pairs full power": -0.5583,
    "pairs full deviations by power": 0.4472,
    "pairs half border": 0.9371,
    "pairs half loss": -0.9961,
    "pairs half deviations": 0.1493,
    "pairs half excess": 0.6528,
    "pairs half power": -0.7878,
    "pairs half deviations by power": 0.0714,
}
