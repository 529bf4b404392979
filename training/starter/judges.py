# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the judges: which material is this, and which colour was asked for?

    python -m training.starter.judges

They learn from pictures of a split of their own, with every combination in it, and are measured on a third split. They
see whole tori of any size and do not know where the borders are.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from generator import procedural
from generator.torus import wrap
from training.captions import family_names
from training.checkpoints import export
from training.commands import finished, trainer
from training.loop import Settings, train
from training.starter.combinations import GROUPS, group_of
from training.starter.data import DATA, Pictures, Scene
from training.starter.machine import call, compiled, device, narrow, put_into, seeded, weights_of
from training.starter.rolls import Tori, to_pixels

OUT = Path("training/out/starter/judges")
STEPS, BATCH, RATE, MATRIX_RATE = 3_000, 32, 1e-3, 4e-3
WIDTHS = (32, 64, 96, 128)

FAMILIES, COLOURS = family_names(), tuple(GROUPS)
_UNSAID = -1


class Judge(nn.Module):
    """Convolutions whose means and deviations over the torus tell the material and, with a palette, the colour."""

    anchors: Tensor

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        steps = zip((3, *widths), widths, strict=False)
        self.down = nn.ModuleList(nn.Conv2d(before, after, 5, 2, 2) for before, after in steps)
        self.same = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in widths)
        self.features = 2 * sum(widths[-3:])
        grid = torch.linspace(-1, 1, 5)
        self.register_buffer("anchors", torch.cartesian_prod(grid, grid, grid))
        self.family = nn.Linear(self.features, len(FAMILIES))
        inner = 128
        self.mix = nn.Linear(self.features + len(self.anchors), inner)
        self.colour = nn.Linear(inner, len(COLOURS))

    def seen(self, pixels: Tensor) -> Tensor:
        """What is seen in pixels ``(B, 3, H, W)`` in [-1, 1], ``(B, features)``: the same however they are rolled."""
        found, kept = pixels, []
        for down, same in zip(self.down, self.same, strict=True):
            found = F.relu(down(found))
            found = found + F.relu(same(found))
            kept.append(found)
        means = [level.mean((2, 3)) for level in kept[-3:]]
        spreads = [(level.var((2, 3), correction=0) + 1e-4).sqrt() for level in kept[-3:]]
        return torch.cat([*means, *spreads], 1)

    def palette(self, pixels: Tensor) -> Tensor:
        """How much of the picture has each of some colours ``(B, 125)``."""
        points = F.avg_pool2d(pixels.float(), 4).flatten(2).transpose(1, 2)
        near = -torch.cdist(points, self.anchors.expand(len(points), -1, -1)).square() / 0.05
        return near.softmax(-1).mean(1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of all families and of all groups of colours."""
        seen = self.seen(pixels)
        both = torch.cat([seen, 5 * self.palette(pixels).to(seen.dtype)], 1)
        return self.family(seen), self.colour(F.relu(self.mix(both)))


def answers(scenes: Sequence[Scene]) -> tuple[Tensor, Tensor]:
    """The family of each scene, and the group of its colour where its caption names colours of one group alone."""
    colours = []
    for scene in scenes:
        read = procedural.parse(scene.caption)
        groups = {group_of(colour) for colour in read.colours}
        plain = len(groups) == 1 and read.metal is None
        colours.append(COLOURS.index(groups.pop()) if plain else _UNSAID)
    return torch.tensor([FAMILIES.index(scene.family) for scene in scenes]), torch.tensor(colours)


def settings(steps: int = STEPS) -> Settings:
    """How the judges are trained in so many steps."""
    return Settings(steps, RATE, MATRIX_RATE, average=0.998, decay=1e-2)


def run(
    data: Path,
    trial: Path,
    out: Path,
    how: Settings,
    minutes: float = math.inf,
    batch: int = BATCH,
    widths: tuple[int, ...] = WIDTHS,
    seed: int = 0,
    checkpoint_minutes: float = 5.0,
) -> Path:
    """Train for so many minutes, measure on the split ``trial``, and give the file of weights."""
    on, pictures = device(), Pictures(data)
    tori = Tori(torch.from_numpy(pictures.all()).to(on), pictures.scenes)
    families, colours = answers(pictures.scenes)
    torch.manual_seed(seed)
    judge = Judge(widths).to(on)

    def judged(weights: Mapping[str, Tensor], pixels: Tensor) -> tuple[Tensor, Tensor]:
        return call(judge, weights, pixels)

    look = compiled(judged, on)

    def losses(weights: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        random = seeded(seed, step)
        chosen = torch.randint(len(tori), (batch,), generator=random)
        pixels = to_pixels(tori.drawn(chosen, random))
        pixels = pixels + 0.03 * torch.randn(pixels.shape, generator=random).to(on)
        with narrow(on):
            family, colour = look(weights, pixels)
        said = colours[chosen].to(on)
        apart = F.cross_entropy(
            colour.float(), said, ignore_index=_UNSAID, reduction="sum", label_smoothing=0.05
        )
        return {
            "family": F.cross_entropy(family.float(), families[chosen].to(on), label_smoothing=0.05),
            "colour": apart / (said != _UNSAID).sum().clamp(min=1),
        }

    with wrap(judge):
        weights, step, seconds = train(weights_of(judge, on), losses, how, out, minutes, checkpoint_minutes)
    put_into(judge, weights)
    told = Pictures(trial)
    family, colour = accuracy(judge.to("cpu"), told)
    print(
        f"step {step}, {seconds / 60:.0f} minutes; of {len(told)} other pictures right: family {family:.1%}, "
        f"colour {colour:.1%}"
    )
    made = out / "judge.safetensors"
    about = {
        "family": f"{family:.4f}",
        "colour": f"{colour:.4f}",
        "widths": " ".join(map(str, widths)),
        "step": str(step),
    }
    export(made, dict(judge.named_parameters()), about)
    return made


def accuracy(judge: Judge, pictures: Pictures) -> tuple[float, float]:
    """The shares of families, and of colours where one is named, that are told right."""
    families, colours = answers(pictures.scenes)
    found = [
        verdicts(judge, to_pixels(torch.from_numpy(some)).permute(0, 3, 1, 2)) for some in _chunks(pictures)
    ]
    family, colour = (torch.cat(scores).argmax(1) for scores in zip(*found, strict=True))
    said = colours != _UNSAID
    return float((family == families).float().mean()), float((colour == colours)[said].float().mean())


def _chunks(pictures: Pictures) -> list:
    whole = pictures.all()
    return [whole[place : place + 64] for place in range(0, len(whole), 64)]


def verdicts(judge: Judge, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of both judges for pixels ``(B, 3, H, W)`` in [-1, 1]."""
    with torch.no_grad(), wrap(judge):
        return judge(pixels)


def read_judge(path: Path) -> tuple[Judge, dict[str, str]]:
    """The judges from their file, and what is known of them."""
    from safetensors import safe_open

    if not path.is_file():
        raise FileNotFoundError(
            f"There are no judges at {path}; python -m training.starter.judges trains them."
        )
    with safe_open(path, framework="pt") as file:
        about = dict(file.metadata())
    judge = Judge(tuple(int(width) for width in about["widths"].split()))
    put_into(judge, {name: value.float() for name, value in load_file(path).items()})
    return judge.eval(), about


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the data or the folder will not do."""
    parser = trainer("training.starter.judges", "Train the judges.", OUT, STEPS, batch=BATCH)
    parser.add_argument("--data", type=Path, default=DATA / "judges-128")
    parser.add_argument("--trial", type=Path, default=DATA / "trial-128", help="what they are measured on")
    told = parser.parse_args(arguments)
    how = settings(told.steps)
    return finished(
        lambda: run(told.data, told.trial, told.out, how, told.minutes, told.batch, seed=told.seed)
    )


if __name__ == "__main__":
    sys.exit(main())
