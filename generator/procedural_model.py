# SPDX-License-Identifier: GPL-3.0-or-later
"""``builtin:procedural`` as the engine sees a model: it tells its progress in steps and shows previews."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generator import procedural
from generator.material import FloatArray, Material
from generator.progress import Progress
from generator.protocol import Request
from generator.resample import resize
from generator.tileable import tile

STEPS = 20
UNUSED_STEPS, UNUSED_GUIDANCE = 25, 7.5
NOTHING_TO_ADD = (
    "The built-in model keeps the source image and adds what the words name, such as moss, cracks, rust, snow, "
    "water or a colour. These words name none of that, so nothing is added to the image."
)
NO_LORAS = "The built-in model takes no LoRA. Choose a model folder that the LoRA fits."
PREVIEW_SIZES = (96, 256)
"""Shorter sides of the pictures shown while the real one is being made; they cost a few per cent of a 1024."""


class ProceduralModel:
    """Words to materials with NumPy alone; it has nothing to load and nothing to keep."""

    def fit_size(self, width: int, height: int) -> tuple[int, int]:
        """Every size tiles."""
        return width, height

    def settle(self, request: Request) -> Request:
        """Numbers that nothing here depends on, always the same, so that recipes are complete."""
        return request.settled(UNUSED_STEPS, UNUSED_GUIDANCE)

    def close(self) -> None:
        """Nothing is held."""

    def make_seamless(self, request: Request, picture: FloatArray, progress: Progress) -> FloatArray:
        """The picture's own edges joined, with nothing drawn anew; ``(H, W, 3 or 4)``. Says how it was done."""
        progress.loading("Joining the edges")
        tiled = tile(picture, request.tiles_x, request.tiles_y, progress.check)
        progress.notice(tiled.sentence)
        return tiled.picture

    def generate(
        self, request: Request, source: FloatArray | None, progress: Progress
    ) -> Iterator[FloatArray | Material]:
        """Materials for the request's seeds; words that are not understood come as a notice."""
        description = procedural.parse(request.prompt, request.negative_prompt)
        if request.loras:
            progress.notice(NO_LORAS)
        if description.unknown:
            progress.notice(f"Not understood: {', '.join(description.unknown)}.")
        for sentence in description.assumed if source is None else ():
            progress.notice(sentence)
        if source is not None and request.strength > 0 and not procedural.adds_to_picture(description):
            progress.notice(NOTHING_TO_ADD)
        for index in range(request.count):
            seed = request.image_seed(index)
            if source is not None:
                report = _reporter(progress, index, lambda: None)
                axes, by = (request.tiles_x, request.tiles_y), request.maps_from
                yield procedural.restyle(source, description, request.strength, seed, axes, report, by)
            else:
                report = _reporter(progress, index, _previews(request, description, seed))
                yield procedural.generate(description, request.width, request.height, seed, report)


def _previews(
    request: Request, description: procedural.Description, seed: int
) -> Callable[[], FloatArray | None]:
    """A callable that gives the next, finer preview of the same material each time it is asked."""
    short = min(request.width, request.height)
    sizes = [size for size in PREVIEW_SIZES if size * 2 <= short]

    def preview() -> FloatArray | None:
        if not sizes:
            return None
        size = sizes.pop(0)
        width, height = (max(16, round(length * size / short)) for length in (request.width, request.height))
        small = procedural.generate(description, width, height, seed).basecolor
        scale = PREVIEW_SIZES[-1] / max(width, height)
        return resize(small, round(width * scale), round(height * scale)) if scale > 1 else small

    return preview


def _reporter(
    progress: Progress, index: int, preview: Callable[[], FloatArray | None]
) -> Callable[[str, float], None]:
    progress.step(index, 0, STEPS, preview)
    last = 0

    def report(_stage: str, fraction: float) -> None:
        nonlocal last
        step = min(int(fraction * STEPS), STEPS)
        progress.step(index, max(step, last), STEPS, preview if step > last else None)
        last = max(step, last)

    return report
