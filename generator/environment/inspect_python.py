# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by another Python, alone: says as one line of JSON what that Python is, has, and can compute on.

``python inspect_python.py [--compute] [MODULE ...]`` imports the named modules as well, which may take a while.
It imports nothing of ours, and runs on every Python from 3.7 on, so that an old one gets a proper answer.
"""

from __future__ import annotations

import json
import platform
import struct
import sys
import sysconfig


def main() -> None:
    """Collect and print; every failure becomes a sentence in the answer."""
    words = sys.argv[1:]
    said = {
        "executable": sys.executable,
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "bits": struct.calcsize("P") * 8,
        "platform": sysconfig.get_platform(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "virtual": sys.prefix != sys.base_prefix,
        "base_prefix": sys.base_prefix,
        "has": versions(),
        "device": "",
        "problems": [],
    }
    for name in words:
        if name != "--compute":
            try:
                __import__(name)
            except BaseException as error:
                said["problems"].append(f"{name} cannot be imported: {describe(error)}")
    if "--compute" in words and not said["problems"]:
        try:
            said["device"] = compute()
        except BaseException as error:
            said["problems"].append(f"PyTorch cannot compute: {describe(error)}")
    print("\n" + json.dumps(said))


def versions() -> dict[str, str]:
    """Version by lower-case name of everything installed."""
    try:
        from importlib import metadata
    except ImportError:
        return {}
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(name.lower().replace("_", "-").replace(".", "-"), distribution.version)
    return found


def compute() -> str:
    """Add two and two on the best device, and name it."""
    import torch

    device = "cpu"
    if torch.cuda.is_available():
        device = "cuda"
    elif getattr(torch, "xpu", None) is not None and torch.xpu.is_available():
        device = "xpu"
    elif getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available():
        device = "mps"
    four = (torch.full((8, 8), 2.0, device=device) @ torch.eye(8, device=device) + 2.0).cpu()
    if not bool((four == 4.0).all()):
        raise ArithmeticError(f"two and two are not four on {device}")
    return device


def describe(error: BaseException) -> str:
    """The error's own words, on one line."""
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


if __name__ == "__main__":
    main()
