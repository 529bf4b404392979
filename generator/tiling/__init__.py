# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a photograph is made to tile, and how well the result still looks like it."""
