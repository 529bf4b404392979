# SPDX-License-Identifier: GPL-3.0-or-later
"""The last check of a new environment, in the environment itself: its files, its imports, a sum, and a handshake."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

from generator.protocol import Hello, ProtocolError, receive

from .children import Runner
from .faults import Failure
from .foreign import MODULES, THOROUGH, inspect
from .installing import add, forget
from .locks import Lock
from .places import python_of
from .pythons import Uv
from .sources import Sources
from .telling import Teller
from .verify import find_damage

RUNTIME = Path(__file__).resolve().parents[2]
"""The folder that holds the generator, wherever it was laid."""

_DISTRIBUTIONS = {"PIL": "pillow"}


@dataclass(frozen=True)
class Proof:
    """What a sound environment computes on (empty where it has no PyTorch), and PyTorch's version."""

    device: str
    torch: str


def prove(uv: Uv, lock: Lock, target: Path, teller: Teller) -> Proof:
    """Check everything, and mend once what came damaged out of the cache. Raises `Failure` of kind ``broken``."""
    damaged = _damaged(uv, lock, target, teller)
    if damaged:
        forget(uv, damaged)
        add(uv, lock, target, teller, again=damaged)
        damaged = _damaged(uv, lock, target, teller)
    if damaged:
        raise Failure(
            "broken",
            f"These packages were not installed as they should be: {', '.join(damaged[:5])}.",
            "The disk may be failing, or a virus scanner changes files. Choose another folder, or let it pass.",
        )
    return try_out(uv.runner, lock, python_of(target), teller)


def try_out(runner: Runner, lock: Lock, python: Path, teller: Teller) -> Proof:
    """Import what the lock holds, compute, and start the generator. Raises `Failure` of kind ``broken``."""
    teller.step("Trying PyTorch")
    pins = lock.pins
    modules = [name for name in MODULES if _DISTRIBUTIONS.get(name, name) in pins]
    words = [*(["--compute"] if "torch" in pins else []), *modules]
    try:
        said = inspect(python, words, THOROUGH, runner)
    except Failure as failure:
        if failure.kind == "cancelled":
            raise
        raise Failure("broken", f"The new Python does not work: {failure}", failure.advice) from failure
    if said["problems"]:
        problem = said["problems"][0]
        raise Failure("broken", f"What was installed does not work: {problem}.", _advice(problem))
    if "numpy" in pins:
        _greet(runner, python, teller)
    return Proof(said["device"], pins.get("torch", ""))


def _advice(problem: str) -> str:
    if re.search(r"DLL load failed|WinError (126|1114)|vcruntime|msvcp", problem, re.IGNORECASE):
        return (
            "Install the Microsoft Visual C++ Redistributable (x64) from Microsoft's site, and set up again."
        )
    if problem.startswith("PyTorch"):
        return "Update the driver of the graphics card, or choose PyTorch for the processor."
    return "Try again. If it stays so, the log says more: it belongs into a report."


def _damaged(uv: Uv, lock: Lock, target: Path, teller: Teller) -> list[str]:
    what = "Checking the files"

    def tell(done: int, total: int) -> None:
        uv.runner.cancel.check()
        teller.step(what, done, total)

    teller.step(what)
    return [item.package for item in find_damage(target, lock.pins, tell)]


def _greet(runner: Runner, python: Path, teller: Teller) -> None:
    """Start the generator there as the add-on will, and read its first message."""
    teller.step("Starting the generator")
    command = [python, "-s", "-E", "-B", "-u", "-X", "utf8", "-m", "generator", "serve"]
    ran = runner.run(command, env=Sources().environment(), cwd=RUNTIME, limit=THOROUGH)
    stream = io.BytesIO(f"{ran.output}\n".encode())
    problem = ran.lines[-1] if ran.lines else "It said nothing."
    try:
        while (message := receive(stream)) is not None:
            if isinstance(message, Hello):
                return
    except ProtocolError as error:
        problem = str(error)
    raise Failure(
        "broken", f"The generator does not start in the new environment: {problem}", "The log says more."
    )
