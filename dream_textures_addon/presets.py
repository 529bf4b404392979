# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt presets: the words that make a model draw a surface, so that the artist need not know them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """``template`` holds ``{prompt}``; ``builtin`` are words that the built-in model understands."""

    id: str
    label: str
    template: str
    negative: str
    description: str
    builtin: str = ""


PRESETS: tuple[Preset, ...] = (Preset("none", "None", "{prompt}", "", "Send the prompt as it is typed"),)


def find(preset: str) -> Preset:
    """The preset of this id. Raises KeyError."""
    raise NotImplementedError


def apply(preset: Preset, prompt: str, negative: str = "", *, builtin: bool = False) -> tuple[str, str]:
    """The prompt and the negative prompt that will really be sent."""
    raise NotImplementedError
