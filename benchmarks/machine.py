# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured on, in words that others can compare with."""

from __future__ import annotations

import os
import platform
import re
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch


def described(device: torch.device) -> list[str]:
    """A few lines about the device, the system and the versions of what computes."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "transformers"))
    lines = [
        f"{date.today().isoformat()}, {_title(device)}",
        f"Python {platform.python_version()}, {libraries}; {platform.system()} {platform.machine()}",
    ]
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        lines.append(
            f"{found.total_memory / 1e9:.0f} GB, {found.multi_processor_count} multiprocessors, "
            f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}; float16, channels_last"
        )
    else:
        lines.append(f"{torch.get_num_threads()} threads, float32, channels_last")
    return [line + "  " for line in lines]


def named(device: torch.device) -> str:
    """A file name for the results of this device."""
    return re.sub(r"[^a-z0-9]+", "-", _title(device).lower()).strip("-")


def _title(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()
