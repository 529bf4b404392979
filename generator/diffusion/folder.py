# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a model folder in diffusers layout before torch is imported, and refuses what is broken or unsafe."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from generator.progress import GenerationError

INDEX = "model_index.json"
# Nothing here judges pictures or searches for them, so these are never loaded.
UNUSED = ("safety_checker", "feature_extractor", "image_encoder")
_WEIGHTS = re.compile(r"(?:diffusion_pytorch_)?model(?:\.(?P<variant>\w+))?(?:-\d+-of-\d+)?\.safetensors")
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model")
_PICKLED = ("*.bin", "*.ckpt", "*.pt", "*.pth")
_COMPLETE = "Copy or download the model again, with every file of its folder."


@dataclass(frozen=True)
class ModelFolder:
    """What a folder says of itself.

    ``weights`` has for each part with weights its files by variant: ``""`` for the plain ones, or ``fp16``.
    ``stored`` is the number format of the denoiser's plain weights, or else of its variant (``F16``, ``F32``).
    ``classes`` names the class of each of these parts.
    """

    path: Path
    pipeline: str
    components: tuple[str, ...]
    weights: Mapping[str, Mapping[str, tuple[Path, ...]]]
    stored: str
    classes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What to call the model in a sentence."""
        return display_name(self.path)

    def variant(self, half: bool) -> str | None:
        """Which variant to load: the half-precision one if that is wanted or if there is no other."""
        has_half = any("fp16" in files for files in self.weights.values())
        has_plain = all("" in files for files in self.weights.values())
        return "fp16" if has_half and (half or not has_plain) else None

    def files(self, component: str, variant: str | None) -> tuple[Path, ...]:
        """The weight files of ``component`` that diffusers reads for ``variant``."""
        by_variant = self.weights[component]
        return by_variant.get(variant or "", by_variant.get("", ()))


def read_folder(path: Path) -> ModelFolder:
    """Inspect the model at ``path``. Raises `GenerationError` with a sentence for anything that is not one."""
    _check_layout(path)
    index = _read_index(path)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str):
        raise _broken(path, f"{INDEX} does not name a pipeline.", _COMPLETE)
    components = _components(path, index)
    weights = {name: _weights(path, name) for name in components if _has_weights(path / name, name)}
    classes = {name: str(index[name][-1]) for name in weights}
    return ModelFolder(path, pipeline, tuple(components), weights, _stored(path, weights), classes)


def display_name(path: Path) -> str:
    """The folder's name, or ``owner/name`` where it lies in the Hugging Face cache, in a folder named by a hash."""
    if path.parent.name == "snapshots":
        return path.parent.parent.name.removeprefix("models--").replace("--", "/")
    return path.name


def tensor_names(files: tuple[Path, ...]) -> set[str]:
    """The names of all tensors in some safetensors files."""
    from safetensors import safe_open

    names: set[str] = set()
    for file in files:
        with safe_open(file, framework="numpy") as tensors:
            names.update(tensors.keys())
    return names


def values_stored(files: tuple[Path, ...]) -> Counter[str]:
    """How many values there are in each number format (``F16``, ``F32``), by the headers of some safetensors files."""
    from safetensors import safe_open

    counted: Counter[str] = Counter()
    for file in files:
        with safe_open(file, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a dictionary
                piece = tensors.get_slice(name)
                counted[piece.get_dtype()] += math.prod(piece.get_shape())
    return counted


def _check_layout(path: Path) -> None:
    if path.is_file():
        raise GenerationError(
            "not_a_model",
            f"{path.name} is a single file, not a model folder.",
            "Convert it to a diffusers folder, which holds model_index.json and a folder for each part.",
        )
    if not path.is_dir():
        raise GenerationError(
            "no_such_model",
            f"There is no model folder at {path}.",
            "Choose a folder on this machine; models are never downloaded by themselves.",
        )
    if not (path / INDEX).is_file():
        raise GenerationError(
            "not_a_model",
            f"{path.name} is not a model folder: it has no {INDEX}.",
            "Choose the folder that holds model_index.json beside unet, vae and text_encoder.",
        )


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads((path / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(path, f"{INDEX} cannot be read.", _COMPLETE) from error
    if not isinstance(index, dict):
        raise _broken(path, f"{INDEX} is not a list of parts.", _COMPLETE)
    return index


def _components(path: Path, index: Mapping[str, Any]) -> list[str]:
    names = []
    for name, value in index.items():
        if name.startswith("_") or name in UNUSED or not isinstance(value, list) or value[:1] in ([None], []):
            continue
        if not _is_known_library(value[0]):
            raise GenerationError(
                "model_unsafe",
                f"The model {display_name(path)} wants to run its own code ({value[0]}) for its {name}.",
                "Choose a model that consists of weights alone.",
            )
        if not (path / name).is_dir():
            raise _broken(path, f"its folder {name} is missing.", _COMPLETE)
        if "tokenizer" in name and not any(any((path / name).glob(file)) for file in _VOCABULARIES):
            raise _broken(path, f"the vocabulary in {name} is missing.", _COMPLETE)
        names.append(name)
    if not names:
        raise _broken(path, f"{INDEX} names no parts.", _COMPLETE)
    return names


def _is_known_library(library: object) -> bool:
    """Whether diffusers can take a part's class from this place without running a stranger's code."""
    if library in ("diffusers", "transformers"):
        return True
    spec = find_spec("diffusers")
    if spec is None or spec.origin is None or not isinstance(library, str) or not library.isidentifier():
        return False
    return (Path(spec.origin).parent / "pipelines" / library).is_dir()


def _has_weights(folder: Path, name: str) -> bool:
    named = name in ("unet", "transformer", "vae") or name.startswith("text_encoder")
    return named or (folder / "config.json").is_file()


def _weights(path: Path, name: str) -> dict[str, tuple[Path, ...]]:
    """The safetensors files of one part, by variant, each opened once to see that it is whole."""
    found: dict[str, list[Path]] = {}
    for file in sorted((path / name).glob("*.safetensors")):
        match = _WEIGHTS.fullmatch(file.name)
        if match:
            found.setdefault(match["variant"] or "", []).append(file)
    found = {variant: files for variant, files in found.items() if variant in ("", "fp16")}
    if not found:
        if any(any((path / name).glob(pattern)) for pattern in _PICKLED):
            raise GenerationError(
                "model_unsafe",
                f"The {name} of {display_name(path)} is stored in a format that can run any program (pickle).",
                "Choose a copy of the model whose weights end in .safetensors, or convert it.",
            )
        raise _broken(path, f"the weights of its {name} are missing.", _COMPLETE)
    for shards in (path / name).glob("*.safetensors.index*.json"):
        _check_shards(path, shards)
    for file in (file for files in found.values() for file in files):
        _check_whole(path, file)
    return {variant: tuple(files) for variant, files in found.items()}


def _check_shards(path: Path, shards: Path) -> None:
    try:
        files = set(json.loads(shards.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(path, f"{shards.parent.name}/{shards.name} cannot be read.", _COMPLETE) from error
    for name in sorted(map(str, files)):
        if not (shards.parent / name).is_file():
            raise _broken(path, f"the file {shards.parent.name}/{name} is missing.", _COMPLETE)


def _check_whole(path: Path, file: Path) -> None:
    from safetensors import SafetensorError

    try:
        tensor_names((file,))
    except (OSError, SafetensorError) as error:
        raise _broken(path, f"the file {file.parent.name}/{file.name} is damaged.", _COMPLETE) from error


def _stored(path: Path, weights: Mapping[str, Mapping[str, tuple[Path, ...]]]) -> str:
    from safetensors import safe_open

    by_variant = weights.get("unet") or weights.get("transformer")
    if not by_variant:
        raise GenerationError(
            "model_unsupported",
            f"The model {display_name(path)} has no unet, so it is not a text-to-image diffusion model.",
            "Choose a Stable Diffusion 1.x, 2.x or XL folder.",
        )
    file = next(iter(by_variant.get("", by_variant.get("fp16", ()))))
    with safe_open(file, framework="numpy") as tensors:
        return tensors.get_slice(next(iter(tensors.keys()))).get_dtype()


def _broken(path: Path, what: str, advice: str) -> GenerationError:
    return GenerationError(
        "model_broken", f"The model {display_name(path)} is incomplete or damaged: {what}", advice
    )
