# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladder down which a model goes where memory is short: each rung costs the artist more than the one before.

The first is a smaller batch, half of it at a time down to single images (`Plan.batch`): each image has its own seed
and is the same picture in any batch, so that it costs nothing but time. What is left of a batch then, a single image's
two passes with and without words, is `Measure.ONE_BY_ONE`. The others are measures that are taken or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

import torch

Phase = Literal["read", "move", "encode", "denoise", "decode"]
"""What was going on when memory ran out; ``move`` is from main memory to the device."""


class Measure(Enum):
    """What can be done for less memory, from the cheapest to the dearest. The values are kept in files."""

    TILES = "tiles"
    SLICES = "slices"
    ONE_BY_ONE = "one_by_one"
    FP8 = "fp8"
    MODEL_OFFLOAD = "model_offload"
    GROUP_OFFLOAD = "group_offload"


_EVERYWHERE: frozenset[Phase] = frozenset(("move", "encode", "denoise", "decode"))
_READ: frozenset[Phase] = frozenset(("read",))
_RELIEVES: dict[Measure, frozenset[Phase]] = {
    Measure.TILES: frozenset(("encode", "decode")),
    Measure.SLICES: frozenset(("encode", "denoise", "decode")),
    Measure.ONE_BY_ONE: frozenset(("denoise",)),
    Measure.FP8: _EVERYWHERE.union(_READ),
    Measure.MODEL_OFFLOAD: _EVERYWHERE,
    Measure.GROUP_OFFLOAD: _EVERYWHERE,
}
_WORDS = {
    Measure.TILES: "the image was decoded in tiles",
    Measure.SLICES: "attention was computed in slices",
    Measure.ONE_BY_ONE: "each step was computed in two passes",
    Measure.FP8: "weights were kept in 8 bits (fp8)",
    Measure.MODEL_OFFLOAD: "parts of the model waited in main memory",
    Measure.GROUP_OFFLOAD: "the model was fetched from main memory layer by layer",
}
_FEWER = "fewer images were made at once"
_ON_CPU = "the image was made on the processor (CPU)"


@dataclass(frozen=True)
class Plan:
    """How a model runs: where, in which number format, with which measures, in their order, and with how many images
    in one ``batch``."""

    device: torch.device
    dtype: torch.dtype
    measures: tuple[Measure, ...] = ()
    batch: int = 1

    def __contains__(self, measure: Measure) -> bool:
        return measure in self.measures

    def having(self, measures: Iterable[Measure]) -> Plan:
        """The same with these measures as well. Fetching layer by layer takes the place of fetching whole parts."""
        wanted = {*self.measures, *measures}
        if Measure.GROUP_OFFLOAD in wanted:
            wanted.discard(Measure.MODEL_OFFLOAD)
        return replace(self, measures=tuple(measure for measure in Measure if measure in wanted))

    @property
    def offloads(self) -> bool:
        """Whether weights lie in main memory while they are not used."""
        return Measure.MODEL_OFFLOAD in self or Measure.GROUP_OFFLOAD in self

    def holds_as(self, other: Plan) -> bool:
        """Whether the weights lie the same way in both, so that going from one to the other loads nothing."""
        kept = (self.device, self.dtype, Measure.FP8 in self)
        return kept == (other.device, other.dtype, Measure.FP8 in other) and self._fetches == other._fetches

    @property
    def _fetches(self) -> tuple[bool, bool]:
        return Measure.MODEL_OFFLOAD in self, Measure.GROUP_OFFLOAD in self


def one_lower(plan: Plan, phase: Phase, rungs: Sequence[Measure]) -> Plan | None:
    """``plan`` with half its batch, or else with the cheapest of ``rungs`` that it lacks, where that helps in the
    phase in which memory ran out; None at the end."""
    if plan.batch > 1 and phase == "denoise":  # all else is done image by image
        return replace(plan, batch=(plan.batch + 1) // 2)
    for measure in rungs:
        replaced = measure is Measure.MODEL_OFFLOAD and Measure.GROUP_OFFLOAD in plan
        if measure not in plan and phase in _RELIEVES[measure] and not replaced:
            return plan.having([measure])
    return None


def taken(plan: Plan, wanted: torch.device, *, fewer: bool = False) -> list[str]:
    """What ``plan`` did for less memory, in words; nothing where it did nothing.

    ``wanted`` is the device that was asked for; ``fewer`` whether the batch is smaller for want of memory.
    """
    did = [_FEWER] if fewer else []
    did += [_WORDS[measure] for measure in plan.measures]
    if plan.device.type == "cpu" and wanted.type != "cpu":
        did.append(_ON_CPU)
    return did


def spoken(did: Sequence[str]) -> str:
    """What `taken` gives as the end of a sentence."""
    return " and ".join([", ".join(did[:-1]), did[-1]] if len(did) > 1 else did)
