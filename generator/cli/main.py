# SPDX-License-Identifier: GPL-3.0-or-later
"""The program's options, and what becomes of errors: one sentence on stderr and exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from generator import __version__
from generator.progress import GenerationError
from generator.protocol import (
    DEFAULT_MODEL,
    FACTORS,
    MAKERS,
    MAPS,
    MAX_LORAS,
    PRECISIONS,
    SCHEDULERS,
    SEAMLESS,
    STARTER,
    Lora,
    RequestError,
)

from . import setup

ERROR, INTERRUPTED = 2, 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message[:1].upper()}{message[1:]}. Try {self.prog} --help.", file=sys.stderr)
        sys.exit(ERROR)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return ERROR  # whoever read our output has gone, so there is nobody to tell
    except (GenerationError, RequestError, OSError, MemoryError) as error:
        if options.debug:
            raise
        from .reporting import sentence

        print(f"dream-textures: {sentence(error)}", file=sys.stderr)
        return ERROR


def build_parser() -> argparse.ArgumentParser:
    """Every command and option; other programs rely on these names."""
    parser = _Parser(
        prog="dream-textures", description="Seamless textures and finished materials from words."
    )
    parser.add_argument("--version", action="version", version=f"dream-textures {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_generate(commands)
    _add_maps(commands)
    _add_tile(commands)
    _add_upscale(commands)

    seams = _add(
        commands,
        "seams",
        _later("pictures", "seams"),
        "measure whether an image tiles (exit 0 yes, 1 no, 2 unknown)",
    )
    seams.add_argument("image", type=Path, metavar="IMAGE")
    seams.add_argument("--axes", choices=("both", "x", "y"), default="both", help="which axes must tile")

    listing = _add(commands, "models", _later("info", "models"), "list the models on this machine")
    listing.add_argument("--json", action="store_true", help="print JSON")

    doctor = _add(commands, "doctor", _later("info", "doctor"), "check this installation and say what to do")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.add_argument(
        "--folder", type=Path, metavar="DIR", help="the environment's folder, to be checked too"
    )
    doctor.add_argument("--offline", action="store_true", help="as where Blender may not use the network")
    doctor.add_argument("--network", action="store_true", help="try whether the package index answers")

    setup.add(_add(commands, "setup", setup.setup, "make the private Python with PyTorch that models run in"))

    _add(commands, "serve", _unreachable, "serve Blender over standard input and output")
    return parser


def _later(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """A command whose module is imported when it is given: ``setup`` and ``doctor`` must run without NumPy."""

    def command(options: argparse.Namespace) -> int:
        return getattr(import_module(f".{module}", __package__), name)(options)

    return command


def _add(
    commands: argparse._SubParsersAction, name: str, command: Callable, text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.set_defaults(command=command)
    return parser


def _add_generate(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "generate", _later("make", "generate"), "make textures from a prompt")
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="such as: mossy red brick wall")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--size", type=_size, metavar="N | WxH", help="such as 512 or 512x1024 (width x height)"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="the same seed makes the same texture (default: random)"
    )
    parser.add_argument("--count", type=int, metavar="N", help="how many, with the seeds N, N + 1, ...")
    parser.add_argument("--seamless", choices=SEAMLESS, help="which edges meet (default: both)")
    parser.add_argument(
        "--maps", type=_maps, metavar="all | none | LIST", help=f"all, none or some of {','.join(MAPS)}"
    )
    parser.add_argument("--source", type=Path, metavar="IMAGE", help="a texture or photo to start from")
    _add_maker(parser)
    _add_model(parser)
    parser.add_argument("--recipe", type=Path, metavar="FILE.png", help="make the texture of this file again")
    _add_output(parser)
    _add_sheet(parser)


def _add_maps(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "maps", _later("make", "maps"), "make material maps from an image")
    parser.add_argument("image", type=Path, metavar="IMAGE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument("--maps", type=_maps, metavar="all | LIST", help=f"all or some of {','.join(MAPS)}")
    parser.add_argument(
        "--seamless", choices=SEAMLESS, default="auto", help="which edges meet (default: as measured)"
    )
    _add_maker(parser)
    _add_output(parser)
    _add_sheet(parser)


def _add_tile(commands: argparse._SubParsersAction) -> None:
    parser = _add(
        commands,
        "tile",
        _later("tile", "tile"),
        "make images tile (exit 0 all tile, 1 one still does not, 2 one failed)",
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--axes", choices=("both", "x", "y"), default="both", help="which edges are to meet (default: both)"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="what the image shows, for a model")
    parser.add_argument("--seed", type=int, metavar="N", help="for a model: another seed, another joint")
    _add_model(parser)
    _add_output(parser)


def _add_upscale(commands: argparse._SubParsersAction) -> None:
    parser = _add(
        commands,
        "upscale",
        _later("upscale", "upscale"),
        "make an image or a set of maps two or four times as large",
    )
    parser.add_argument(
        "input",
        type=Path,
        metavar="IMAGE_OR_SET",
        help="an image, a folder with sets of maps, or what the files of one set are called before _basecolor.png",
    )
    parser.add_argument("--factor", type=int, choices=FACTORS, default=2, help="how many times (default: 2)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--model-file",
        type=Path,
        metavar="FILE",
        help="a model that spandrel reads, in place of the built-in network",
    )
    parser.add_argument(
        "--method",
        choices=("network", "lanczos"),
        help="default: the network where there is one, else the filter",
    )
    parser.add_argument(
        "--as",
        dest="kind",
        choices=("colour", "normal", "data"),
        help="what a single image holds (default: as its recipe or its name says, else colour)",
    )
    parser.add_argument(
        "--seamless",
        choices=SEAMLESS,
        help="which edges meet (default: as its recipe says, else as measured)",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="for a model file: cpu, cuda, ... (default: the best)"
    )
    _add_output(parser)
    _add_sheet(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="NAME_OR_PATH",
        help=f"{STARTER}, a diffusers folder, or the name of one that is cached (default: {DEFAULT_MODEL})",
    )
    parser.add_argument("--strength", type=float, metavar="S", help="how far the source may change, 0 to 1")
    parser.add_argument(
        "--lora",
        dest="loras",
        type=_lora,
        action="append",
        metavar="FILE[:WEIGHT]",
        help=f"a LoRA to lay over the model, as strongly as WEIGHT says (default: 1); up to {MAX_LORAS} times",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="denoising steps (default, and 0: as the model was made for)"
    )
    parser.add_argument(
        "--guidance",
        type=float,
        metavar="G",
        help="how closely to follow the prompt (default: what the model was made for)",
    )
    parser.add_argument(
        "--guidance-end",
        type=float,
        metavar="SHARE",
        help="guide this share of the steps, such as 0.6, and compute the others in half the time (default: 1)",
    )
    parser.add_argument("--negative", metavar="TEXT", help="what to leave out")
    parser.add_argument(
        "--scheduler",
        metavar="NAME",
        help=f"the sampler: {', '.join(SCHEDULERS)} (default: the model's own, or what its LoRA was made for)",
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="number format (default: what suits the device)"
    )
    parser.add_argument(
        "--device", metavar="NAME", help="such as cpu, cuda, cuda:1, mps, xpu (default: the best)"
    )


def _add_maker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--maps-from",
        choices=MAKERS,
        help="who makes maps of an image (default: the network, where it is there)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print one event a line instead of a progress bar"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files instead of choosing new names"
    )


def _add_sheet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-sheet", action="store_true", help="leave out the _sheet.png picture")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    try:
        return int(width), int(height or width)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512 or 512x1024") from error


def _lora(text: str) -> Lora:
    """``FILE`` or ``FILE:WEIGHT``; a colon elsewhere, as after the letter of a drive, belongs to the file."""
    try:
        return _found_lora(text)
    except (RequestError, OSError, RuntimeError) as error:  # such as a home folder that nobody has
        raise argparse.ArgumentTypeError(str(error)) from error


def _found_lora(text: str) -> Lora:
    path, weight = Path(text).expanduser(), 1.0
    before, _, after = text.rpartition(":")
    if before and not path.exists():
        named = Path(before).expanduser()
        try:
            path, weight = named, float(after)
        except ValueError as error:
            if named.exists():
                raise argparse.ArgumentTypeError(f"{after!r} is not a weight such as 0.8") from error
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no LoRA {path}")
    return Lora(str(path.absolute()), weight)  # a recipe is followed from other folders too


def _maps(text: str) -> tuple[str, ...]:
    if text in ("all", "none"):
        return MAPS if text == "all" else ("basecolor",)
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in MAPS]
    if unknown or not names:
        listed = ", ".join(MAPS)
        raise argparse.ArgumentTypeError(
            f"there is no map {', '.join(unknown) or text!r}; choose from {listed}"
        )
    return names if "basecolor" in names else ("basecolor", *names)


def _unreachable(_options: argparse.Namespace) -> int:
    raise AssertionError("serve starts before the command line is read")
