# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of PyTorch suits this computer, asked of the drivers, before there is a PyTorch to ask.

A driver that is broken may hang or end the process that talks to it. So this module is also a small program
(``python probe.py``, which imports nothing of ours), and `probe` runs it as a child with a limit.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

LIMIT = 20.0
TURING, BLACKWELL = (7, 5), (10, 0)
"""The oldest compute capability that PyTorch's CUDA 13 builds have kernels for, and the first that 12.6 has not."""

CUDA_13_DRIVER, CUDA_12_DRIVER = 13000, 12000
"""What ``cuDriverGetVersion`` says at least for CUDA 13 and for any CUDA 12."""

_AMD_TARGETS = re.compile(r"gfx(908|90a|942|950|1030|110[012]|115[01]|120[01])")
"""What PyTorch's ROCm builds have kernels for: not the small graphics in processors, such as gfx1036."""

_INTEL_ARC = re.compile(r"0x(56[9abc]\w|e2[01]\w|7d55|7d51|64a0|b08\w|b09\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Card:
    """One GPU: its maker, its name, what it can do, and the driver's version where that is known.

    ``capability`` is NVIDIA's (major, minor); ``target`` is AMD's, such as ``gfx1100``; ``cuda`` is the newest
    CUDA that the driver knows, such as 13000.
    """

    maker: str
    name: str
    capability: tuple[int, int] = (0, 0)
    target: str = ""
    cuda: int = 0
    driver: str = ""


@dataclass(frozen=True)
class Choice:
    """An accelerator, the sentence that says why, and what would make it better."""

    accelerator: str
    reason: str
    advice: str = ""


def probe(run: Callable[..., subprocess.CompletedProcess] = subprocess.run) -> list[Card]:
    """The GPUs of this computer; none where the drivers do not answer in time."""
    from .leash import leashed  # here, since this file is also a program on its own

    command = leashed([sys.executable, "-I", "-S", str(Path(__file__).resolve())])
    try:
        done = run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        found = json.loads(done.stdout.decode("utf-8", "replace").strip().splitlines()[-1])
        return [Card(**{**card, "capability": tuple(card["capability"])}) for card in found]
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError):
        return []


def choose(
    cards: Sequence[Card], available: Sequence[str], system: str = sys.platform, machine: str = ""
) -> Choice:
    """The best accelerator among those that there are locks for."""
    best = _wish(cards, system, machine)
    if best.accelerator in available:
        return best
    fallback = "cpu" if "cpu" in available else (available[0] if available else "cpu")
    return Choice(
        fallback,
        f"{best.reason} There is no locked PyTorch for that here, so the processor is used.",
        best.advice or "Use an existing Python that has a PyTorch for it.",
    )


def _wish(cards: Sequence[Card], system: str, machine: str) -> Choice:
    if system == "darwin":
        arm = (machine or os.uname().machine) == "arm64"
        return (
            Choice("mps", "An Apple processor.") if arm else Choice("cpu", "A Mac with an Intel processor.")
        )
    for maker, choice in (("nvidia", _nvidia), ("amd", _amd), ("intel", _intel)):
        of_maker = [card for card in cards if card.maker == maker]
        if of_maker:
            return choice(of_maker, system)
    return Choice("cpu", "No graphics card that PyTorch can use was found.")


def _nvidia(cards: Sequence[Card], _system: str) -> Choice:
    card = max(cards, key=lambda card: card.capability)
    said = f"{card.name}, driver {card.driver}." if card.driver else f"{card.name}."
    if card.cuda >= CUDA_13_DRIVER and card.capability >= TURING:
        return Choice("cuda", said)
    if card.cuda >= CUDA_12_DRIVER and card.capability < BLACKWELL:
        advice = (
            "Update the NVIDIA driver to version 580 or later, and set up again: newer builds are faster."
            if card.capability >= TURING
            else ""
        )
        return Choice("cuda-legacy", said, advice)
    return Choice(
        "cpu",
        f"{said} Its driver is too old for PyTorch, so the processor is used.",
        "Update the NVIDIA driver, and set up again.",
    )


def _amd(cards: Sequence[Card], system: str) -> Choice:
    usable = [card for card in cards if _AMD_TARGETS.fullmatch(card.target)]
    card = (usable or list(cards))[0]
    said = f"{card.name} ({card.target})." if card.target else f"{card.name}."
    if usable and system == "linux":
        return Choice("rocm", said)
    return Choice("cpu", f"{said} PyTorch has no build for it, so the processor is used.")


def _intel(cards: Sequence[Card], _system: str) -> Choice:
    return Choice("xpu", f"{cards[0].name}.")


def cards_here() -> list[Card]:
    """Ask the drivers. May hang or crash where they are broken: `probe` calls it in a process of its own."""
    found = [*(nvidia_by_library() or nvidia_by_smi())]
    if sys.platform == "linux":
        found += amd_by_kfd(Path("/sys/class/kfd/kfd/topology/nodes"))
        found += intel_by_drm(Path("/sys/class/drm"))
    elif sys.platform == "win32":
        found += cards_by_registry()
    return found


def nvidia_by_library() -> list[Card]:
    """Through the driver's own library, which comes with every driver."""
    import ctypes

    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return []
    count, version = ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return []
    cuda.cuDriverGetVersion(ctypes.byref(version))
    found = []
    for number in range(count.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
        major, minor = ctypes.c_int(), ctypes.c_int()
        if cuda.cuDeviceGet(ctypes.byref(device), number):
            continue
        cuda.cuDeviceGetName(name, len(name), device)
        cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, device)
        cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)
        found.append(
            Card(
                "nvidia",
                name.value.decode("utf-8", "replace"),
                capability=(major.value, minor.value),
                cuda=version.value,
                driver=_nvidia_driver(),
            )
        )
    return found


def nvidia_by_smi() -> list[Card]:
    """Through nvidia-smi, where the library does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        text = subprocess.run(query, capture_output=True, timeout=10, check=False, text=True).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return read_smi(text)


def read_smi(text: str) -> list[Card]:
    """Cards from lines such as ``NVIDIA GeForce RTX 3060, 550.54.14, 8.6``."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 3 and re.fullmatch(r"\d+\.\d+", parts[2]):
            major, _, minor = parts[2].partition(".")
            release = int(parts[1].split(".")[0]) if parts[1][:1].isdigit() else 0
            # The first driver branches that know CUDA 13 and CUDA 12.
            cuda = CUDA_13_DRIVER if release >= 580 else CUDA_12_DRIVER if release >= 525 else 0
            found.append(Card("nvidia", parts[0], (int(major), int(minor)), cuda=cuda, driver=parts[1]))
    return found


def _nvidia_driver() -> str:
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"\b(\d{3}\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else ""


def amd_by_kfd(nodes: Path) -> list[Card]:
    """Through the kernel's compute driver, which writes gfx1100 as 110000."""
    found = []
    for node in sorted(nodes.glob("*"), key=lambda path: path.name):
        try:
            text = (node / "properties").read_text(encoding="ascii", errors="replace")
            name = (node / "name").read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
        said = re.search(r"^gfx_target_version (\d+)$", text, re.MULTILINE)
        number = int(said[1]) if said else 0
        if number:
            target = f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}"
            found.append(Card("amd", f"AMD graphics, {name}" if name else "AMD graphics", target=target))
    return found


def intel_by_drm(cards: Path) -> list[Card]:
    """Intel's Arc cards and what shares their design, by the numbers of the devices."""
    found = []
    for card in sorted(cards.glob("card[0-9]*")):
        try:
            vendor = (card / "device" / "vendor").read_text(encoding="ascii").strip()
            device = (card / "device" / "device").read_text(encoding="ascii").strip()
        except OSError:
            continue
        if vendor == "0x8086" and _INTEL_ARC.fullmatch(device):
            found.append(Card("intel", f"Intel Arc graphics ({device})"))
    return found


def cards_by_registry() -> list[Card]:
    """Windows: the names of the display adapters, which tell AMD's and Intel's apart."""
    if sys.platform != "win32":
        return []
    import winreg

    found, place = [], r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
    for number in range(16):
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{place}\{number:04d}") as key:
                name = str(winreg.QueryValueEx(key, "DriverDesc")[0])
        except OSError:
            continue
        if "Radeon" in name:
            found.append(Card("amd", name))
        elif re.search(r"Intel.*Arc", name):
            found.append(Card("intel", name))
    return found


if __name__ == "__main__":
    print(json.dumps([asdict(card) for card in cards_here()]))
