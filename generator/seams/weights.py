# SPDX-License-Identifier: GPL-3.0-or-later
"""What each piece of evidence counts for: written by ``benchmarks/seam_weights.py``, from 1762 examples."""

from __future__ import annotations

INTERCEPT = -0.7510
WEIGHTS = {
    "jump score": -0.1359,
    "jump excess": -0.0786,
    "isolated score": 0.3494,
    "isolated excess": 0.0337,
    "other score": 0.1304,
    "other excess": 0.0389,
    "part score": -0.1075,
    "part excess": -0.0003,
    "sharp score": -0.1914,
    "sharp excess": -0.0307,
    "rhythm loss beyond least": 2.4653,
    "rhythm loss in deviations": 0.3223,
    "rhythm loss": 2.5636,
    "cut log ratio": 0.3357,
    "cut from lines": 0.5972,
    "cut from cuts": 0.4715,
    "cut excess": 0.5274,
    "cut power": 0.0336,
    "cut from lines by power": 0.7624,
    "cut share by power": 0.6203,
    "pairs full border": 1.2591,
    "pairs full loss": -0.3473,
    "pairs full deviations": 0.3358,
    "pairs full excess": 0.2370,
    "pairs full power": -0.5643,
    "pairs full deviations by power": 0.4471,
    "pairs half border": 0.9444,
    "pairs half loss": -0.9938,
    "pairs half deviations": 0.1493,
    "pairs half excess": 0.6532,
    "pairs half power": -0.7925,
    "pairs half deviations by power": 0.0737,
}
