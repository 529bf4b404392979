# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes images in spite of little memory and narrow numbers: an estimate first, then attempt after attempt.

Every attempt begins with the image's own seed and, where the weights have to lie differently, with weights read anew:
what an image looks like does not depend on how many attempts went before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from generator.material import FloatArray
from generator.progress import CancelledError, GenerationError, Progress
from generator.shortage import forget_frames, is_out_of_memory

from . import estimate, families, free_memory, hardware, memory
from .estimate import Job, Part
from .experience import Experience, Worked, identity
from .failures import SpoiltError, out_of_memory, release_memory
from .ladder import Measure, Phase, Plan, one_lower, spoken
from .loaded import Loaded
from .loading import Reader

_SIMILAR = (0.8, 1.25)
"""Within these limits, free memory is what it was when something worked: the same will work again."""
_HOPELESS = 1.5
"""A device that lacks more than this, by the estimate, is not even tried; a failed attempt there harms nobody."""


class Attempts:
    """One model on one device, from the first attempt on; keeps what was loaded last."""

    def __init__(self, reader: Reader, precision: str, wanted: torch.device, progress: Progress) -> None:
        self._reader = reader
        self._precision = precision
        self._wanted = wanted
        name = identity(reader.folder)
        self._experience = Experience(name, hardware.title(wanted), precision, torch.__version__)
        self._floor = free_memory.held_privately()
        self._loaded: Loaded | None = None
        self._told: Plan | None = None
        self._spoilt = False
        self._tried: list[Plan] = []
        self._whole_weights = self._experience.without_fp8
        self._weights: dict[str | None, dict[str, Part]] = {}
        hardware.keeps_fp8(wanted)
        self.loaded(progress)

    def loaded(self, progress: Progress) -> Loaded:
        """The model, at the least in main memory; read again where the last job had to let go of it."""
        if self._loaded is not None:
            return self._loaded
        plan = self._fitting(self._first(None), None)
        while self._loaded is None:
            try:
                self._loaded = self._reader.read(plan, progress)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                forget_frames(error)
            if self._loaded is None:
                release_memory()
                lower = one_lower(plan, "read", self._rungs(plan, None))
                if lower is None:
                    raise out_of_memory("There is not enough main memory to read this model.")
                plan = lower
        return self._loaded

    def begin(self, progress: Progress) -> None:
        """A new job: what is done differently here than was asked for is to be said again."""
        self._told, self._spoilt = None, False
        usual = hardware.choose_dtype(self._precision, self._wanted, self._reader.folder.stored)
        if self._first(None).dtype != usual:
            learnt = self._experience.dtype
            progress.notice(
                f"Images of this model came out black in {_name(usual)} here, so it computes in {learnt}."
            )

    def make(self, job: Job, work: Callable[[Loaded], FloatArray], progress: Progress) -> FloatArray:
        """What ``work`` gives, with less memory and in wider formats as far as it takes.

        ``work`` raises `SpoiltError` for what is no picture. Raises `GenerationError`, ``out_of_memory`` where
        nothing helped, and what else ``work`` raises.
        """
        free = self._available(self._wanted)
        plan, self._tried = self._fitting(self._first(job), job), []
        while True:
            phase: Phase | None = None
            try:
                picture = work(self._ready(plan, progress))
            except SpoiltError:
                pass
            except (CancelledError, GenerationError):
                raise
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                phase = self._loaded.phase if self._loaded is not None else "read"
                forget_frames(error)
            else:
                self._succeeded(job, free, float(np.ptp(picture, axis=(0, 1)).max()) >= 1 / 255, progress)
                return picture
            plan = (
                self._wider(plan, job, progress) if phase is None else self._lower(plan, phase, job, progress)
            )

    def let_go(self) -> None:
        """Give the model's memory back."""
        if self._loaded is not None:
            self._loaded.__dict__.clear()
        self._loaded = None
        release_memory()

    def _ready(self, plan: Plan, progress: Progress) -> Loaded:
        loaded = self._loaded
        if loaded is not None and not self._suits(loaded, plan):
            loaded = None
            self.let_go()  # first, so that two models never have to fit into memory together
        if loaded is None:
            loaded = self._loaded = self._reader.read(plan, progress)
        if not loaded.placed:
            progress.loading(f"Moving {self._reader.folder.name} to {plan.device}")
        loaded.place(plan)
        return loaded

    def _suits(self, loaded: Loaded, plan: Plan) -> bool:
        if loaded.placed:
            return loaded.plan.holds_as(plan)
        narrow = Measure.FP8 in loaded.plan, Measure.FP8 in plan
        return loaded.plan.dtype == plan.dtype and narrow[0] == narrow[1]

    def _first(self, job: Job | None) -> Plan:
        """What worked before where memory is as it was, else no measures at all."""
        dtype = hardware.choose_dtype(self._precision, self._wanted, self._reader.folder.stored)
        learnt = hardware.DTYPES.get(self._experience.dtype)
        if learnt is not None and learnt.itemsize >= dtype.itemsize:
            dtype = learnt
        plan = Plan(self._wanted, dtype)
        worked = None if job is None else self._experience.worked(job.width, job.height)
        if worked is None or self._much_more_is_free(worked):
            return plan
        if worked.on_cpu:
            plan = self._on_cpu()
        return plan.having(set(worked.measures).intersection(self._rungs(plan, job)))

    def _much_more_is_free(self, worked: Worked) -> bool:
        free = self._available(self._wanted)
        return free is not None and free > _SIMILAR[1] * worked.free

    def _on_cpu(self) -> Plan:
        cpu = torch.device("cpu")
        return Plan(cpu, hardware.choose_dtype(self._precision, cpu, self._reader.folder.stored))

    def _fitting(self, plan: Plan, job: Job | None) -> Plan:
        """``plan``, or what is lower on the ladder, as the estimate says. Raises where nothing at all would fit."""
        worked = None if job is None else self._experience.worked(job.width, job.height)
        free = self._available(self._wanted)
        if worked is not None and plan.measures and free is not None and free >= _SIMILAR[0] * worked.free:
            return plan  # it worked, whatever the estimate says
        while (short := self._short(plan, job)) is not None:
            lower = one_lower(plan, short, self._rungs(plan, job))
            if lower is None:
                return self._last_resort(plan, short, job)
            plan = lower
        return plan

    def _last_resort(self, plan: Plan, short: Phase, job: Job | None) -> Plan:
        need, free = self._need(plan, job)[short], self._free_for(plan, short) or 0
        if plan.device.type != "cpu" and short != "read":
            if need < _HOPELESS * free:
                return plan
            return self._fitting(self._on_cpu(), job)
        raise out_of_memory(
            f"There is not enough memory for this model{_at(job)}: it takes about {_gigabytes(need)}, and "
            f"{_gigabytes(free)} of main memory are free."
        )

    def _short(self, plan: Plan, job: Job | None) -> Phase | None:
        """The first phase for which there is not enough memory; None where all is well or nothing is known."""
        for phase, need in self._need(plan, job).items():
            free = self._free_for(plan, phase)
            if free is not None and need > free:
                return phase
        return None

    def _need(self, plan: Plan, job: Job | None) -> dict[Phase, int]:
        variant = self._reader.variant(plan)
        if variant not in self._weights:
            self._weights[variant] = estimate.weights_of(self._reader.folder, variant)
        weights = self._weights[variant]
        denoiser = "unet" if "unet" in weights else "transformer"
        work = {}
        if job is not None and self._loaded is not None:
            work = estimate.working(self._loaded.pipeline, self._loaded.family, plan, job)
        return estimate.needed(plan, weights, denoiser, work)

    def _free_for(self, plan: Plan, phase: Phase) -> int | None:
        return self._available(torch.device("cpu") if phase == "read" else plan.device)

    def _available(self, device: torch.device) -> int | None:
        ours = 0
        if device.type == "cpu" and self._loaded is not None:
            ours = max(0, free_memory.held_privately() - self._floor)
        free = free_memory.available(device)
        return None if free is None else free + ours

    def _rungs(self, plan: Plan, job: Job | None) -> list[Measure]:
        """The measures that can help this job on this device."""
        loaded, rungs = self._loaded, set[Measure]()
        if job is not None and loaded is not None:
            shape = families.latent_shape(loaded.pipeline, job.width, job.height)
            if max(shape[-2:]) > memory.smallest_tiles(loaded.codec.factor).side:
                rungs.add(Measure.TILES)
            if job.guided and loaded.family.paired:
                rungs.add(Measure.ONE_BY_ONE)
        if hardware.attends_at_once(plan.device, plan.dtype):
            rungs.add(Measure.SLICES)
        if hardware.keeps_fp8(plan.device) and not self._whole_weights:
            rungs.add(Measure.FP8)
        if hardware.has_own_memory(plan.device):
            rungs |= {Measure.MODEL_OFFLOAD, Measure.GROUP_OFFLOAD}
        return [measure for measure in Measure if measure in rungs]

    def _lower(self, plan: Plan, phase: Phase, job: Job, progress: Progress) -> Plan:
        """One rung down from ``plan``, which ran out of memory in ``phase``."""
        if self._loaded is not None and self._loaded.codec.sparing:
            plan = plan.having([Measure.TILES])
        self._tried.append(plan)
        lower = one_lower(plan, phase, self._rungs(plan, job))
        if lower is None and plan.device.type != "cpu":
            lower = self._if_it_fits(self._on_cpu(), job)
        if lower is None:
            self.let_go()
            raise self._all_in_vain(plan, job)
        # What was interrupted while it was fetched or widened may lie anywhere, in any format.
        if not lower.holds_as(plan) or plan.offloads or Measure.FP8 in plan:
            self.let_go()
        else:
            release_memory()
        progress.loading("There was not enough memory; trying again with less")
        return lower

    def _if_it_fits(self, plan: Plan, job: Job) -> Plan | None:
        try:
            return self._fitting(plan, job)
        except GenerationError:
            return None

    def _all_in_vain(self, plan: Plan, job: Job) -> GenerationError:
        tried = spoken(plan, self._wanted)
        also = f", although {tried}" if tried else ""
        return out_of_memory(f"There is not enough memory for this model{_at(job)}{also}.")

    def _wider(self, plan: Plan, job: Job, progress: Progress) -> Plan:
        """Go on in a number format with a larger range: a device that overflows does so again."""
        self._spoilt = True
        if Measure.FP8 in plan:
            self._whole_weights = True
            self._experience.learn_without_fp8()
            progress.notice(
                "The image came out black with weights in 8 bits; it is made again with whole ones."
            )
            wider = replace(plan, measures=tuple(kept for kept in plan.measures if kept is not Measure.FP8))
        else:
            dtype = hardware.wider_dtype(plan.dtype, plan.device)
            if dtype is None:
                raise GenerationError(
                    "bad_result",
                    "The model's result is black or not a picture at all.",
                    "Try another scheduler, a lower guidance scale or another seed; the model may be damaged.",
                )
            progress.notice(
                f"The image came out black in {_name(plan.dtype)}; it is made again in {_name(dtype)}."
            )
            wider = replace(plan, dtype=dtype)
        # The wider weights may need more than there is, and going back to narrow ones would help nobody.
        return self._fitting(wider, job)

    def _succeeded(self, job: Job, free: int | None, sound: bool, progress: Progress) -> None:
        loaded = self._loaded
        assert loaded is not None
        plan = loaded.plan
        fell = bool(self._tried)
        if loaded.codec.sparing and Measure.TILES not in plan:
            plan, fell = plan.having([Measure.TILES]), True
            loaded.plan = plan
        if self._spoilt and sound:
            self._experience.learn_dtype(_name(plan.dtype))
        self._spoilt = False
        on_cpu = plan.device.type != self._wanted.type
        special = bool(plan.measures) or on_cpu
        self._experience.learn(
            job.width, job.height, Worked(plan.measures, on_cpu, free or 0) if special else None
        )
        if special and plan != self._told:
            why = "There was not enough memory at first; " if fell else "Memory is short here, so "
            progress.notice(f"{why}{spoken(plan, self._wanted)}.")
        self._told = plan


def _name(dtype: torch.dtype) -> str:
    return next(name for name, known in hardware.DTYPES.items() if known == dtype)


def _at(job: Job | None) -> str:
    return "" if job is None else f" at {job.width} x {job.height}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
