# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model's folder, or a LoRA's file, was made for: how many steps, how much guidance, which scheduler.

Read from their files without torch. The numbers are those of the published model cards and of diffusers' own
pipelines; what a configuration says counts before what a name says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generator.progress import GenerationError
from generator.protocol import MAX_STEPS, Lora, Request

from . import names
from .folder import INDEX, display_name
from .lora_files import USUAL_NAME, find_file
from .names import FewSteps, Named

LCM = "latent consistency (LCM)"
FREE_GUIDANCE = 1.0
"""Up to this scale there is no second pass without the words, so guidance costs and does nothing."""


@dataclass(frozen=True)
class MadeFor:
    """What to do with a model where nobody says otherwise.

    ``kind`` is the honest name of what makes few steps enough; empty for an ordinary model. ``scheduler`` is one of
    `schedulers.SCHEDULERS`, or empty for the model's own. ``embedded``: the guidance is something that the network
    is told, so that it costs no second pass.
    """

    kind: str = ""
    steps: int = 25
    guidance: float = 7.5
    scheduler: str = ""
    embedded: bool = False

    @property
    def guides(self) -> bool:
        """Whether the guidance does anything by itself."""
        return self.guidance > (0.0 if self.embedded else FREE_GUIDANCE)

    @property
    def numbers(self) -> str:
        """Steps and guidance in a few words: ``4 steps, no guidance``."""
        steps = "1 step" if self.steps == 1 else f"{self.steps} steps"
        return f"{steps}, guidance {self.guidance:g}" if self.guides else f"{steps}, no guidance"

    @property
    def sentence(self) -> str:
        """All of it in a few words: ``Turbo: 4 steps, no guidance``."""
        return f"{self.kind[0].upper()}{self.kind[1:]}: {self.numbers}" if self.kind else self.numbers


TOLD = "made_for.json"
"""The file beside the index where whoever made a model may say so: ``{"steps": 20, "guidance": 3.0}``."""

_KINDS = {
    FewSteps.LCM: MadeFor(LCM, 4, 1.0, "lcm"),
    FewSteps.TURBO: MadeFor("Turbo", 4, 0.0, "euler_a_trailing"),
    FewSteps.LIGHTNING: MadeFor("Lightning", 4, 0.0, "euler_trailing"),
    FewSteps.HYPER: MadeFor("Hyper-SD", 8, 0.0, "ddim_trailing"),
    FewSteps.TCD: MadeFor("TCD", 4, 0.0, "tcd"),
    FewSteps.DMD: MadeFor("DMD2", 4, 0.0, "lcm"),
}
_HYPER_WITH_GUIDANCE = 5.0

_MAX_TOLD_GUIDANCE = 30.0

_XL = MadeFor(steps=25, guidance=5.0)
_LISTENING = {
    "StableDiffusionXLPipeline": _XL,
    "StableDiffusionXLImg2ImgPipeline": _XL,
    "StableDiffusionXLInpaintPipeline": _XL,
    "StableDiffusion3Pipeline": MadeFor(steps=28, guidance=7.0),
    "FluxPipeline": MadeFor(steps=28, guidance=3.5, embedded=True),
    "QwenImagePipeline": MadeFor(steps=50, guidance=4.0),
    "ZImagePipeline": MadeFor(steps=50, guidance=5.0),
    "PixArtAlphaPipeline": MadeFor(steps=20, guidance=4.5),
    "PixArtSigmaPipeline": MadeFor(steps=20, guidance=4.5),
    "SanaPipeline": MadeFor(steps=20, guidance=4.5),
}
"""Ordinary models that were not made for what Stable Diffusion 1.x was, by the class of their pipeline."""
_FLOW = {"StableDiffusion3Pipeline": 4, "FluxPipeline": 8, "QwenImagePipeline": 8, "ZImagePipeline": 8}
"""Pipelines that follow a flow, with the steps of their fast relatives; only the model's own scheduler serves there."""

_NAMELESS = (Path(USUAL_NAME).stem, "diffusion_pytorch_model", "adapter_model", "lora", "model")
"""What files are called whose folder has the name."""


def of_folder(path: Path) -> MadeFor:
    """What the model in the diffusers folder ``path`` was made for; an ordinary model's numbers where it tells nothing.

    What is missing or broken is taken for silence: loading the model reports it.
    """
    index = read_json(path / INDEX)
    pipeline = index.get("_class_name")
    pipeline = pipeline if isinstance(pipeline, str) else ""
    unet, transformer = (read_json(path / part / "config.json") for part in ("unet", "transformer"))
    scheduler = read_json(path / "scheduler" / "scheduler_config.json")
    named = names.in_model((_last(display_name(path)), *map(_origin, (unet, transformer, index))))
    told = _told_in(read_json(path / TOLD))
    if told is not None:
        return told
    if pipeline in _FLOW:
        return _of_flow(pipeline, transformer, scheduler, named)
    base = _LISTENING.get(pipeline, MadeFor())
    return _of_unet(base, unet, scheduler, named)


def _told_in(said: dict[str, Any]) -> MadeFor | None:
    steps, guidance = said.get("steps"), said.get("guidance")
    if isinstance(steps, bool) or not isinstance(steps, int) or not isinstance(guidance, (int, float)):
        return None
    if not (0 < steps <= MAX_STEPS and 0 <= guidance <= _MAX_TOLD_GUIDANCE):
        return None
    return MadeFor(steps=steps, guidance=float(guidance))


def made_for(folder: Path, loras: Iterable[Lora] = ()) -> MadeFor:
    """What the model in ``folder`` is made for with these LoRAs: the first that was made for few steps decides."""
    base = of_folder(folder)
    for lora in loras:
        named = _of_lora(Path(lora.file).expanduser()) if lora.weight > 0 else None
        if named is not None:
            pipeline = read_json(folder / INDEX).get("_class_name")
            return _on_flow(named, pipeline, base) if pipeline in _FLOW else _guided_as(base, _named(named))
    return base


def remark(request: Request, made: MadeFor) -> str | None:
    """A sentence where a settled request asks for what makes no sense for a model of few steps; else None."""
    if not made.kind:
        return None
    found = []
    if not made.embedded and request.guidance > max(2.0, 1.6 * made.guidance):
        found.append(f"a guidance of {request.guidance:g} burns the colours out")
    if request.num_inference_steps > max(8, 2 * made.steps):
        found.append(f"{request.num_inference_steps} steps take longer and gain nothing")
    if not found:
        return None
    return f"This model or its LoRA is made for few steps ({made.sentence}): {' and '.join(found)}."


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none that can be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _of_flow(
    pipeline: str, transformer: dict[str, Any], scheduler: dict[str, Any], named: Named | None
) -> MadeFor:
    base = _LISTENING[pipeline]
    if pipeline == "FluxPipeline" and not transformer.get("guidance_embeds", False):
        return MadeFor("schnell", 4, 0.0, embedded=True)  # the one Flux that is not told its guidance
    if named is None and pipeline == "ZImagePipeline" and scheduler.get("shift") == 3.0:
        named = Named(FewSteps.TURBO)  # the model that takes its time was trained with a shift of 6
    if named is not None:
        return _on_flow(named, pipeline, base)
    if pipeline == "StableDiffusion3Pipeline" and transformer.get("qk_norm"):
        return replace(base, guidance=4.5)  # 3.5 normalises its queries, and wants less
    return base


def _on_flow(named: Named, pipeline: str, base: MadeFor) -> MadeFor:
    return _guided_as(base, replace(_named(named), steps=named.steps or _FLOW[pipeline], scheduler=""))


def _guided_as(base: MadeFor, made: MadeFor) -> MadeFor:
    """A network that is told its guidance has to be told it with fewer steps as well."""
    return replace(made, guidance=base.guidance, embedded=True) if base.embedded else made


def _of_unet(base: MadeFor, unet: dict[str, Any], scheduler: dict[str, Any], named: Named | None) -> MadeFor:
    """Stable Diffusion 1.x, 2.x and XL, and whatever else predicts noise."""
    sampler = scheduler.get("_class_name")
    if unet.get("time_cond_proj_dim"):
        return MadeFor(LCM, 4, 8.0, "" if sampler == "LCMScheduler" else "lcm", embedded=True)
    suits: dict[str, FewSteps] = {"LCMScheduler": FewSteps.LCM, "TCDScheduler": FewSteps.TCD}
    if _ends_at_noise(scheduler):
        suits["EulerDiscreteScheduler"] = suits["EulerAncestralDiscreteScheduler"] = FewSteps.TURBO
    if isinstance(sampler, str) and sampler in suits:
        return replace(_named(named or Named(suits[sampler])), scheduler="")
    if named is None:
        return base
    made = _named(named)
    own = sampler == "DDIMScheduler" and scheduler.get("timestep_spacing") == "trailing"
    return replace(made, scheduler="") if own and made.scheduler == "ddim_trailing" else made


def _ends_at_noise(scheduler: dict[str, Any]) -> bool:
    """Whether a schedule begins at pure noise, as few steps must, and not for the sake of a zero signal there."""
    return (
        scheduler.get("timestep_spacing") == "trailing"
        and scheduler.get("prediction_type", "epsilon") == "epsilon"
        and not scheduler.get("rescale_betas_zero_snr")
    )


def _named(named: Named) -> MadeFor:
    made = _KINDS[named.kind]
    made = replace(made, steps=named.steps or made.steps)
    if named.kind is FewSteps.HYPER and named.guided:
        return replace(made, guidance=_HYPER_WITH_GUIDANCE)
    if named.kind is FewSteps.HYPER and made.steps == 1:
        return replace(made, scheduler="tcd")
    return made


def _of_lora(file: Path) -> Named | None:
    """What a LoRA gives a model, by what its file says of itself, its name, and at last that of its folder."""
    if file.is_dir():
        with suppress(GenerationError):  # laying it over the model reports it
            file = find_file(file)
    told = [_told(file, key) for key in ("modelspec.title", "ss_output_name")]
    if file.stem in _NAMELESS:
        return names.in_lora((*told, _last(display_name(file.parent))))
    return names.in_lora((*told, file.stem))


def _told(file: Path, key: str) -> str:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            return str((tensors.metadata() or {}).get(key, ""))[:200]
    except (OSError, SafetensorError):
        return ""  # laying it over the model reports it


def _origin(config: dict[str, Any]) -> str:
    """The name of what a model was made from, as its configuration kept it."""
    origin = config.get("_name_or_path")
    return _last(origin) if isinstance(origin, str) else ""


def _last(name: str) -> str:
    return re.split(r"[\\/]", name.rstrip("\\/"))[-1]
