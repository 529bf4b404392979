# SPDX-License-Identifier: GPL-3.0-or-later
"""What torch can compute on here, and in which number format a model should run there."""

from __future__ import annotations

import platform
from functools import cache
from typing import Any

import torch

from generator.progress import GenerationError

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def list_devices() -> list[dict[str, Any]]:
    """All devices, best first (those with the most memory), the CPU last. See `generator.diffusion.devices`."""
    gpus = [*_cuda(), *_xpu()]
    gpus.sort(key=lambda device: -device["memory_bytes"])
    return [*gpus, *_mps(), _cpu()]


def choose_device(name: str) -> torch.device:
    """The device of this name, or the best one for ``auto``. Raises `GenerationError` if it is not there."""
    known = [device["id"] for device in list_devices()]
    if name in ("", "auto"):
        return torch.device(known[0])
    # "cuda" means the first of its kind.
    wanted = name if name in known else f"{name}:0"
    if wanted not in known:
        raise GenerationError(
            "no_device",
            f"There is no device {name!r} here; torch sees: {', '.join(known)}.",
            "Choose one of these devices, or auto.",
        )
    return torch.device(wanted)


def choose_dtype(precision: str, device: torch.device, stored: str) -> torch.dtype:
    """The number format for ``precision`` on ``device``, for weights stored as ``stored`` (``F32``, ``BF16``).

    ``auto`` is half precision wherever that is faster: the file's own on a GPU, bfloat16 on a CPU that has it.
    """
    if precision != "auto":
        return DTYPES[precision]
    if device.type == "cpu":
        return torch.bfloat16 if cpu_has_bf16() else torch.float32
    return torch.bfloat16 if stored == "BF16" and has_bf16(device) else torch.float16


def total_memory(device: torch.device) -> int:
    """Bytes of all the memory that ``device`` has, used or not; 0 where that cannot be found out."""
    name = f"{device.type}:{device.index or 0}" if device.type in ("cuda", "xpu") else device.type
    return next((found["memory_bytes"] for found in list_devices() if found["id"] == name), 0)


def wider_dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype | None:
    """The next format with a larger range, for a model that overflows in ``dtype``; None if there is none."""
    if dtype == torch.float16 and has_bf16(device):
        return torch.bfloat16
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else None


@cache  # so that it is not asked for the first time when there is no memory left to try it
def keeps_fp8(device: torch.device) -> bool:
    """Whether weights can be stored in 8 bits on ``device`` and widened there; Metal has no such format."""
    if device.type == "mps" or not hasattr(torch, "float8_e4m3fn"):
        return False
    try:
        narrow = torch.ones(2, dtype=torch.float32, device=device).to(torch.float8_e4m3fn)
        return bool((narrow.to(torch.float32) == 1).all())
    except (RuntimeError, TypeError):
        return False


def has_own_memory(device: torch.device) -> bool:
    """Whether the device's memory is not main memory, so that weights can wait there without taking its own."""
    if device.type == "cuda":
        return not torch.cuda.get_device_properties(device).is_integrated
    return device.type == "xpu"


@cache
def attends_at_once(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether attention on ``device`` writes down the scores of all places against all others.

    Fused kernels do not; the CPU has one, CUDA has them for most cards, and elsewhere they cannot be relied on.
    """
    if device.type != "cuda":
        return device.type != "cpu"
    from torch.backends import cuda

    like = torch.empty(1, 8, 64, 64, dtype=dtype, device=device)
    asked = cuda.SDPAParams(like, like, like, None, 0.0, False, False)
    return not (cuda.can_use_flash_attention(asked) or cuda.can_use_efficient_attention(asked))


def title(device: torch.device) -> str:
    """The device with the name and memory of the hardware behind it, to tell it from others that take its place."""
    name = f"{device.type}:{device.index or 0}" if device.type in ("cuda", "xpu") else device.type
    found = next((found for found in list_devices() if found["id"] == name), {})
    return f"{name} {found.get('name', '')} {found.get('memory_bytes', 0) >> 30} GB"


def has_bf16(device: torch.device) -> bool:
    """Whether ``device`` computes bfloat16 natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "xpu" or (device.type == "cpu" and cpu_has_bf16())


def cpu_has_bf16() -> bool:
    """Whether the CPU has bfloat16 instructions (AVX512-BF16 or AMX); without them it is slower than float32."""
    # Not yet part of torch's public interface, and not in every build of it.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def _device(name: str, title: str, kind: str, memory: int, bf16: bool) -> dict[str, Any]:
    return {"id": name, "name": title, "kind": kind, "memory_bytes": int(memory), "bf16": bf16}


def _cuda() -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        return []
    kind = "rocm" if torch.version.hip else "cuda"
    listed = []
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        bf16 = has_bf16(torch.device("cuda", index))
        listed.append(_device(f"cuda:{index}", found.name, kind, found.total_memory, bf16))
    return listed


def _xpu() -> list[dict[str, Any]]:
    if not hasattr(torch, "xpu") or not torch.xpu.is_available():
        return []
    found = [torch.xpu.get_device_properties(index) for index in range(torch.xpu.device_count())]
    return [
        _device(f"xpu:{index}", gpu.name, "xpu", gpu.total_memory, True) for index, gpu in enumerate(found)
    ]


def _mps() -> list[dict[str, Any]]:
    if not torch.backends.mps.is_available():
        return []
    memory = torch.mps.recommended_max_memory()
    return [_device("mps", platform.processor() or "Apple GPU", "mps", memory, False)]


def _cpu() -> dict[str, Any]:
    return _device("cpu", f"CPU ({platform.machine()})", "cpu", _main_memory(), cpu_has_bf16())


def _main_memory() -> int:
    """Bytes of main memory, 0 where that cannot be found out."""
    try:
        import psutil
    except ImportError:
        return 0
    return psutil.virtual_memory().total
