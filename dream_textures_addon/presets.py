# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt presets: the words that make a model draw a surface, so that the artist need not know them."""

from __future__ import annotations

from dataclasses import dataclass

_FLAT = "shadows, perspective, vignette, text, watermark, frame, blurry"


@dataclass(frozen=True)
class Preset:
    """What is put around the artist's words.

    ``template`` and ``negative`` are for models that were trained on captions; ``{prompt}`` marks the artist's
    words. ``builtin`` is for the models that ship with us, which know plain words alone.
    """

    id: str
    label: str
    description: str
    template: str = "{prompt}"
    negative: str = ""
    builtin: str = ""


PRESETS: tuple[Preset, ...] = (
    Preset("none", "None", "Send the prompt as it is typed"),
    Preset(
        "material",
        "Material",
        "A surface seen straight from above in even light, ready for its maps",
        "{prompt}, texture of a material, seen from directly above, flat even lighting, fills the frame, "
        "high detail",
        _FLAT,
    ),
    Preset(
        "photo",
        "Photo of a Surface",
        "A photograph of a real surface on an overcast day",
        "close-up photograph of {prompt}, surface facing the camera, overcast daylight, sharp focus, "
        "natural colours, fills the frame",
        f"{_FLAT}, painting, illustration, cartoon",
    ),
    Preset(
        "worn",
        "Weathered",
        "A surface that has stood outdoors for years",
        "photograph of old weathered {prompt}, worn edges, stains, surface facing the camera, overcast daylight, "
        "fills the frame",
        f"{_FLAT}, new, clean, polished",
        "weathered, slightly worn",
    ),
    Preset(
        "stylised",
        "Stylised",
        "Simple shapes and clear colours, as in a stylised game",
        "{prompt}, stylized game texture, simple bold shapes, clear colours, soft bevels, seen from directly above",
        f"{_FLAT}, photograph, noise, grain",
        "stylised",
    ),
    Preset(
        "hand_painted",
        "Hand Painted",
        "Visible brush strokes and painted highlights",
        "hand painted texture of {prompt}, visible brush strokes, painted highlights, seen from directly above",
        f"{_FLAT}, photograph, noise",
        "hand painted",
    ),
    Preset(
        "scifi_panel",
        "Sci-Fi Panel",
        "Plates, seams and bolts of a machine or a spaceship",
        "{prompt}, science fiction hull panel, metal plates, panel lines, bolts, seen straight on, flat even lighting",
        f"{_FLAT}, people, wood, plants",
        "metal, scratched",
    ),
    Preset(
        "fabric",
        "Fabric Close-Up",
        "Threads and weave of a cloth, seen from near",
        "macro photograph of {prompt} fabric, visible weave and threads, cloth lying flat, soft even light, "
        "fills the frame",
        f"{_FLAT}, folds, wrinkles, clothes, people",
        "fabric",
    ),
    Preset(
        "ground",
        "Aerial Ground",
        "Ground as a drone sees it from a few metres above",
        "aerial photograph of {prompt}, ground seen straight down from above, overcast daylight, even scale, "
        "fills the frame",
        f"{_FLAT}, horizon, sky, people, buildings",
    ),
)


def find(preset: str) -> Preset:
    """The preset of this id. Raises KeyError."""
    return {item.id: item for item in PRESETS}[preset]


def apply(preset: Preset, prompt: str, negative: str = "", *, builtin: bool = False) -> tuple[str, str]:
    """The prompt and the negative prompt that will really be sent.

    ``builtin`` says that the model is one of ours, which reads plain words alone. An empty prompt stays empty:
    a preset is no texture by itself.
    """
    words = prompt.strip().rstrip(",")
    if not words:
        return "", negative.strip()
    if builtin:
        return _listed(words, preset.builtin), negative.strip()
    return preset.template.replace("{prompt}", words), _listed(negative, preset.negative)


def _listed(*parts: str) -> str:
    return ", ".join(part.strip() for part in parts if part.strip())
