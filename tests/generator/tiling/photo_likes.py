# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that stand for photographs: made from seeds, so that every test sees the same ones."""

from __future__ import annotations

import numpy as np

from generator.resample import blur


def noise(rows: int, columns: int, exponent: float, seed: int = 0) -> np.ndarray:
    """A periodic field of mean 0 and deviation 1 whose amplitudes fall as the wave number to minus ``exponent``."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((rows, columns)))
    waves = np.hypot(np.fft.fftfreq(rows)[:, None] * rows, np.fft.rfftfreq(columns)[None, :] * columns)
    waves[0, 0] = 1.0
    field = np.fft.irfft2(spectrum / waves**exponent, (rows, columns))
    return ((field - field.mean()) / field.std()).astype(np.float32)


def ground(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Blotchy ground under light that falls off to one side; it tiles in neither direction."""
    blotches = np.stack([noise(400, 400, 1.2, seed + c)[:rows, :columns] for c in range(3)], axis=-1)
    light = np.linspace(0.6, 1.2, columns, dtype=np.float32)[None, :, None]
    return np.clip((0.4 + 0.07 * blotches) * light, 0, 1)


def pebbles(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Round stones with shaded rims, of all greys, close to each other; it tiles in neither direction."""
    rng = np.random.default_rng(seed)
    count = rows * columns // 160
    centres = rng.random((count, 2)) * (rows, columns)
    shade = rng.uniform(0.25, 0.8, count).astype(np.float32)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    nearest = np.full((rows, columns), np.inf, np.float32)
    second, owner = nearest.copy(), np.zeros((rows, columns), np.intp)
    for index, (cy, cx) in enumerate(centres):
        distance = np.hypot(y - cy, x - cx)
        closer = distance < nearest
        second = np.where(closer, nearest, np.minimum(second, distance))
        owner[closer] = index
        nearest = np.minimum(nearest, distance)
    grey = shade[owner] * np.clip((second - nearest) / 4, 0.15, 1)
    return np.repeat(blur(grey.astype(np.float32), 0.7)[..., None], 3, axis=2)


def bricks(size: int, brick: tuple[int, int] = (48, 96)) -> np.ndarray:
    """A running bond with grey joints, ``brick`` pixels high and wide."""
    y, x = np.mgrid[0:size, 0:size]
    course = y // brick[0]
    along = x + brick[1] // 2 * (course % 2)
    joint = (y % brick[0] < 6) | (along % brick[1] < 6)
    rng = np.random.default_rng(0)
    shade = rng.normal(1, 0.1, (64, 64))[course, along // brick[1]][..., None]
    picture = np.where(joint[..., None], (0.7, 0.68, 0.65), np.array((0.55, 0.25, 0.2)) * shade)
    soft = blur(picture.astype(np.float32), 1.5)  # No lens draws edges of one pixel.
    return np.clip(soft + 0.02 * noise(size, size, 0.8)[..., None], 0, 1).astype(np.float32)


def tiles(rows: int, columns: int, step: int) -> np.ndarray:
    """Square tiles with dark joints, ``step`` pixels from one to the next."""
    y, x = np.mgrid[0:rows, 0:columns]
    shade = np.random.default_rng(1).uniform(0.7, 0.85, (64, 64))[y // step, x // step]
    grey = np.where((y % step < 4) | (x % step < 4), 0.2, shade).astype(np.float32)
    return np.repeat(blur(grey, 1.0)[..., None], 3, axis=2)
