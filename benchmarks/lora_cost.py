# SPDX-License-Identifier: GPL-3.0-or-later
"""What a LoRA costs in each step: beside its layers, as libraries leave it, and in the weights, as it is here.

Operations and arithmetic are counted on the real architecture, not timed, and nothing is computed: the tensors have no
values (torch's meta device). ``python benchmarks/lora_cost.py``, a few seconds.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import torch
from full_models import SD1, SDXL
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from generator.torus import wrap

EVERY_LAYER = (
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
    "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj",
)  # fmt: skip
"""What few-step LoRAs (LCM) change."""
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_VIEWS = {"view", "t", "expand", "permute", "transpose", "unsqueeze", "slice", "split", "detach", "alias", "select",
          "_unsafe_view", "chunk", "unbind", "squeeze"}  # fmt: skip


class Operations(TorchDispatchMode):
    """Counts what is handed to the device; what only looks at a tensor differently is free."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.partition(".")[0]
        if name not in _VIEWS:
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, default=64, help="of the LoRA (default: 64, as LCM's)")
    rank = parser.parse_args().rank
    print(f"A guided step, rank {rank}, tiling in both directions:\n")
    print("| model | the LoRA changes | it is | operations | arithmetic | more than without |")
    print("|---|---|---|---|---|---|")
    for name, settings, size in (("SD 1.5", SD1, 512), ("SDXL", SDXL, 1024)):
        for title, targets in (("attention", ATTENTION), ("every layer", EVERY_LAYER)):
            _, plain = counted(settings, size, (), rank)
            for place, layers in (("in the weights", ()), ("beside its layers", targets)):
                operations, work = counted(settings, size, layers, rank)
                more = work / plain - 1
                print(
                    f"| {name} {size}² | {title} | {place} | {operations} | {work / 1e12:.2f} TFLOP | {more:.1%} |"
                )


def counted(settings: dict[str, Any], size: int, targets: tuple[str, ...], rank: int) -> tuple[int, float]:
    """Operations and FLOPs of one call of the denoiser with both passes in its batch."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from peft import LoraConfig

    with torch.device("meta"):
        unet: Any = UNet2DConditionModel(**settings).eval()
        if targets:
            unet.add_adapter(LoraConfig(r=rank, target_modules=list(targets)))
        image = torch.empty(2, 4, size // 8, size // 8)
        words, time = torch.empty(2, 77, settings["cross_attention_dim"]), torch.empty((), dtype=torch.int64)
        added = {"text_embeds": torch.empty(2, 1280), "time_ids": torch.empty(2, 6)}
        with torch.no_grad(), wrap(unet), FlopCounterMode(display=False) as flops, Operations() as operations:
            unet(image, time, words, added_cond_kwargs=added)
    return sum(operations.counts.values()), float(flops.get_total_flops())


if __name__ == "__main__":
    main()
