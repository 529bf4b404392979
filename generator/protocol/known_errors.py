# SPDX-License-Identifier: GPL-3.0-or-later
"""What libraries, drivers and systems say when they fail, translated into what to do about it.

Both programs use it: the generator for its own exceptions, Blender for a generator that died.
"""

from __future__ import annotations

import re

_MEMORY = "Close other programs, or choose a smaller size or a smaller model."
_REPAIR = (
    "Press Set Up Generator in the preferences: it repairs an environment of its own. In a Python of your own, "
    "install the package again."
)
_DRIVER = "Update the graphics driver, then restart the computer."
_OLD_CARD = (
    "The graphics card is too old or too new for this build of PyTorch. Set up the generator again; under "
    "Accelerator choose NVIDIA, Older Card, or Processor."
)
_DISK = "Free some disk space, or choose a folder on another disk."
_OLD_CPU = "This computer's processor lacks instructions that PyTorch was built with (AVX2). The built-in model works."
_DAMAGED = "A file of the model is damaged or was not downloaded completely. Download the model again."

_KNOWN: tuple[tuple[str, str], ...] = (
    (r"no kernel image is available|CUDA capability sm_\d+ is not compatible", _OLD_CARD),
    (
        r"driver version is insufficient|NVIDIA driver on your system is too old|"
        r"Found no NVIDIA driver|nvcuda\.dll|libcuda\.so\.1",
        _DRIVER,
    ),
    (
        r"CUDA error: unspecified launch failure|CUDA error: an illegal memory access|"
        r"CUDNN_STATUS_(EXECUTION_FAILED|INTERNAL_ERROR)|device-side assert|0xC0000409|hipErrorLaunchFailure",
        f"The graphics driver gave up. {_DRIVER} If it happens again, choose Processor under Accelerator.",
    ),
    (
        r"WinError 1455|paging file is too small",
        "Windows ran out of virtual memory. Let Windows manage the size of the paging file, or close other programs.",
    ),
    (
        r"out of memory|OutOfMemoryError|can't allocate memory|Unable to allocate|std::bad_alloc|MemoryError|"
        r"SIGKILL|oom-kill|0xC0000017",
        _MEMORY,
    ),
    (r"No space left on device|WinError 112|Errno 28|Disk quota exceeded", _DISK),
    (
        r"SafetensorError|HeaderTooLarge|InvalidHeaderDeserialization|MetadataIncompleteBuffer|"
        r"PytorchStreamReader failed",
        _DAMAGED,
    ),
    (
        r"WinError 126|WinError 127|0xC0000135|(c10|torch_cpu|fbgemm)\.dll",
        "Install Microsoft's Visual C++ Redistributable (x64), then restart the computer.",
    ),
    (r"SIGILL|Illegal instruction|0xC000001D", _OLD_CPU),
    (
        r"0xC0000005|SIGSEGV|Segmentation fault",
        f"A library crashed, most often the graphics driver's. {_DRIVER} If it happens again, choose Processor "
        "under Accelerator.",
    ),
    (
        r"GLIBC(XX)?_[\d.]+. not found",
        "This system is too old for PyTorch's builds. Use a newer one, or a Python of your own with a PyTorch that "
        "fits.",
    ),
    (
        r"compiled using NumPy 1\.x|numpy\.core\.multiarray failed to import|numpy\.dtype size changed",
        f"Packages of different ages are mixed in the generator's Python. {_REPAIR}",
    ),
    (
        r"No module named|cannot import name|DLL load failed|PackageNotFoundError|undefined symbol",
        f"A package is missing or damaged. {_REPAIR}",
    ),
    (
        r"WinError 32|being used by another process",
        "Another program holds a file, often a virus scanner. Wait a little and try again.",
    ),
    (
        r"WinError 5\b|PermissionError|Permission denied|Errno 13",
        "Check that you may write to the folder, and that no virus scanner holds it.",
    ),
    (
        r"Torch not compiled with CUDA",
        "The generator's Python has a PyTorch without CUDA. Press Set Up Generator in the preferences.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "The network replaces certificates, as company proxies do. Name its certificate file in the environment "
        "variable SSL_CERT_FILE.",
    ),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in _KNOWN)


def advice_for(*texts: str) -> str:
    """What to do about the first known error in these texts; empty where none is known.

    The texts are looked through in their order, so that the reason comes before the log around it.
    """
    for text in texts:
        for pattern, advice in _PATTERNS:
            if pattern.search(text):
                return advice
    return ""
