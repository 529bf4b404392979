# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory there is for a model right now, on a device or in main memory, in bytes."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

import psutil
import torch

RECORDED: dict[torch.device, int] = {}
"""Bytes that torch has reserved on a device for recorded work alone: nothing else can have them."""

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def available(device: torch.device) -> int | None:
    """What a model on ``device`` may use: what is free, and what torch holds there already. None if unknown.

    On the CPU what this process holds does not count; add `held_privately`, less what other things need.
    """
    if device.type == "cpu":
        return main_memory()
    if device.type == "cuda":
        ours = torch.cuda.memory_reserved(device) - RECORDED.get(device, 0)
        return torch.cuda.mem_get_info(device)[0] + ours
    if device.type == "mps":
        # One memory for both: no more than Metal recommends, and no more than the system has free.
        ours = torch.mps.driver_allocated_memory()
        return min(torch.mps.recommended_max_memory(), main_memory() + ours)
    if device.type == "xpu":
        return _xpu(device)
    return None


def main_memory() -> int:
    """What main memory can give without swapping, within the limits of the container that this runs in."""
    return min([psutil.virtual_memory().available, *_left_in_groups(_MEMBERSHIP, _CGROUPS)])


def held_privately() -> int:
    """What this process alone holds of main memory; pages of files that the system may drop do not count."""
    found = psutil.Process().memory_info()
    private = getattr(found, "private", None)  # Windows
    return found.rss - getattr(found, "shared", 0) if private is None else private


def _xpu(device: torch.device) -> int | None:
    try:
        return torch.xpu.mem_get_info(device)[0] + torch.xpu.memory_reserved(device)
    except (AttributeError, RuntimeError):  # older releases, and drivers that do not tell
        return None


def _left_in_groups(membership: Path, root: Path) -> list[int]:
    """What each control group above this process still allows (Linux; psutil sees the whole machine)."""
    if sys.platform != "linux":
        return []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    left: list[int] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        names = ("memory.max", "memory.current") if not controllers else _VERSION_1
        base = root if not controllers else root / "memory"
        group = PurePosixPath(path.lstrip("/"))
        # Inside a container the path is that of the host: its own group is then the root of what is mounted.
        for folder in dict.fromkeys([base / group, *(base / parent for parent in group.parents), base]):
            limit, used = (_number(folder / name) for name in names)
            if limit is not None and used is not None:
                left.append(max(0, limit - used + _dropped_easily(folder)))
    return left


_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def _number(path: Path) -> int | None:
    """The number in a file of the kernel; None where there is no limit or no such file."""
    try:
        value = int(path.read_text())
    except (OSError, ValueError):  # "max"
        return None
    return value if value < 1 << 60 else None


def _dropped_easily(folder: Path) -> int:
    """Pages of files in the group that have not been used lately: they count as used and are not needed."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
