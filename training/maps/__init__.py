# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimator of maps: how it was trained, in one command, ``python -m training.maps``."""
