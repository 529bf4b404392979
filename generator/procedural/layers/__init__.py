# SPDX-License-Identifier: GPL-3.0-or-later
"""Modifiers that go over any family; importing this package enters them all in the registry."""

from generator.procedural.layers import damage, growth, stains, weather  # noqa: F401
