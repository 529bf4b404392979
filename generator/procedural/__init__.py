# SPDX-License-Identifier: GPL-3.0-or-later
"""The model ``builtin:procedural``: plain words become a material with exact maps, by NumPy alone."""

from generator.procedural.compose import generate
from generator.procedural.description import Description
from generator.procedural.registry import FamilyInfo, families
from generator.procedural.restyle import adds_to_picture, restyle
from generator.procedural.words import parse

__all__ = ["Description", "FamilyInfo", "adds_to_picture", "families", "generate", "parse", "restyle"]
