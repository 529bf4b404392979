# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures whose answer is known, for the seam verdict: they tile by construction, or were cut so that they do not.

Families of the procedural model are split in two by name, every second one, and seeds as well: what the verdict is
tuned on is one half of the families with one half of the seeds, and the rest is held out.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from generator import procedural
from generator.material import FloatArray, Material

SPECTRA = {"white": 0.0, "pinkish": 0.5, "pink": 1.0, "pink-brown": 1.5, "brown": 2.0}
"""Noise named by energy per octave in two dimensions: amplitude falls as the wave number to the power given."""

KEPT = (0.6, 0.93)
"""The share of each side that a crop keeps: drawn from this range."""

LEAST_UNLIKE, LEAST_CHANGE, LEAST_SHARE = 1.2, 1.5 / 255, 0.25
"""Crops below any of these have no seam that could be seen: see ``hides_cut``."""

STEPPED = ("pink-brown", "brown")
"""Noise on which a faint step at the border is seen; it is laid over some of the rows."""

PROMPTS = (
    "{name}",
    "large {colour} {name}",
    "tiny {name}",
    "old worn dirty {name}",
    "small {colour} wet {name}",
    "weathered mossy {colour} {name}",
)
_COLOURS = ("red", "white", "charcoal", "blue", "beige", "green", "grey", "ochre")
_OTHER_MAPS = ("normal", "roughness", "height", "ao", "metallic")
CACHE = Path(tempfile.gettempdir()) / "dream-textures-seam-cases"


@dataclass(frozen=True)
class Source:
    """One periodic picture: a family of the procedural model with a prompt, or a noise field with its exponent.

    ``part`` is "tuning", "new seeds" (families of the tuning, but other seeds and prompts) or "new families".
    """

    part: str
    family: str
    prompt: str
    seed: int
    size: int

    @property
    def is_noise(self) -> bool:
        return not self.prompt


@dataclass(frozen=True)
class Case:
    """A picture and what is to be said of it: ``expected`` for x and y, None where no verdict is required."""

    source: Source
    map: str
    cut: str
    image: FloatArray
    expected: tuple[bool | None, bool | None]


def sources(sizes: dict[int, float]) -> Iterator[Source]:
    """All sources at the given sizes, each size with the given share of them."""
    for size, share in sizes.items():
        yield from (s for s in _every_source(size) if _draw(s, "share") < share)


def _every_source(size: int) -> Iterator[Source]:
    for index, info in enumerate(procedural.families()):
        for number, pattern in enumerate(PROMPTS):
            colour = _COLOURS[(index + 3 * number) % len(_COLOURS)]
            prompt = pattern.format(name=info.words[0], colour=colour)
            # Prompts of even number are for tuning, in families of even number; the seed tells parts and sizes apart.
            part = "new families" if index % 2 else "new seeds" if number % 2 else "tuning"
            yield Source(part, info.name, prompt, 1000 * number + size + index, size)
    for name in SPECTRA:
        for seed in range(8):
            yield Source("tuning" if seed % 2 == 0 else "new seeds", name, "", 7919 * seed + size, size)


def _draw(source: Source, purpose: str) -> float:
    return float(_generator(source, purpose).random())


def _generator(source: Source, purpose: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{source}{purpose}".encode()))


def cases(source: Source) -> Iterator[Case]:
    """The colour of a source rolled, cropped, and cropped in X alone; another of its maps rolled and cropped."""
    if source.is_noise:
        pictures = {"noise": noise(source.size, SPECTRA[source.family], source.seed)}
    else:
        pictures = material_maps(source)
    for name, picture in pictures.items():
        if name in ("basecolor", "noise"):
            cuts = ("rolled", "cropped", "cropped in x", *(("stepped",) if source.family in STEPPED else ()))
        elif name == _OTHER_MAPS[source.seed % len(_OTHER_MAPS)]:
            cuts = ("rolled", "cropped")
        else:
            continue
        for cut in cuts:
            yield _case(source, name, cut, picture)


def _case(source: Source, name: str, cut: str, picture: FloatArray) -> Case:
    rng = _generator(source, name + cut)
    image, kept = shifted(picture, rng), picture.shape[:2]
    if cut == "stepped":
        stepped_image = stepped(image, height=0.1, share=rng.uniform(0.4, 1.0))
        # Where the ramp begins and ends among the rows it is a step in Y as well.
        return Case(source, name, cut, stepped_image, (False, None))
    if cut != "rolled":
        share_y, share_x = rng.uniform(*KEPT, 2)
        kept = (kept[0] if cut == "cropped in x" else int(kept[0] * share_y), int(kept[1] * share_x))
    expected = tuple(
        None if hidden else length == whole
        for length, whole, hidden in (
            (kept[1], image.shape[1], hides_cut(image, kept[1], 1)),
            (kept[0], image.shape[0], hides_cut(image, kept[0], 0)),
        )
    )
    return Case(source, name, cut, np.ascontiguousarray(image[: kept[0], : kept[1]]), expected)  # type: ignore[arg-type]


def hides_cut(periodic: FloatArray, kept: int, axis: int) -> bool:
    """Whether a crop of ``kept`` lines along the axis has no seam that could be seen; the whole never hides one.

    Known from the whole picture alone, whatever the verdict makes of it. Either columns next to one another are
    hardly more alike than strangers, seen in pixels or in boxes of 2, 4 or 8; or what follows the cut differs from
    what went on there before by less than a level and a half of 256, or by less than a share of what strangers
    differ by: nothing varies there, or a whole number of periods was kept.
    """
    planes = np.atleast_3d(periodic)
    if axis == 0:
        planes = planes.swapaxes(0, 1)
    length = planes.shape[1]
    if kept == length:
        return False
    scales = [_boxes(planes, side) for side in (1, 2, 4, 8)]
    unlike = [
        _strangeness(boxes) / max(_difference(boxes, np.roll(boxes, 1, axis=1)), 1e-6) for boxes in scales
    ]
    strip = max(4, length // 32)
    ahead, behind = np.arange(kept, kept + strip) % length, np.arange(length - strip, length)
    change = 0.5 * _difference(planes[:, :strip], planes[:, ahead])
    change += 0.5 * _difference(planes[:, kept - strip : kept], planes[:, behind])
    return max(unlike) < LEAST_UNLIKE or change < max(LEAST_CHANGE, LEAST_SHARE * _strangeness(planes))


def _boxes(planes: FloatArray, side: int) -> FloatArray:
    rows, columns = (n // side for n in planes.shape[:2])
    return planes[: rows * side, : columns * side].reshape(rows, side, columns, side, -1).mean(axis=(1, 3))


def _strangeness(planes: FloatArray) -> float:
    """How much columns differ that lie far from one another."""
    shifts = (int(planes.shape[1] * share) for share in (0.17, 0.29, 0.41, 0.53))
    return float(np.mean([_difference(planes, np.roll(planes, shift, axis=1)) for shift in shifts]))


def _difference(a: FloatArray, b: FloatArray) -> float:
    return float(np.abs(a - b).mean())


def material_maps(source: Source) -> dict[str, FloatArray]:
    """The maps of a source as they are saved, height in 16 bits and the others in 8; made once, then kept on disk."""
    path = CACHE / f"{source.family}-{source.size}-{source.seed}-{zlib.crc32(source.prompt.encode())}.npz"
    if not path.is_file():
        material = procedural.generate(procedural.parse(source.prompt), source.size, source.size, source.seed)
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez(unfinished, **_as_integers(material))  # type: ignore[arg-type]
        unfinished.replace(path)
    with np.load(path) as stored:
        return {
            name: stored[name].astype(np.float32) / np.float32(np.iinfo(stored[name].dtype).max)
            for name in stored.files
        }


def _as_integers(material: Material) -> dict[str, npt.NDArray[np.unsignedinteger]]:
    result: dict[str, npt.NDArray[np.unsignedinteger]] = {
        name: np.round(getattr(material, name) * 255).astype(np.uint8)
        for name in ("basecolor", "roughness", "ao", "metallic")
    }
    result["normal"] = np.round((material.normal * 0.5 + 0.5) * 255).astype(np.uint8)
    result["height"] = np.round(material.height * 65535).astype(np.uint16)
    return result


def noise(size: int, exponent: float, seed: int) -> FloatArray:
    """A periodic Gaussian field ``(size, size)`` about 0.5 whose amplitudes fall as k to the minus ``exponent``."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((size, size)))
    wave_number = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]) * size
    wave_number[0, 0] = 1.0
    field = np.fft.irfft2(spectrum / wave_number**exponent, (size, size))
    return (0.5 + 0.12 * (field - field.mean()) / field.std()).astype(np.float32)


def shifted(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Another part of the same torus, so that the border lies anywhere in the pattern."""
    return np.roll(image, tuple(rng.integers(0, image.shape[:2])), axis=(0, 1))


def stepped(image: FloatArray, height: float, share: float) -> FloatArray:
    """A periodic picture with a ramp laid over part of its rows, which jumps by ``height`` at the border in X."""
    ramp = np.linspace(-0.5, 0.5, image.shape[1], dtype=np.float32) * np.float32(height)
    result = image.copy()
    result[: int(image.shape[0] * share)] += ramp
    return result
