# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture's size costs in memory when it is decoded in one piece, and in tiles of a torus.

    python benchmarks/tiled_vae.py [--sizes 512 1024 2048 4096] [--channels 32] [--markdown FILE]

Stable Diffusion's decoder with random weights and, so that 4096 pixels are done in minutes on a CPU, a quarter of its
channels (``--channels 128`` is the real width). Every case runs in a process of its own, whose peak memory above what
it held before decoding is taken. The seam is the jump across the picture's border, against the lines that lie at the
same place of the decoder's squares of 8 pixels; the same is given for the lines along which tiles meet.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from generator.torus import wrap
from generator.torus.tiles import Tiles, tiled

TILES = Tiles(side=96)
LONGEST_WHOLE = 2048  # in one piece: beyond, a usual machine's memory ends


def decoder(channels: int) -> Any:
    """An ``AutoencoderKL`` of Stable Diffusion's layout whose outermost level has so many channels."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "block_out_channels": (channels, 2 * channels, 4 * channels, 4 * channels),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
        "norm_num_groups": min(32, channels),
    }
    return AutoencoderKL(**settings).eval()


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def jumps(pixels: torch.Tensor, axis: int) -> torch.Tensor:
    """The mean jump at every line between two of the decoder's squares, ``(n,)``."""
    size = pixels.shape[axis]
    before = (torch.arange(0, size, 8) - 1).remainder(size)
    difference = pixels.index_select(axis, torch.arange(0, size, 8)) - pixels.index_select(axis, before)
    return difference.abs().mean(dim=[d for d in range(4) if d != axis % 4])


def measure(size: int, channels: int, in_tiles: bool) -> dict[str, float]:
    """One case, in this process: megabytes, seconds, and seam ratios at the border and where tiles meet."""
    vae = decoder(channels).to(memory_format=torch.channels_last)
    cells = size // 8
    latents = torch.randn(1, 4, cells, cells, generator=torch.Generator().manual_seed(1))
    before, started = peak_bytes(), time.perf_counter()
    with torch.inference_mode(), wrap(vae):
        if in_tiles:
            pixels = tiled(lambda z: vae.decode(z).sample, latents, TILES, (1, 8))
        else:
            pixels = vae.decode(latents).sample
    seconds = time.perf_counter() - started
    count = -(-cells // TILES.step)
    meeting = [round(index * cells / count) for index in range(1, count)] if cells > TILES.side else []
    lines = [jumps(pixels, axis) for axis in (-1, -2)]
    inside = [float(found[1:].mean()) for found in lines]
    border = sum(float(found[0]) / mean for found, mean in zip(lines, inside, strict=True)) / 2
    joints = [
        float(found[line]) / mean for found, mean in zip(lines, inside, strict=True) for line in meeting
    ]
    return {
        "megabytes": (peak_bytes() - before) / 2**20,
        "seconds": seconds,
        "border": border,
        "joints": sum(joints) / len(joints) if joints else 1.0,
    }


def in_child(size: int, channels: int, in_tiles: bool) -> dict[str, float]:
    """The same in a process of its own."""
    case = json.dumps([size, channels, in_tiles])
    done = subprocess.run(
        [sys.executable, __file__, "--case", case], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def table(sizes: list[int], channels: int) -> str:
    """All cases as a Markdown table; printed row by row as well."""
    rows = [
        "| pixels | in one piece | in tiles | seam ratio, one piece | seam ratio, tiles | where tiles meet | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(rows), flush=True)
    for size in sizes:
        whole = in_child(size, channels, False) if size <= LONGEST_WHOLE else None
        tiles = in_child(size, channels, True)
        pieces = (f"{whole['megabytes']:,.0f} MB", f"{whole['border']:.3f}") if whole else ("-", "-")
        seconds = (
            f"{whole['seconds']:.0f} / {tiles['seconds']:.0f}" if whole else f"- / {tiles['seconds']:.0f}"
        )
        row = (
            f"| {size} x {size} | {pieces[0]} | {tiles['megabytes']:,.0f} MB | {pieces[1]} "
            f"| {tiles['border']:.3f} | {tiles['joints']:.3f} | {seconds} |"
        )
        print(row, flush=True)
        rows.append(row)
    return "\n".join(rows)


def main() -> None:
    """Prints the table, and writes it with a heading."""
    parser = argparse.ArgumentParser(description="Memory and seams of decoding in tiles.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument(
        "--channels", type=int, default=32, help="of the outermost level; the real one has 128"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(*json.loads(options.case))))
        return
    rows = table(options.sizes, options.channels)
    if options.markdown:
        options.markdown.write_text(
            f"""# Decoding in tiles

Where a picture is too large for a device's memory, it is decoded in tiles that are fetched around the picture's own
border (`generator/torus/tiles.py`). The memory is then that of one tile and of the finished picture (200 MB at
4096 x 4096 in float32). The seam ratio is the jump across the border over the jumps at the other lines between the
decoder's squares of 8 pixels: 1 means that nothing is to be seen.

    python benchmarks/tiled_vae.py --channels {options.channels} --markdown docs/tiled-decoding.md

Stable Diffusion's decoder with {options.channels} channels at its outermost level (the real one has 128) and random
weights, float32, tiles of {TILES.side * 8} pixels, PyTorch {torch.__version__} on {platform.machine()}.

{rows}

Memory is the peak above what the process held before decoding; seconds are those of one run, whole / tiles, and tell
the order of magnitude only. Random weights say nothing about how close tiles come to the whole: group normalisation
takes its measure from each tile alone, so that with any weights the two are close, not equal.
""",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
