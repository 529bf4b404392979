# SPDX-License-Identifier: GPL-3.0-or-later
"""Which PyTorch suits which computer; none of these computers has to be here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from generator.environment import probe as module
from generator.environment.probe import Card, amd_by_kfd, choose, intel_by_drm, probe, read_smi

ALL = ("cuda", "cuda-legacy", "rocm", "cpu")


def nvidia(name: str, capability: tuple[int, int], cuda: int) -> Card:
    return Card("nvidia", name, capability, cuda=cuda, driver="580.95")


@pytest.mark.parametrize(
    ("card", "accelerator", "said"),
    [
        (nvidia("NVIDIA GeForce RTX 4090", (8, 9), 13000), "cuda", "RTX 4090, driver 580.95"),
        (nvidia("NVIDIA GeForce RTX 3060", (8, 6), 12040), "cuda-legacy", "RTX 3060"),
        (nvidia("NVIDIA GeForce GTX 1080", (6, 1), 13000), "cuda-legacy", "GTX 1080"),
        (nvidia("NVIDIA GeForce RTX 5090", (12, 0), 12080), "cpu", "too old"),
        (nvidia("NVIDIA GeForce GTX 970", (5, 2), 11040), "cpu", "too old"),
        (Card("amd", "AMD graphics", target="gfx1100"), "rocm", "gfx1100"),
        (Card("amd", "AMD graphics", target="gfx803"), "cpu", "no build"),
        (Card("amd", "AMD graphics", target="gfx1036"), "cpu", "no build"),
        (Card("intel", "Intel Arc graphics"), "cpu", "no locked PyTorch"),
    ],
)
def test_the_build_follows_the_card_and_its_driver(card: Card, accelerator: str, said: str) -> None:
    choice = choose([card], ALL, "linux", "x86_64")
    assert choice.accelerator == accelerator
    assert said in choice.reason
    assert choice.reason.endswith(".")


def test_old_drivers_are_told_to_be_updated() -> None:
    assert "Update the NVIDIA driver" in choose([nvidia("A", (8, 6), 12040)], ALL, "linux").advice
    assert "Update the NVIDIA driver" in choose([nvidia("A", (5, 2), 11040)], ALL, "linux").advice
    assert not choose([nvidia("A", (6, 1), 13000)], ALL, "linux").advice, "no driver makes it newer"


def test_nvidia_comes_before_a_processor_with_amd_graphics() -> None:
    cards = [Card("amd", "AMD graphics", target="gfx1036"), nvidia("NVIDIA", (8, 9), 13000)]
    assert choose(cards, ALL, "linux").accelerator == "cuda"


def test_what_has_no_lock_falls_back_and_says_so() -> None:
    choice = choose([Card("intel", "Intel Arc graphics")], ("cpu",), "linux")
    assert (choice.accelerator, bool(choice.advice)) == ("cpu", True)
    assert choose([], ALL, "linux").accelerator == "cpu"
    assert choose([], ("mps",), "darwin", "arm64").accelerator == "mps"
    assert choose([Card("amd", "AMD Radeon RX 7900", target="")], ALL, "win32").accelerator == "cpu"


def test_nvidia_smi_is_read() -> None:
    cards = read_smi("NVIDIA GeForce RTX 3060, 550.54.14, 8.6\nTesla V100, 580.95.05, 7.0\ngarbage\n, ,\n")
    assert [(card.capability, card.cuda) for card in cards] == [((8, 6), 12000), ((7, 0), 13000)]


def test_amd_cards_are_read_from_the_kernel(tmp_path: Path) -> None:
    for number, (target, name) in enumerate(
        [(0, ""), (110001, "navi31"), (90010, "aldebaran"), (100302, "")]
    ):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "properties").write_text(
            f"cpu_cores_count 8\ngfx_target_version {target}\n"
        )
        (tmp_path / str(number) / "name").write_text(f"{name}\n")
    assert [card.target for card in amd_by_kfd(tmp_path)] == ["gfx1101", "gfx90a", "gfx1032"]
    assert amd_by_kfd(tmp_path / "nowhere") == []


def test_intel_cards_are_told_from_the_graphics_of_processors(tmp_path: Path) -> None:
    for number, device in enumerate(["0x56a0", "0x46a6", "0xe20b"]):
        folder = tmp_path / f"card{number}" / "device"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text("0x8086\n")
        (folder / "device").write_text(device + "\n")
    assert len(intel_by_drm(tmp_path)) == 2


def test_the_probe_of_this_machine_answers() -> None:
    assert all(isinstance(card, Card) for card in probe())


@pytest.mark.parametrize(
    "program", ["import time; time.sleep(60)", "import os; os.abort()", "print('hello')"]
)
def test_a_driver_that_hangs_or_crashes_is_no_card(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    def run(_command: list[str], **options: object) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-c", program], **{**options, "timeout": 2.0})  # type: ignore[call-overload]

    monkeypatch.setattr(module, "LIMIT", 2.0)
    assert probe(run) == []
