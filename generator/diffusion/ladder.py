# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladder down which a model goes where memory is short: each measure costs the artist more than the one before.

"A smaller batch" is not among them: every image is made alone anyway, so that its seed means the same picture in any
batch. What is left of a batch, a step's two passes with and without words, is `Measure.ONE_BY_ONE`.
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
_ON_CPU = "the image was made on the processor (CPU)"


@dataclass(frozen=True)
class Plan:
    """How a model runs: where, in which number format, and with which measures, in their order."""

    device: torch.device
    dtype: torch.dtype
    measures: tuple[Measure, ...] = ()

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
    """``plan`` with the cheapest of ``rungs`` that it lacks and that helps where memory ran out; None at the end."""
    for measure in rungs:
        replaced = measure is Measure.MODEL_OFFLOAD and Measure.GROUP_OFFLOAD in plan
        if measure not in plan and phase in _RELIEVES[measure] and not replaced:
            return plan.having([measure])
    return None


def spoken(plan: Plan, wanted: torch.device) -> str:
    """What ``plan`` did for less memory, as the end of a sentence; empty where it did nothing.

    ``wanted`` is the device that was asked for.
    """
    did = [_WORDS[measure] for measure in plan.measures]
    if plan.device.type == "cpu" and wanted.type != "cpu":
        did.append(_ON_CPU)
    return " and ".join([", ".join(did[:-1]), did[-1]] if len(did) > 1 else did)
