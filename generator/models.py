# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models there are, and how a name or a path becomes one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from generator.diffusion import few_steps
from generator.progress import GenerationError, Progress
from generator.protocol import DEFAULT_MODEL, STARTER, Request

if TYPE_CHECKING:
    from generator.material import FloatArray, Material

MODEL_FOLDERS = "DREAM_TEXTURES_MODELS"
"""Environment variable: folders that hold diffusers model folders, separated as in ``PATH``."""


class Model(Protocol):
    """What the engine asks of a model."""

    def fit_size(self, width: int, height: int) -> tuple[int, int]:
        """The nearest size that this model can make tile."""
        ...

    def settle(self, request: Request) -> Request:
        """The request with steps, guidance and scheduler of the model's choice where it leaves them open.

        A settled request comes back as it is. Raises `GenerationError` for a LoRA that is not there.
        """
        ...

    def generate(
        self, request: Request, source: FloatArray | None, progress: Progress
    ) -> Iterator[FloatArray | Material]:
        """The request's images in the order of their seeds: base colours ``(H, W, 3)`` or whole materials.

        ``source`` has the request's size and tiles along the request's axes.
        """
        ...

    def make_seamless(self, request: Request, picture: FloatArray, progress: Progress) -> FloatArray:
        """The picture ``(H, W, 3)``, float32 in [0, 1], such that it tiles along the request's axes; size kept.

        Prompt, seed, strength, steps and guidance are the request's.
        """
        ...

    def close(self) -> None:
        """Give back the memory; the model is not used afterwards."""
        ...


@dataclass(frozen=True)
class ModelInfo:
    """A model as it is offered: the ``name`` for a request, its ``kind``, one line for people, its native size.

    ``few_steps`` is the honest name of what makes few steps enough, empty where nothing does; ``steps`` and
    ``guidance`` are what it was made for, and ``numbers`` says all three in a few words. They are 0 and empty where
    a model knows no steps. ``folder`` is where it lies, for whoever chose it by its path.
    """

    name: str
    kind: str
    description: str
    native_size: int
    few_steps: str = ""
    steps: int = 0
    guidance: float = 0.0
    numbers: str = ""
    folder: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


PROCEDURAL = ModelInfo(
    DEFAULT_MODEL, "procedural", "Built in: words to a material with exact maps, no download, no GPU", 1024
)

STARTER_FOLDER = Path(__file__).parent / "weights" / "starter"


def installed() -> list[ModelInfo]:
    """Every model found on this machine: the built-in ones, ``DREAM_TEXTURES_MODELS``, the Hugging Face cache."""
    found = [PROCEDURAL]
    if is_model_folder(STARTER_FOLDER):
        about = "Built in, experimental: a small diffusion model that knows materials only; needs torch"
        found.append(replace(_folder_info(STARTER_FOLDER, STARTER), description=about))
    for root in os.environ.get(MODEL_FOLDERS, "").split(os.pathsep):
        folder = Path(root).expanduser()
        if root and folder.is_dir():
            found += [
                _folder_info(path, str(path)) for path in sorted(folder.iterdir()) if is_model_folder(path)
            ]
    found += [_folder_info(path, name) for name, path in sorted(_hub_cache().items())]
    return found


def is_model_folder(path: Path) -> bool:
    """Whether this is a diffusers model folder."""
    return (path / "model_index.json").is_file()


def find_folder(name: str) -> Path:
    """The diffusers folder that ``name`` means: a path, or the name of a model in the Hugging Face cache.

    Raises `GenerationError` when there is none; nothing is ever downloaded.
    """
    if name.startswith("builtin:"):
        return _built_in(name)
    path = Path(name).expanduser()
    if is_model_folder(path):
        return path
    cached = _hub_cache().get(name)
    if cached is not None:
        return cached
    if path.is_dir():
        raise GenerationError(
            "not_a_model",
            f"The folder {name} is not a diffusers model: it has no model_index.json.",
            "Choose the folder that holds model_index.json, with unet, vae and text_encoder folders beside it.",
        )
    if path.is_file():
        raise GenerationError(
            "not_a_model",
            f"{name} is a single file, and models are read from diffusers folders.",
            "Convert it once with diffusers (from_single_file, then save_pretrained) and choose that folder.",
        )
    raise GenerationError(
        "no_such_model",
        f"There is no model {name!r} on this machine.",
        f"Use {DEFAULT_MODEL}, {STARTER}, or the path of a diffusers model folder.",
    )


def _built_in(name: str) -> Path:
    if name != STARTER:
        raise GenerationError(
            "no_such_model", f"There is no built-in model {name!r}.", f"Use {DEFAULT_MODEL} or {STARTER}."
        )
    if not is_model_folder(STARTER_FOLDER):
        raise GenerationError(
            "no_such_model",
            "This copy of Dream Textures lacks the small diffusion model that belongs to it.",
            f"Install Dream Textures again, or use {DEFAULT_MODEL}.",
        )
    return STARTER_FOLDER


def native_size(name: str) -> int:
    """The side in pixels of the squares that a model was trained on, as far as its configuration says."""
    return (
        PROCEDURAL.native_size
        if name == PROCEDURAL.name
        else _folder_info(find_folder(name), name).native_size
    )


def check_loras(request: Request) -> None:
    """Look at the LoRAs' files before anybody waits for a model. Raises `GenerationError` with a sentence."""
    from generator import diffusion

    if request.model == PROCEDURAL.name or not diffusion.available():
        return  # not needed there, or not what is missing first
    from generator.diffusion.lora_files import look_into

    for lora in request.loras:
        look_into(lora.file)


def settle_unasked(request: Request) -> Request:
    """As `Model.settle`, for a request that no diffusion model is asked for: nothing depends on its numbers."""
    from generator.procedural_model import ProceduralModel

    return ProceduralModel().settle(request)


def load(name: str, precision: str, device: str, progress: Progress) -> Model:
    """The model, ready to run. Raises `GenerationError` with a sentence when it cannot be had."""
    if name == PROCEDURAL.name:
        from generator.procedural_model import ProceduralModel

        return ProceduralModel()
    folder = find_folder(name)
    from generator import diffusion

    if not diffusion.available():
        raise GenerationError(
            "needs_torch",
            "This model needs torch and diffusers, and the Python that runs the generator lacks them.",
            "In Blender, press Set Up Generator in the preferences of Dream Textures. Elsewhere, install "
            f"dream-textures[diffusion]. Or use {DEFAULT_MODEL}.",
        )
    return diffusion.load(folder, precision, device, progress)


def _folder_info(folder: Path, name: str) -> ModelInfo:
    pipeline = few_steps.read_json(folder / "model_index.json").get("_class_name", "unknown pipeline")
    transformer = few_steps.read_json(folder / "transformer" / "config.json")
    latent = (transformer or few_steps.read_json(folder / "unet" / "config.json")).get("sample_size")
    vae = few_steps.read_json(folder / "vae" / "config.json")
    levels = vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or [0] * 4
    size = 1024 if transformer else 512  # what those were trained on that do not say
    if isinstance(latent, int) and isinstance(levels, list):
        size = latent * 2 ** (len(levels) - 1)
    made = few_steps.of_folder(folder)
    return ModelInfo(
        name,
        "diffusion",
        f"{pipeline} from a local folder",
        min(max(size, 64), 2048),
        few_steps=made.kind,
        steps=made.steps,
        guidance=made.guidance,
        numbers=made.sentence,
        folder=str(folder),
    )


def _hub_cache() -> dict[str, Path]:
    """Diffusers models that Hugging Face's own cache already holds, by repository name."""
    try:
        from huggingface_hub import CacheNotFound, scan_cache_dir
    except ImportError:
        return {}
    try:
        repositories = scan_cache_dir().repos
    except (CacheNotFound, OSError):
        return {}
    found: dict[str, Path] = {}
    for repository in repositories:
        newest = max(repository.revisions, key=lambda revision: revision.last_modified, default=None)
        if newest is not None and is_model_folder(newest.snapshot_path):
            found[repository.repo_id] = newest.snapshot_path
    return found
