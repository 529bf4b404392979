# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes images in spite of little memory and narrow numbers: an estimate first, then attempt after attempt.

Every attempt begins with the images' own seeds and, where the weights have to lie differently, with weights read anew:
what an image looks like does not depend on how many attempts went before, nor on how many images are made together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from generator.material import FloatArray
from generator.progress import CancelledError, GenerationError, Progress
from generator.protocol import Lora
from generator.shortage import forget_frames, is_out_of_memory

from . import batches, estimate, families, free_memory, hardware, memory
from .estimate import Job, Part
from .experience import Experience, Worked, identity
from .failures import SpoiltError, out_of_memory, release_memory
from .ladder import Measure, Phase, Plan, one_lower, spoken, taken
from .loaded import Loaded
from .loading import Reader
from .originals import OriginalsLostError

_SIMILAR = (0.8, 1.25)
"""Within these limits, free memory is what it was when something worked: the same will work again."""
Work = Callable[[Loaded, int, int], Iterator[FloatArray]]
"""Makes images together with a model: from the one of this index on, so many of them."""
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
        self._floor = free_memory.held_privately() - reader.held
        self._loaded: Loaded | None = None
        self._loras: Sequence[Lora] = ()
        self._told: set[str] = set()
        self._spoilt = False
        self._tried: list[Plan] = []
        self._too_many = 0
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

    def begin(self, loras: Sequence[Lora], progress: Progress) -> None:
        """A new job, with these LoRAs: what is done differently here than was asked for is to be said again."""
        self._loras = loras
        self._told, self._spoilt = set(), False
        usual = hardware.choose_dtype(self._precision, self._wanted, self._reader.folder.stored)
        if self._first(None).dtype != usual:
            learnt = self._experience.dtype
            progress.notice(
                f"Images of this model came out black in {_name(usual)} here, so it computes in {learnt}."
            )

    def make(self, job: Job, count: int, work: Work, progress: Progress) -> Iterator[FloatArray]:
        """``count`` images in their order, as many together as ``job``, the device and its memory allow.

        Made with less memory and in wider formats as far as it takes. What has been given is not made again.
        ``work`` raises `SpoiltError` for what is no picture. Raises `GenerationError`, ``out_of_memory`` where
        nothing helped, and what else ``work`` raises.
        """
        made = 0
        while made < count:
            for picture in self._together(
                replace(job, batch=min(job.batch, count - made)), made, work, progress
            ):
                made += 1
                yield picture

    def _together(self, job: Job, index: int, work: Work, progress: Progress) -> Iterator[FloatArray]:
        """The images from ``index`` on of one batch."""
        free = self._available(self._wanted)
        self._tried, self._too_many = [], 0
        plan = self._chosen(self._first(job), job)
        while job.batch:
            phase: Phase | None = None
            try:
                for picture in work(self._ready(plan, progress), index, plan.batch):
                    sound = float(np.ptp(picture, axis=(0, 1)).max()) >= 1 / 255
                    self._succeeded(job, free, sound, progress)
                    index, job = index + 1, replace(job, batch=job.batch - 1)
                    yield picture
                return
            except SpoiltError:
                pass
            except (CancelledError, GenerationError):
                raise
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                phase = self._loaded.phase if self._loaded is not None else "read"
                forget_frames(error)
            plan = replace(plan, batch=min(plan.batch, job.batch))
            if phase is not None and self._loaded is not None and self._loaded.give_way():
                release_memory()
                continue  # without what only made it faster, the same may do
            plan = (
                self._wider(plan, job, progress) if phase is None else self._lower(plan, phase, job, progress)
            )

    def let_go(self) -> None:
        """Give the model's memory back."""
        if self._loaded is not None:
            self._loaded.let_go()
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
        try:
            loaded.loras.apply(self._loras, plan.device, self._reader.folder.name, progress)
        except OriginalsLostError:
            self.let_go()
            return self._ready(plan, progress)
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

    def _chosen(self, plan: Plan, job: Job) -> Plan:
        """What fits by the estimate, as `_fitting`; then with as many images together as there is room for."""
        plan = self._fitting(replace(plan, batch=1), job)
        most = 1 if Measure.ONE_BY_ONE in plan else self._most(plan, job)
        worked = self._experience.worked(job.width, job.height)
        if worked is not None and worked.batch and not self._much_more_is_free(worked):
            most = min(most, worked.batch)
        if self._too_many:
            most = min(most, self._too_many - 1)
        while most > 1 and not self._has_room(replace(plan, batch=most), job):
            most -= 1
        return replace(plan, batch=batches.evenly(job.batch, most))

    def _most(self, plan: Plan, job: Job) -> int:
        return min(job.batch, batches.most_together(plan.device, job.width * job.height))

    def _has_room(self, plan: Plan, job: Job) -> bool:
        free = self._free_for(plan, "denoise")
        return free is None or self._need(plan, job)["denoise"] <= free

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
        if phase == "denoise" and plan.batch > 1:
            self._too_many = plan.batch
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
        tried = spoken(taken(plan, self._wanted))
        also = f", although {tried}" if tried else ""
        return out_of_memory(f"There is not enough memory for this model{_at(job)}{also}.")

    def _wider(self, plan: Plan, job: Job, progress: Progress) -> Plan:
        """Go on in a number format with a larger range: a device that overflows does so again."""
        self._spoilt = True
        came = "The image came" if plan.batch == 1 else "An image came"
        again = "it is" if plan.batch == 1 else "it and those after it are"
        if Measure.FP8 in plan:
            self._whole_weights = True
            self._experience.learn_without_fp8()
            progress.notice(f"{came} out black with weights in 8 bits; {again} made again with whole ones.")
            wider = replace(plan, measures=tuple(kept for kept in plan.measures if kept is not Measure.FP8))
        else:
            dtype = hardware.wider_dtype(plan.dtype, plan.device)
            if dtype is None:
                raise GenerationError(
                    "bad_result",
                    "The model's result is black or not a picture at all.",
                    "Try another scheduler, a lower guidance scale or another seed; the model may be damaged.",
                )
            progress.notice(f"{came} out black in {_name(plan.dtype)}; {again} made again in {_name(dtype)}.")
            wider = replace(plan, dtype=dtype)
        # The wider weights may need more than there is, and going back to narrow ones would help nobody.
        return self._chosen(wider, job)

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
        limit = self._learn(job, plan, free)
        wanted = self._most(plan, job)
        did = taken(plan, self._wanted, fewer=limit > 0 and plan.batch < wanted)
        if not self._told.issuperset(did):
            why = "There was not enough memory at first; " if fell else "Memory is short here, so "
            progress.notice(f"{why}{spoken(did)}.")
        self._told.update(did)

    def _learn(self, job: Job, plan: Plan, free: int | None) -> int:
        """Keep what an image was made with where it was not the plain way; gives how many at once were not too many,
        0 where none were."""
        known = self._experience.worked(job.width, job.height)
        on_cpu = plan.device.type != self._wanted.type
        plain = not plan.measures and not on_cpu
        if self._too_many:
            limit = plan.batch
        elif known is not None and plan.batch <= known.batch:
            limit = known.batch  # nothing speaks against it yet
            if plain:
                return limit
        else:
            limit = 0
        worked = None if plain and not limit else Worked(plan.measures, on_cpu, free or 0, limit)
        self._experience.learn(job.width, job.height, worked)
        return limit


def _name(dtype: torch.dtype) -> str:
    return next(name for name, known in hardware.DTYPES.items() if known == dtype)


def _at(job: Job | None) -> str:
    return "" if job is None else f" at {job.width} x {job.height}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
