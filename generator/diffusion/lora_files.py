# SPDX-License-Identifier: GPL-3.0-or-later
"""What the file of a LoRA says of itself, read without torch; whatever is no such file is refused with a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from generator.progress import GenerationError

from .folder import display_name

USUAL_NAME = "pytorch_lora_weights.safetensors"
"""What diffusers calls the file in a LoRA's folder."""
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_AGAIN = "Copy or download the LoRA again."
_DOWN = ("lora_down", "lora_a.", "lora.down", "lora_linear_layer.down")
_UP = ("lora_up", "lora_b.", "lora.up", "lora_linear_layer.up")
_OTHER_KINDS = {
    "hada_": "a LoHa",
    "lokr_": "a LoKr",
    "glora": "a GLoRA",
    "oft_": "an OFT",
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "lora_controlnet": "a control network",
}
"""What is not simply a product of two matrices that is added to a weight, by a part of its names."""
_LISTENS_TO = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""The width of the words that a unet's cross-attention sees."""


@dataclass(frozen=True)
class LoraFile:
    """One LoRA's file: ``size`` and ``modified`` (ns) tell whether it is still the same.

    ``values`` is how many numbers its matrices hold; ``made_for`` names the family of models where the shapes tell.
    """

    path: Path
    size: int
    modified: int
    values: int
    made_for: str = ""

    @property
    def name(self) -> str:
        """What to call it in a sentence: a folder's name where the file's own name says nothing."""
        return display_name(self.path.parent) if self.path.name == USUAL_NAME else self.path.name


def look_into(place: str) -> LoraFile:
    """The LoRA at ``place``: a ``.safetensors`` file, or a folder that holds one. Raises `GenerationError`."""
    path = find_file(Path(place).expanduser())
    shapes = _shapes(path)
    _check_kind(path, shapes)
    matrices = {name: shape for name, shape in shapes.items() if _has(name, _DOWN) or _has(name, _UP)}
    state = path.stat()
    values = sum(math.prod(shape) for shape in matrices.values())
    # Not resolved: in the Hugging Face cache a file is a link to one whose name says nothing.
    return LoraFile(path.absolute(), state.st_size, state.st_mtime_ns, values, _made_for(matrices))


def find_file(path: Path) -> Path:
    """The file that ``path`` means, a LoRA or a folder with one. Raises `GenerationError`."""
    if path.suffix.lower() in _PICKLED and not path.is_dir():
        raise GenerationError(
            "lora_unsafe",
            f"The LoRA {path.name} is in a format that can run any program (pickle), so it is not read.",
            "Choose a copy that ends in .safetensors, or convert it.",
        )
    if path.is_file():
        if path.suffix == ".safetensors":
            return path
        raise _not_a_lora(path, "its name does not end in .safetensors")
    if not path.is_dir():
        raise GenerationError(
            "no_such_lora",
            f"There is no LoRA at {path}.",
            "Choose a .safetensors file on this machine; LoRAs are never downloaded by themselves.",
        )
    files = sorted(path.glob("*.safetensors"))
    if len(files) > 1:
        files = [file for file in files if file.name == USUAL_NAME]
    if len(files) == 1:
        return files[0]
    if any(file.suffix.lower() in _PICKLED for file in path.iterdir()):
        return find_file(next(file for file in sorted(path.iterdir()) if file.suffix.lower() in _PICKLED))
    raise _not_a_lora(path, "a folder must hold exactly one .safetensors file")


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            names = tensors.keys()
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in names}
    except (OSError, SafetensorError) as error:
        raise GenerationError(
            "lora_broken", f"The LoRA {path.name} is damaged or not whole.", _AGAIN
        ) from error


def _check_kind(path: Path, shapes: Iterable[str]) -> None:
    names = [name.lower() for name in shapes]
    for mark, kind in _OTHER_KINDS.items():
        if any(mark in name for name in names):
            raise _unsupported(path, f"it is {kind}")
    if not any(_has(name, _DOWN) for name in names) or not any(_has(name, _UP) for name in names):
        raise _not_a_lora(path, "it may be a whole model or a part of one")
    if any(_has(name, _UP) and name.endswith(".bias") for name in names):
        raise _unsupported(path, "it also changes biases, as LoRAs that control a model do")


def _has(name: str, marks: tuple[str, ...]) -> bool:
    return any(mark in name.lower() for mark in marks)


def _made_for(matrices: dict[str, tuple[int, ...]]) -> str:
    for name, shape in matrices.items():
        if "double_blocks" in name or "single_transformer_blocks" in name:
            return "Flux"
        if "attn2" in name and "to_k" in name and _has(name, _DOWN):
            return _LISTENS_TO.get(shape[-1], "")
    return ""


def _not_a_lora(path: Path, why: str) -> GenerationError:
    return GenerationError(
        "not_a_lora",
        f"{path.name} is not a LoRA that can be read here: {why}.",
        "Choose a LoRA's .safetensors file.",
    )


def _unsupported(path: Path, why: str) -> GenerationError:
    return GenerationError(
        "lora_unsupported",
        f"{path.name} is not a plain LoRA: {why}.",
        "Choose one that consists of plain LoRA matrices.",
    )
