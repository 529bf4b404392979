# SPDX-License-Identifier: GPL-3.0-or-later
"""From a folder to a pipeline: from local files alone, without pickles and without foreign code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from generator.progress import GenerationError, Progress

from .folder import UNUSED, ModelFolder, tensor_names

if TYPE_CHECKING:
    import torch

    from .ahead import Ahead
    from .families import Family
    from .ladder import Plan
    from .loaded import Loaded

FAMILIES = (
    "Choose a folder of Stable Diffusion 1.x, 2.x, XL or 3, Flux, Qwen-Image, Z-Image, PixArt or Sana that makes "
    "images from text."
)


class Reader:
    """Reads one model, as often as it has to be read anew: in another number format, or for less memory."""

    def __init__(self, folder: ModelFolder) -> None:
        self.folder = folder
        self._ahead: Ahead | None = None
        self._told: set[str] = set()

    @property
    def held(self) -> int:
        """The bytes of main memory that `begin` has filled so far."""
        return 0 if self._ahead is None else self._ahead.held

    def begin(self, device: torch.device, dtype: torch.dtype) -> None:
        """Start to bring the weights to ``device`` beside whatever comes next, where there is plenty of room.

        `read` takes them from there if its plan turns out to be of the same mind.
        """
        from .casting import started

        self._ahead = started(self.folder, device, dtype)

    def read(self, plan: Plan, progress: Progress) -> Loaded:
        """The model in main memory, in the number format of ``plan``, its denoiser in 8 bits where that says so.

        Raises `GenerationError` for a model that is damaged or of no use here, `CancelledError`, and whatever the
        libraries raise when memory runs out.
        """
        from .casting import cast_parts
        from .failures import explained
        from .loaded import Loaded
        from .previews import Previews
        from .tiny_decoders import small_decoders

        progress.loading(f"Loading {self.folder.name}")
        with explained(
            "model_broken",
            f"The model {self.folder.name} cannot be loaded.",
            "Copy or download the model again; its files may come from different models.",
            raw_shortage=True,
        ):
            self._begin_for(plan)
            try:
                pipeline = _read_pipeline(self.folder, plan)
                family = _check_family(self.folder, pipeline)
                _check_complete(self.folder, pipeline, self.variant(plan))
                cast_parts(self.folder, pipeline, plan, self._ahead)
            finally:
                self.forget()
            pipeline.set_progress_bar_config(disable=True)
            _widen_decoder(pipeline, plan)
        loaded = Loaded(pipeline, family, plan, partial(self.folder.files, variant=self.variant(plan)))
        decoders = small_decoders(self.folder.path, pipeline.vae, plan.dtype, self._notice_once(progress))
        loaded.preview = Previews(pipeline.vae, decoders)
        return loaded

    def _begin_for(self, plan: Plan) -> None:
        from .casting import suits
        from .ladder import Measure

        if self._ahead is not None and suits(self._ahead, plan):
            return
        self.forget()
        if not plan.offloads and Measure.FP8 not in plan:
            self.begin(plan.device, plan.dtype)

    def _notice_once(self, progress: Progress) -> Callable[[str], None]:
        def notice(message: str) -> None:
            if message not in self._told:
                self._told.add(message)
                progress.notice(message)

        return notice

    def forget(self) -> None:
        """Let go of weights that are on their way."""
        if self._ahead is not None:
            self._ahead.stop()
        self._ahead = None

    def variant(self, plan: Plan) -> str | None:
        """Which of the folder's variants is read for ``plan``."""
        return self.folder.variant(half=plan.dtype.itemsize < 4)


def _read_pipeline(folder: ModelFolder, plan: Plan) -> Any:
    import diffusers

    from .casting import formats

    pipeline_class = getattr(diffusers, folder.pipeline, None)
    if pipeline_class is None:
        raise GenerationError(
            "model_unsupported",
            f"The model {folder.name} needs {folder.pipeline}, which diffusers {diffusers.__version__} "
            "does not have.",
            f"Update diffusers, or choose another model. {FAMILIES}",
        )
    half = plan.dtype.itemsize < 4
    try:
        return _loader(folder.pipeline, pipeline_class).from_pretrained(
            str(folder.path),
            local_files_only=True,
            use_safetensors=True,
            variant=folder.variant(half),
            **_in_format({"default": plan.dtype, **formats(folder, plan.dtype)}),
            **_narrow_denoiser(folder, plan),
            **{name: None for name in UNUSED if name in pipeline_class._optional_components},
        )
    except ValueError as error:
        if "can't find a pipeline" not in str(error):
            raise
        raise _unsupported(folder, f"{folder.pipeline} does not make pictures from words") from error


def _loader(name: str, pipeline_class: Any) -> Any:
    """What reads a folder of this pipeline: the pipeline itself where that makes pictures from words."""
    from .families import TRANSFORMERS

    if name in ("StableDiffusionPipeline", "StableDiffusionXLPipeline", *TRANSFORMERS):
        return pipeline_class
    # Only then, since it imports every pipeline that there is.
    from diffusers.pipelines import auto_pipeline

    # A refiner's folder wants an image to start from, an inpainting one a mask; all others start from words.
    task = "Inpainting" if "Inpaint" in name else "Image2Image" if "Img2Img" in name else "Text2Image"
    return getattr(auto_pipeline, f"AutoPipelineFor{task}")


def _in_format(dtype: torch.dtype | dict[str, torch.dtype]) -> dict[str, Any]:
    import diffusers
    from packaging.version import Version

    # Releases before 0.42 know the old name alone; later ones warn of it.
    return {"dtype" if Version(diffusers.__version__) >= Version("0.42") else "torch_dtype": dtype}


def _narrow_denoiser(folder: ModelFolder, plan: Plan) -> dict[str, Any]:
    """The denoiser alone, in 8 bits before anything else is read; nothing where ``plan`` does not want that."""
    from .ladder import Measure
    from .placing import keep_in_eight_bits

    if Measure.FP8 not in plan:
        return {}
    import torch
    from diffusers.models.auto_model import AutoModel

    name = "unet" if "unet" in folder.weights else "transformer"
    variant = folder.variant(plan.dtype.itemsize < 4)
    variant = variant if variant in folder.weights[name] else None
    stored = {"F16": torch.float16, "BF16": torch.bfloat16}.get(
        "F16" if variant else folder.stored, plan.dtype
    )
    # As it is stored where that is narrower: the file is then mapped, and never held in full.
    dtype = stored if plan.dtype == torch.float32 else plan.dtype
    denoiser = AutoModel.from_pretrained(
        str(folder.path / name),
        local_files_only=True,
        use_safetensors=True,
        variant=variant,
        **_in_format(dtype),
    )
    keep_in_eight_bits(denoiser, plan.dtype)
    return {name: denoiser}


def _check_family(folder: ModelFolder, pipeline: Any) -> Family:
    """Refuse what loads but could not run here, before the artist has waited for it."""
    from .families import UNET, family_of

    family = family_of(pipeline)
    if family is None:
        raise _unsupported(folder, f"{type(pipeline).__name__} is not one of the families known here")
    if family is UNET:
        _check_unet(folder, pipeline)
    return family


def _check_unet(folder: ModelFolder, pipeline: Any) -> None:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    from .families import task_of

    unet, vae = pipeline.unet, getattr(pipeline, "vae", None)
    if not isinstance(vae, (AutoencoderKL, AutoencoderTiny)):
        raise _unsupported(folder, f"{type(pipeline).__name__} is not one of the Stable Diffusion families")
    latents = vae.config["latent_channels"]
    # An inpainting denoiser also sees the mask, and the latents of what is not to be painted.
    wanted = {latents, 2 * latents + 1} if task_of(pipeline) == "inpaint" else {latents}
    channels = unet.config["in_channels"]
    if channels not in wanted:
        raise _unsupported(folder, f"its unet takes {channels} channels, so it is made for another task")
    encoders = [
        part for name, part in pipeline.components.items() if name.startswith("text_encoder") and part
    ]
    width = sum(encoder.config.hidden_size for encoder in encoders)
    if unet.config.get("encoder_hid_dim") is None and width != unet.config["cross_attention_dim"]:
        raise GenerationError(
            "model_broken",
            f"The parts of {folder.name} do not belong together: its text encoder speaks {width} channels, "
            f"its unet listens to {unet.config['cross_attention_dim']}.",
            "Copy or download the model again.",
        )


def _check_complete(folder: ModelFolder, pipeline: Any, variant: str | None) -> None:
    """Refuse weights that the files did not have: diffusers leaves them empty, transformers invents them."""
    from transformers import PreTrainedModel

    for name, part in pipeline.components.items():
        if not hasattr(part, "named_parameters"):
            continue
        missing = [key for key, tensor in part.named_parameters() if tensor.is_meta]
        if isinstance(part, PreTrainedModel):
            stored = {tail for key in tensor_names(folder.files(name, variant)) for tail in _tails(key)}
            missing += [key for key, _ in part.named_parameters() if stored.isdisjoint(_tails(key))]
        if missing:
            raise GenerationError(
                "model_broken",
                f"The model {folder.name} is incomplete or damaged: {len(missing)} weights of its {name} are "
                f"missing, such as {missing[0]}.",
                "Copy or download the model again, with every file of its folder.",
            )


def _tails(key: str) -> list[str]:
    """``a.b.c.weight`` as ``[a.b.c.weight, b.c.weight]``: releases of transformers differ in the first part, and in
    where they put the language model of a model that can see.
    """
    key = ".".join(name for name in key.split(".") if name not in ("model", "language_model"))
    return [key, key.partition(".")[2]]


def _widen_decoder(pipeline: Any, plan: Plan) -> None:
    import torch

    # SDXL's own decoder overflows in float16 and says so; the older families inherit the mark without need.
    if plan.dtype == torch.float16 and "XL" in type(pipeline).__name__ and pipeline.vae.config.force_upcast:
        pipeline.vae.to(torch.float32)


def _unsupported(folder: ModelFolder, why: str) -> GenerationError:
    return GenerationError(
        "model_unsupported", f"The model {folder.name} cannot be used here: {why}.", FAMILIES
    )
