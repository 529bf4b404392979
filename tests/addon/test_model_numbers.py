# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel says of a model, and which schedulers it offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from dream_textures_addon.model_numbers import UNKNOWN, WITH_LORAS, automatic
from dream_textures_addon.schedulers import OWN, SCHEDULER_ITEMS, requested
from dream_textures_addon.wire import protocol

TURBO = {
    "name": "stabilityai/sd-turbo",
    "folder": "/models/sd-turbo",
    "numbers": "Turbo: 4 steps, no guidance",
}


@pytest.mark.parametrize("folder", ["/models/sd-turbo", "/models/sd-turbo/", "/models/x/../sd-turbo"])
def test_a_known_folder_has_its_numbers_however_it_is_written(folder: str) -> None:
    assert (
        automatic([{"name": "builtin:procedural", "numbers": ""}, TURBO], folder, False) == TURBO["numbers"]
    )


def test_a_folder_listed_by_its_path_alone_is_known_as_well() -> None:
    folder = str(Path("models", "one"))
    listed = {"name": folder, "numbers": "25 steps, guidance 7.5"}
    assert automatic([listed], folder, False) == "25 steps, guidance 7.5"


def test_what_only_the_generator_can_see_is_said_in_words() -> None:
    assert automatic([TURBO], "/models/sd-turbo", True) == WITH_LORAS
    assert automatic([TURBO], "/models/other", False) == UNKNOWN
    assert automatic([], "", False) == UNKNOWN
    assert automatic([TURBO], "", False) == UNKNOWN


@pytest.mark.parametrize(
    "told",
    [None, "text", 3, {}, {"folder": 5, "name": None}, {"folder": "/m", "numbers": ["x"]}, {"folder": "/m"}],
)
def test_an_odd_list_of_models_harms_nothing(told: object) -> None:
    assert automatic([told, TURBO], "/m", False) == UNKNOWN
    assert automatic([told, TURBO], "/models/sd-turbo", False) == TURBO["numbers"]


def test_files_saved_before_mean_the_same_scheduler() -> None:
    """Blender stores the number; those were the places in the list of the first version."""
    first = (OWN, "euler", "euler_a", "dpmpp_2m_karras", "unipc", "ddim", "lcm")
    numbers = {name: number for name, _, _, number in SCHEDULER_ITEMS}
    assert [numbers[name] for name in first] == list(range(7))


def test_the_panel_offers_every_scheduler_once() -> None:
    names = [name for name, *_ in SCHEDULER_ITEMS]
    assert names[0] == OWN
    assert sorted(names[1:]) == sorted(protocol.SCHEDULERS)
    assert len({label for _, label, *_ in SCHEDULER_ITEMS}) == len(names)
    assert len({number for *_, number in SCHEDULER_ITEMS}) == len(names)
    assert (requested(OWN), requested("lcm")) == ("", "lcm")
