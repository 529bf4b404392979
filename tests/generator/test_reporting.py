# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal shows while images are made."""

from __future__ import annotations

import io
import sys

import pytest

from generator.cli.reporting import reporter
from generator.protocol import Event, Step


class Screen(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *events: Event) -> list[str]:
    """What stood on the line, one state after another."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    bar = reporter(as_json=False)
    for event in events:
        bar.event(event)
    bar.close()
    return [line for line in screen.getvalue().replace("\n", "\r").split("\r") if line.strip()]


def test_the_bar_names_the_image_that_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    states = shown(monkeypatch, Step("a", 0, 0, 4), Step("a", 1, 0, 4))
    assert any(state.startswith("Image 1:") for state in states)
    assert states[-1].startswith("Image 2:")


def test_the_bar_names_all_images_that_are_made_together(monkeypatch: pytest.MonkeyPatch) -> None:
    states = shown(monkeypatch, Step("a", 0, 0, 4, None, 4), Step("a", 4, 0, 4, None, 2), Step("a", 6, 0, 4))
    assert any(state.startswith("Images 1 to 4:") for state in states)
    assert any(state.startswith("Images 5 to 6:") for state in states)
    assert states[-1].startswith("Image 7:")
